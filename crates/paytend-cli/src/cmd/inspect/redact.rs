//! Removes personal data from business data.

use paytend_model::Field;
use serde_json::Value;
use serde_json::value::RawValue;

use super::kind::Members;

/// The types whose values are shown: identifiers, codes and amounts. All other types are hidden, including types that
/// are added later.
const SHOWN: &[&str] = &[
    "Amount",
    "CardId",
    "Code",
    "Count",
    "CountryCode",
    "Currency",
    "HolderId",
    "OrderNo",
    "TradeStatus",
    "TradeType",
    "TransactionId",
    "UserId",
];
/// The JSON string that replaces a hidden value.
const HIDDEN: &str = "\"***\"";
/// The maximum length of a text that is shown, in bytes. Longer texts are hidden, because they are not identifiers.
const MAX_TEXT: usize = 64;

/// Business data as JSON text, and the number of values that are hidden.
pub(super) struct Redacted {
    pub(super) text: String,
    pub(super) hidden: usize,
}

/// Hides all values that are not known to be harmless. `descriptions` are the payload types that the data can have; a
/// value is shown only if none of them hides it. Unknown fields are counted but not named, because a name can be
/// personal data, too.
pub(super) fn redacted(data: &str, descriptions: &[&[Field]]) -> Redacted {
    let mut hidden = 0;
    let text = match serde_json::from_str::<Members<'_>>(data) {
        Ok(members) => object(&members, descriptions, &mut hidden),
        Err(_) => {
            hidden += 1;
            HIDDEN.to_owned()
        }
    };
    Redacted { text, hidden }
}

fn object(members: &Members<'_>, descriptions: &[&[Field]], hidden: &mut usize) -> String {
    let mut shown = Vec::new();
    for (name, raw) in members {
        let fields: Vec<&Field> =
            descriptions.iter().flat_map(|fields| fields.iter()).filter(|field| field.name == name).collect();
        if fields.is_empty() {
            *hidden += 1;
            continue;
        }
        shown.push(format!("{}:{}", Value::from(name.as_str()), value(raw, &fields, hidden)));
    }
    format!("{{{}}}", shown.join(","))
}

fn value(raw: &RawValue, fields: &[&Field], hidden: &mut usize) -> String {
    let inner: Vec<&[Field]> = fields.iter().map(|field| field.fields).filter(|fields| !fields.is_empty()).collect();
    if !inner.is_empty() {
        if let Ok(members) = serde_json::from_str::<Members<'_>>(raw.get()) {
            return object(&members, &inner, hidden);
        }
        if let Ok(items) = serde_json::from_str::<Vec<Members<'_>>>(raw.get()) {
            let items: Vec<String> = items.iter().map(|members| object(members, &inner, hidden)).collect();
            return format!("[{}]", items.join(","));
        }
    }
    let harmless = fields.iter().all(|field| SHOWN.contains(&field.type_name)) && is_plain(raw.get());
    match raw.get() {
        "null" | "\"\"" | "true" | "false" => raw.get().to_owned(),
        text if harmless => text.to_owned(),
        _ => {
            *hidden += 1;
            HIDDEN.to_owned()
        }
    }
}

/// Returns whether JSON is one short word that is neither a card number nor an IBAN.
pub(super) fn is_plain(json: &str) -> bool {
    let text = json.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(json);
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+".contains(&byte);
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let is_card_number = (12..=19).contains(&text.len()) && digits == text.len();
    let is_iban = text.len() >= 15
        && text.bytes().take(2).all(|byte| byte.is_ascii_uppercase())
        && text.bytes().skip(2).take(2).all(|byte| byte.is_ascii_digit());
    text.len() <= MAX_TEXT && text.bytes().all(word) && !is_card_number && !is_iban
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn add_types(fields: &[Field], types: &mut BTreeSet<&'static str>) {
        for field in fields {
            types.insert(field.type_name);
            add_types(field.fields, types);
        }
    }

    /// Each type is either shown or known to be hidden.
    #[test]
    fn every_type_of_the_model_is_classified() {
        let mut types = BTreeSet::new();
        for entry in paytend_model::operations() {
            add_types(entry.request.fields, &mut types);
            add_types(entry.response.fields, &mut types);
        }
        for kind in crate::event_kinds::ALL {
            add_types(kind.description.fields, &mut types);
        }
        for shown in SHOWN {
            assert!(types.contains(shown), "no field has the type {shown}");
        }
        for hidden in ["Personal", "Base64Text", "FileContent", "HashedText"] {
            assert!(types.contains(hidden) && !SHOWN.contains(&hidden), "{hidden}");
        }
    }

    #[test]
    fn only_known_harmless_values_are_shown() {
        let topup = paytend_model::operation("topup").unwrap().request.fields;
        let shown = |data: &str| {
            let redacted = redacted(data, &[topup]);
            (redacted.text, redacted.hidden)
        };
        let data = r#"{"orderNo":"T-1","amount":25.50,"currency":"EUR","Mina":"CANARY"}"#;
        assert_eq!(shown(data), (r#"{"amount":25.50,"currency":"EUR","orderNo":"T-1"}"#.into(), 1));
        assert_eq!(shown(r#"{"orderNo":"4111111111111111"}"#), (r#"{"orderNo":"***"}"#.into(), 1));
        assert_eq!(shown(r#"{"orderNo":"Mina Example"}"#), (r#"{"orderNo":"***"}"#.into(), 1));
        assert_eq!(shown(r#"{"orderNo":{"a":"CANARY"}}"#), (r#"{"orderNo":"***"}"#.into(), 1));
        assert_eq!(shown("CANARY"), (r#""***""#.into(), 1));
    }
}
