//! Fields that may have had a different value when they were signed, or may have been removed after signing.

use paytend_crypto::Kind;
use zeroize::Zeroizing;

use super::fields::{Fields, TryFields, sorted};
use crate::explain::finding::TextChange;

/// Highest notification type that the search tries.
const MAX_TYPE: u8 = 20;

/// The name of a field, and a value that it may have had.
type Value = (&'static str, String);

/// Tries other values for fields that have few likely values: first one field at a time, then the partner ID together
/// with one other field.
pub(super) fn others(kind: Kind, fields: &Fields, partner_id: Option<&str>, attempt: TryFields<'_>) -> bool {
    let values = values(kind, partner_id);
    let mut all: Vec<(Fields, Vec<&Value>)> = values.iter().map(|value| (with(fields, value), vec![value])).collect();
    let partner: Vec<(Fields, Vec<&Value>)> =
        all.iter().filter(|(_, values)| values[0].0 == "partnerId").cloned().collect();
    for (base, first) in partner {
        let others = values.iter().filter(|value| value.0 != "partnerId");
        all.extend(others.map(|value| (with(&base, value), vec![first[0], value])));
    }
    all.into_iter().any(|(changed, values)| {
        // Skip values that the field already has.
        let is_real = values.iter().all(|value| get(fields, value.0) != Some(value.1.as_bytes()));
        is_real && {
            let changes = values.iter().map(|(name, _)| match get(fields, name) {
                Some(_) => TextChange::OtherValue((*name).to_owned()),
                None => TextChange::Missing((*name).to_owned()),
            });
            attempt(&sorted(changed), b"", changes.collect())
        }
    })
}

fn values(kind: Kind, partner_id: Option<&str>) -> Vec<Value> {
    let mut values: Vec<Value> = partner_id.map(|id| ("partnerId", id.to_owned())).into_iter().collect();
    values.extend(["RSA", "RSA2", "SHA256withRSA", "SHA256WithRSA"].map(|value| ("signType", value.to_owned())));
    if kind != Kind::Response {
        values.extend(["2.0", "1.0", "2", "1"].map(|value| ("version", value.to_owned())));
    }
    if kind == Kind::Notification {
        values.extend((0..=MAX_TYPE).map(|value| ("notifyType", value.to_string())));
    }
    if kind == Kind::Response {
        values.extend(["00", "0", "success", "SUCCESS"].map(|value| ("respCode", value.to_owned())));
    }
    values
}

fn get<'a>(fields: &'a Fields, name: &str) -> Option<&'a [u8]> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
}

fn with(fields: &Fields, (name, value): &Value) -> Fields {
    let mut fields: Fields = fields.iter().filter(|(known, _)| known != name).cloned().collect();
    fields.push(((*name).to_owned(), Zeroizing::new(value.clone().into_bytes())));
    fields
}
