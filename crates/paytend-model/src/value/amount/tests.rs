//! Tests for amounts.

use std::hash::{BuildHasher, RandomState};

use super::*;

#[test]
fn digits_and_json_type_survive_a_round_trip() {
    for json in [
        "1250.07",
        "10.10",
        "0.020",
        "0",
        "-0.5",
        "5.0",
        "123456789012345.12345678",
        "\"10.10\"",
        "\"1100.00\"",
        "\"-999999999999999.99999999\"",
    ] {
        let amount: Amount = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&amount).unwrap(), json);
        assert_eq!(amount.to_string(), json.trim_matches('"'));
    }
}

#[test]
fn exactly_representable_amounts_keep_their_notation() {
    for (json, plain) in [
        ("1E+2", "100"),
        ("\"1E+2\"", "100"),
        ("1e-2", "0.01"),
        ("12.5e1", "125"),
        ("1.0e0", "1"),
        ("-0e999999999999", "0"),
        ("\"+100.00\"", "100"),
        ("\".50\"", "0.5"),
        ("\"5.\"", "5"),
        ("\"0100.00\"", "100"),
        ("\"-.5E-2\"", "-0.005"),
        ("1e28", "10000000000000000000000000000"),
        ("1e-28", "0.0000000000000000000000000001"),
        ("79228162514264337593543950335", "79228162514264337593543950335"),
        ("0.123456789", "0.123456789"),
        ("100.00000000000000000000000000000000000", "100"),
        ("1230000000000000000000000000000000000e-34", "123"),
    ] {
        let amount: Amount = serde_json::from_str(json).unwrap_or_else(|e| panic!("{json}: {e}"));
        assert_eq!(amount.value(), plain.parse().unwrap(), "{json}");
        assert_eq!(amount.to_string(), json.trim_matches('"'));
        assert_eq!(serde_json::to_string(&amount).unwrap(), json);
    }
    // Not a valid JSON number, so it is written as a string.
    let odd = Amount::read("+1.00").unwrap();
    assert_eq!(serde_json::to_string(&odd).unwrap(), "\"+1.00\"");
    let odd: Amount = serde_json::from_str("\"01\"").unwrap();
    assert_eq!(serde_json::to_string(&odd.into_number()).unwrap(), "\"01\"");
}

#[test]
fn invalid_amounts_are_rejected_with_a_reason() {
    for (json, error) in [
        ("\"NaN\"", AmountError::NotDecimal),
        ("\"\"", AmountError::NotDecimal),
        ("\"1,5\"", AmountError::NotDecimal),
        ("\" 1\"", AmountError::NotDecimal),
        ("\".\"", AmountError::NotDecimal),
        ("\"-\"", AmountError::NotDecimal),
        ("\"e5\"", AmountError::NotDecimal),
        ("\"1e\"", AmountError::NotDecimal),
        ("\"1e5.0\"", AmountError::NotDecimal),
        ("\"1e+-5\"", AmountError::NotDecimal),
        ("\"1.2.3\"", AmountError::NotDecimal),
        ("\"--5\"", AmountError::NotDecimal),
        ("\"+-5\"", AmountError::NotDecimal),
        ("\"1_000\"", AmountError::NotDecimal),
        ("\"٣\"", AmountError::NotDecimal),
        ("true", AmountError::NotDecimal),
        ("1e29", AmountError::TooLong),
        ("1e-29", AmountError::TooLong),
        ("1e999999999999999999", AmountError::TooLong),
        ("79228162514264337593543950336", AmountError::TooLong),
        ("1234567890123456789012345678.99", AmountError::TooLong),
    ] {
        let message = serde_json::from_str::<Amount>(json).unwrap_err().to_string();
        assert!(message.starts_with(&error.to_string()), "{json}: {message}");
    }
    // Created amounts have a stricter format.
    for (text, error) in [
        ("1e3", AmountError::Exponent),
        ("1E3", AmountError::Exponent),
        ("+1", AmountError::NotDecimal),
        ("01", AmountError::NotDecimal),
        (".5", AmountError::NotDecimal),
        ("5.", AmountError::NotDecimal),
        ("1234567890123456", AmountError::TooLong),
        ("0.123456789", AmountError::TooLong),
    ] {
        assert_eq!(text.parse::<Amount>().unwrap_err(), error, "{text}");
    }
}

#[test]
fn amounts_are_compared_added_and_subtracted_exactly() {
    let amount = |text: &str| text.parse::<Amount>().unwrap();
    assert_eq!(amount("10.10"), amount("10.1"));
    assert_eq!(amount("0.1").checked_add(&amount("0.2")).unwrap(), amount("0.3"));
    assert_eq!(amount("1.00").checked_sub(&amount("0.99")).unwrap().to_string(), "0.01");
    assert!(amount("9.99") < amount("10"));
    let largest = amount("999999999999999.99999999");
    assert_eq!(largest.checked_add(&amount("0.00000001")).unwrap_err(), AmountError::TooLong);
    let state = RandomState::new();
    assert_eq!(state.hash_one(amount("10.10")), state.hash_one(amount("10.1")));
}
