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

/// Hides all values that are not known to be harmless. `descriptions` contains the fields of each payload type that the
/// data can have. A value is shown only if its type is harmless in all of them. Fields that none of them contains are
/// counted but not named, because a name can also be personal data.
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

/// Returns whether a JSON value is a single short word that is neither a card number nor an IBAN. Separators, as in
/// `4111-1111-1111-1111`, are ignored.
pub(super) fn is_plain(json: &str) -> bool {
    let text = json.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(json);
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+".contains(&byte);
    if text.len() > MAX_TEXT || !text.bytes().all(word) {
        return false;
    }
    // A number with one to three decimals is an amount and not a card number. No currency has more decimals.
    let is_amount = text.split_once('.').is_some_and(|(_, decimals)| (1..=3).contains(&decimals.len()));
    let compact: Vec<u8> = text.bytes().filter(|byte| byte.is_ascii_alphanumeric()).collect();
    let is_card_number = (12..=19).contains(&compact.len()) && !is_amount && compact.iter().all(u8::is_ascii_digit);
    !is_card_number && !is_iban(&compact)
}

/// Returns whether a text without separators has the form of an IBAN.
fn is_iban(text: &[u8]) -> bool {
    let Some((start, _)) = text.split_at_checked(4) else { return false };
    let is_country = start.iter().take(2).all(u8::is_ascii_alphabetic);
    // A UUID can look like an IBAN, but has 32 hexadecimal digits. No country's IBANs do.
    let is_uuid = text.len() == 32 && text.iter().all(u8::is_ascii_hexdigit);
    text.len() >= 15 && is_country && start.iter().skip(2).all(u8::is_ascii_digit) && !is_uuid
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
        for number in ["4111-1111-1111-1111", "3782_822463_10005", "lt121000011101001000", "LT12-1000-0111-0100-1000"] {
            assert_eq!(shown(&format!(r#"{{"orderNo":"{number}"}}"#)), (r#"{"orderNo":"***"}"#.into(), 1), "{number}");
        }
        for order in ["T792348664550", "2026-11-28-01", "ab12cd34-0000-4000-8000-0123456789ab"] {
            let data = format!(r#"{{"orderNo":"{order}"}}"#);
            assert_eq!(shown(&data), (data.clone(), 0));
        }
        assert_eq!(shown(r#"{"amount":1234567890.12}"#), (r#"{"amount":1234567890.12}"#.into(), 0));
        assert_eq!(shown(r#"{"orderNo":"Mina Example"}"#), (r#"{"orderNo":"***"}"#.into(), 1));
        assert_eq!(shown(r#"{"orderNo":{"a":"CANARY"}}"#), (r#"{"orderNo":"***"}"#.into(), 1));
        assert_eq!(shown("CANARY"), (r#""***""#.into(), 1));
    }
}
