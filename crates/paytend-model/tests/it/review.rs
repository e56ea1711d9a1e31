//! Tests for the findings about the JSON text of a request.

use proptest::prelude::*;

fn findings(operation: &str, json: &str) -> Vec<(bool, String)> {
    let findings = paytend_model::operation(operation).unwrap().review(json);
    findings.iter().map(|finding| (finding.is_error(), finding.to_string())).collect()
}

fn error(text: &str) -> (bool, String) {
    (true, text.into())
}

fn warning(text: &str) -> (bool, String) {
    (false, text.into())
}

#[test]
fn findings_identify_the_field_and_describe_the_value() {
    assert_eq!(findings("topup", r#"{"cardId":"1","orderNo":"T","amount":"1.10","currency":"EUR"}"#), []);
    assert_eq!(findings("topup", "[1,2]"), [error("expected a JSON object; found a list of 2 items")]);
    assert_eq!(
        findings("topup", r#"{"cardId":{},"orderNo":"T","amount":"1.10","currency":"EURO","memo":"secret"}"#),
        [error("`cardId`: expected a string or a number; found an object")]
    );
    assert_eq!(
        findings("topup", r#"{"cardId":"","amount":0,"currency":"EUR"}"#),
        [
            error("`orderNo` is missing"),
            error("`cardId` must not be empty"),
            warning("`amount` should be above zero; found a number"),
            error("`amount` must be written as a JSON string; found a number"),
        ]
    );
    assert_eq!(
        findings("topup", r#"{"cardId":"1","orderNo":null,"currency":"EUR"}"#),
        [error("`orderNo` is missing"), error("`amount` is missing")]
    );
    assert_eq!(
        findings("topup", r#"{"cardId":"","orderNo":"T","amount":"0","currency":"EURO"}"#),
        [
            error("`cardId` must not be empty"),
            warning("`amount` should be above zero; found a string of 1 character"),
            warning("`currency` should be an ISO 4217 currency code, such as EUR; found a string of 4 characters"),
        ]
    );
}

#[test]
fn misspelled_names_get_suggestions() {
    assert_eq!(
        findings("topup", r#"{"card_id":"1","OrderNo":"T","amonut":"1.10","currency":"EUR"}"#),
        [
            error("`cardId` is missing; `card_id` is not a field of this request: did you mean `cardId`?"),
            error("`orderNo` is missing; `OrderNo` is not a field of this request: did you mean `orderNo`?"),
            error("`amount` is missing; `amonut` is not a field of this request: did you mean `amount`?"),
        ]
    );
    // A misspelled optional field name only causes a warning.
    let query = r#"{"cardId":"1","beginDate":"2023-11-06","endDate":"2023-11-06","maxsize":"5","other":1}"#;
    let hint = "`maxsize` is not a field of this request: did you mean `maxSize`?";
    assert_eq!(findings("getCardTransactions", query), [warning(hint)]);
}

#[test]
fn mistakes_in_inferred_fields_cause_only_warnings() {
    assert_eq!(findings("getUserFees", "{}"), [warning("`userId` is missing")]);
    assert_eq!(
        findings("getUserFees", r#"{"userId":[]}"#),
        [warning("`userId`: expected a string or a number; found an empty list")]
    );
    assert_eq!(
        findings("createIndividual", r#"{"mobile":"+37060000000","birthday":"31.12.1990","address":{"state":""}}"#)[0],
        warning("`address.addressLine` is missing")
    );
}

/// Returns the findings for a `createCardholder` request with the address `json`. All other fields are valid.
fn address(json: &str) -> Vec<(bool, String)> {
    let rest = r#""mobile":"+37060000000","firstName":"T25h","lastName":"T25h","idNo":"1","idType":"2",
        "email":"a@example.com","birthday":"1990-02-28","gender":"1","nationalityCode":"LT""#;
    findings("createCardholder", &format!(r#"{{{rest},"eeaAddress":{json}}}"#))
}

fn hint(given: &str, known: &str) -> String {
    format!("`{given}` is not a field of this request: did you mean `{known}`?")
}

#[test]
fn misspelled_nested_names_get_suggestions() {
    let missing = |given: &str, known: &str| warning(&format!("`{known}` is missing; {}", hint(given, known)));
    assert_eq!(
        address(r#"{"adressLine":"T25h","CityCode":"VNO","postcode":"01103","countryCode":"LT","State":"x"}"#),
        [
            missing("eeaAddress.adressLine", "eeaAddress.addressLine"),
            missing("eeaAddress.CityCode", "eeaAddress.cityCode"),
            warning(&hint("eeaAddress.State", "eeaAddress.state")),
        ]
    );
    let corporation = r#"{"mobile":"+37060000000","legalPerson":{"firstname":"T25h","other":1}}"#;
    assert_eq!(
        findings("createCorporation", corporation),
        [warning(&hint("legalPerson.firstname", "legalPerson.firstName"))]
    );
}

#[test]
fn absent_field_is_suggested_only_if_no_present_field_is_as_close() {
    let rest = r#""cityCode":"VNO","postcode":"01103","countryCode":"LT""#;
    let line = |fields: &str| address(&format!("{{{fields},{rest}}}"));
    // `addressLine` is present, and the unknown name is equally close to `addressLine` and `addressLine2`.
    assert_eq!(line(r#""addressLine":"T25h","addressLine1":"T25h""#), []);
    assert_eq!(line(r#""addressLine":"T25h","addresLine":"T25h""#), []);
    assert_eq!(line(r#""addressLine":"T25h","addressLine2":"T25h","addressLine3":"T25h""#), []);
    // Both fields are absent, so the closer field is suggested.
    let wanted = |name: &str| hint(&format!("eeaAddress.{name}"), "eeaAddress.addressLine");
    let missing = "`eeaAddress.addressLine` is missing";
    assert_eq!(
        line(r#""adressline2":"T25h""#),
        [warning(missing), warning(&hint("eeaAddress.adressline2", "eeaAddress.addressLine2"))]
    );
    assert_eq!(
        line(r#""addressLine1":"T25h","addressLine2":"T25h""#),
        [warning(&format!("{missing}; {}", wanted("addressLine1")))]
    );
    assert_eq!(
        line(r#""adressLine":"T25h","adressLine2":"T25h""#),
        [
            warning(&format!("{missing}; {}", wanted("adressLine"))),
            warning(&hint("eeaAddress.adressLine2", "eeaAddress.addressLine2")),
        ]
    );
    // `status` is two edits from `state`, which is too many for a short optional name.
    assert_eq!(line(r#""addressLine":"T25h","status":"1""#), []);
    // Text that cannot be a name is never repeated in a finding.
    assert_eq!(line(r#""address&Line=":"T25h""#), [warning(missing)]);
}

#[test]
fn all_missing_nested_fields_are_reported() {
    let all = ["addressLine", "cityCode", "postcode", "countryCode"];
    let missing = all.map(|name| warning(&format!("`eeaAddress.{name}` is missing")));
    assert_eq!(address("{}"), missing);
    assert_eq!(address(r#"{"addressLine":null,"postcode":null}"#), missing);
    // The other fields are still checked, and the fields of a missing object are not reported.
    let found = findings("createCardholder", r#"{"email":"none"}"#);
    assert!(found.contains(&warning("`eeaAddress` is missing")), "{found:?}");
    assert!(found.iter().any(|(_, text)| text.starts_with("`email` should be")), "{found:?}");
    assert!(!found.iter().any(|(_, text)| text.contains("eeaAddress.")), "{found:?}");
    // A missing amount does not hide the findings for other fields.
    for amount in ["", r#","amount":null"#] {
        assert_eq!(
            findings("topup", &format!(r#"{{"cardId":"","orderNo":"T","currency":"EURO"{amount}}}"#)),
            [
                error("`amount` is missing"),
                error("`cardId` must not be empty"),
                warning("`currency` should be an ISO 4217 currency code, such as EUR; found a string of 4 characters"),
            ]
        );
    }
    // A field of an unexpected type is reported only once.
    assert_eq!(address("[]"), [error("`eeaAddress`: expected a JSON object; found an empty list")]);
}

#[test]
fn mistakes_nested_in_an_inferred_field_cause_only_warnings() {
    let person = r#"{"mobile":"+37060000000","address":{"addressLine":"T25h","cityCode":[],"postcode":"1"}}"#;
    let found = findings("createIndividual", person);
    assert_eq!(
        found,
        [
            warning("`address.countryCode` is missing"),
            warning("`address.cityCode`: expected a string or a number; found an empty list"),
        ]
    );
}

#[test]
fn input_that_is_not_a_json_object_is_described() {
    for (text, found) in [
        (" \n", "whitespace only"),
        ("\u{feff}{}", "a byte order mark before the object"),
        ("5", "a number"),
        ("null", "null"),
        ("[{\"cardId\":\"SECRET\"}]", "a list of 1 item"),
        (r#""SECRET""#, "a string of 6 characters"),
        (r#""{\"cardId\":\"SECRET\"}""#, "a JSON string that contains a JSON object; it was serialized twice"),
        ("cardId=SECRET&amount=1", "form-encoded text"),
        ("%7B%22cardId%22%3A%22SECRET%22%7D", "URL-encoded text"),
        ("<?xml version='1.0'?><SECRET/>", "XML"),
        ("<SECRET/>", "XML"),
        (" <!DOCTYPE html><p>SECRET", "HTML"),
        ("<HTML>SECRET", "HTML"),
        ("eyJjYXJkSWQiOiJTRUNSRVQifQ==", "a JSON object in base64; decode it first"),
        ("eyJjYXJkSWQiOiJTRUNSRVQifQ", "a JSON object in base64; decode it first"),
        ("U0VDUkVUIFNFQ1JFVA==", "base64"),
        ("7b22636172644964223a22534543524554227d", "hexadecimal digits"),
        ("{\0\"\0", "UTF-16"),
        ("'SECRET'", "text in single quotes"),
        ("\u{feff}[", "a byte order mark before other text"),
        ("[object Object]", "the text that JavaScript prints for an object; use JSON.stringify"),
        ("SECRET text", "plain text of 11 characters"),
        (r#"{"cardId":"SECRET"#, "an object that is cut off at byte 17"),
        (r#"{"cardId":"1","#, "an object that is cut off at byte 14"),
        (r#"{"a":tru"#, "an object that is cut off at byte 8"),
        (r#"[{"cardId":"1""#, "a list that is cut off at byte 14"),
        (r#"{"cardId":"1",}"#, "an object with a trailing comma at byte 13"),
        (r#"{"a":[1, ],"b":1}"#, "an object with a trailing comma at byte 7"),
        ("{'cardId':'SECRET'}", "an object with single quotes at byte 1; JSON uses double quotes"),
        ("{'cardId': 'SECRET', 'memo': None}", "an object in Python's print format at byte 1; use json.dumps"),
        (r#"{"cardId":"1","memo":None}"#, "an object with a Python literal at byte 21; JSON uses true, false and null"),
        (r#"b'{"cardId":"SECRET"}'"#, "a Python bytes literal; pass the bytes themselves"),
        ("{cardId:\"SECRET\"}", "an object with an unquoted word at byte 1"),
        (r#"{"a":NaN}"#, "an object with an unquoted word at byte 5"),
        ("{cardId=SECRET, amount=1}", "an object with equals signs instead of colons at byte 1"),
        ("{\u{201c}cardId\u{201d}:1}", "an object with typographic quotes at byte 1; JSON uses straight double quotes"),
        (r#"{"a":1 // SECRET"#, "an object with a comment at byte 7"),
        (r#"{"a":01}"#, "an object with an invalid number at byte 5"),
        (r#"{"a":+1}"#, "an object with an invalid number at byte 5"),
        ("{\"a\":\"SEC\nRET\"}", "an object with a control character in a string at byte 9; use an escape sequence"),
        (r#"{"a":"\x41"}"#, "an object with an invalid escape in a string at byte 6"),
        (r#"{"a":"\ud83d SECRET"}"#, "an object with half of a surrogate pair in a string at byte 6"),
        (r#"{"a":"\ud83d\ude00",}"#, "an object with a trailing comma at byte 19"),
        (r#"{"a":1}{"b":2}"#, "an object with more text after its end at byte 7"),
        (r#"{"a":1}}"#, "an object with more text after its end at byte 7"),
        (r#"{"a":1 "b":2}"#, "an object with a syntax error at byte 7"),
        (r#"{"a" 1}"#, "an object with a syntax error at byte 5"),
        // The first mistake is described, not a later one.
        (r#"{"a" 1,'b':2,}"#, "an object with a syntax error at byte 5"),
        (r#"{"a":1,}x'"#, "an object with a trailing comma at byte 6"),
        (r#"{"a":}"#, "an object with a syntax error at byte 5"),
        (r#"{"a":1]"#, "an object with a syntax error at byte 6"),
    ] {
        assert_eq!(findings("topup", text), [error(&format!("expected a JSON object; found {found}"))], "{text}");
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let text = "expected a JSON object; found an object that is nested more than 127 levels deep";
    assert_eq!(findings("topup", &deep), [error(text)]);
}

/// No input causes a panic, and no finding contains a line break or a part of the request.
#[test]
fn findings_are_one_line_for_any_input() {
    let check = |text: &str| {
        for (_, finding) in findings("createCardholder", text) {
            assert!(!finding.contains(['\n', '\r', '&', '=']) && !finding.contains("SECRET"), "{finding}");
        }
    };
    let request = r#"{"mobile":"SECRET\ud83d\ude00","eeaAddress":{"state":"Ž"},"x":[true,{"y":'é'}],"z":None,}"#;
    for (at, _) in request.char_indices() {
        check(&request[..at]);
        check(&request[at..]);
    }
    let words = "SECRET|\"eeaAddress\":|true|None|ud83d|//|b'|\"state\"";
    let part = prop_oneof![r#"[{}\[\],:"'0a\\ué“=#/%<. -]"#, words];
    let text = prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat());
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(text in text)| {
        check(&text);
        check(&format!("{{{text}"));
    });
}
