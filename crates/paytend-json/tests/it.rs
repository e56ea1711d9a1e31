//! Tests for `object_end` and `members`.

// Tests may panic.
#![allow(clippy::unwrap_used)]

use paytend_json::{Flaw, members, object_end};
use proptest::prelude::*;

/// Returns the names and values of the members, with invalid UTF-8 replaced.
fn member_texts(text: &[u8]) -> Vec<(String, String)> {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    members(text).unwrap().iter().map(|member| (lossy(member.name), lossy(member.value))).collect()
}

#[test]
fn object_end_is_found_in_json_that_is_not_strict() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for object in [
        b"{}".as_slice(),
        b" {\r\n}\t ",
        b"\xEF\xBB\xBF{\"a\":1}",
        br#"{"a":"\ud800"}"#,
        br#"{"a":"\ud800","a":"\x41"}"#,
        b"{\"a\":\"line\nbreak\0\"}",
        b"{\"a\":\"\xFF\xFE\"}",
        b"{\"a\":\"truncated \xE2\x82\"}",
        // GBK: the second byte of a character is a backslash, before the closing quote and elsewhere.
        b"{\"a\":\"\x81\x5C\"}",
        b"{\"a\":\"\x81\x5C\x81\x5C\",\"b\":\"\x81\x5Cx\"}",
        // A Latin-1 character before an escape.
        b"{\"a\":\"caf\xE9\\\"\"}",
        br#"{"a":NaN,"b":+1.0,"c":.5,"d":01,"e":[1e400,{"f":"}"}]}"#,
        br#"{"a":1,"a":2}"#,
        deep.as_bytes(),
    ] {
        let shown = String::from_utf8_lossy(&object[..object.len().min(60)]).into_owned();
        assert_eq!(object_end(object), Ok(object.len()), "{shown}");
        // The end must be the same if envelope fields follow the object.
        let text = [object, b"&notifyType=2&partnerId=1&x=}\"]}"].concat();
        assert_eq!(object_end(&text), Ok(object.len()), "{shown}");
        assert!(members(object).is_ok(), "{shown}");
    }
}

#[test]
fn input_that_is_not_exactly_one_object_is_rejected() {
    for (text, flaw) in [
        (b"".as_slice(), Flaw::Truncated),
        (b"[{}]", Flaw::NotAnObject),
        (b"\"{}\"", Flaw::NotAnObject),
        (b"\xEF\xBB\xBF\xEF\xBB\xBF{}", Flaw::NotAnObject),
        (b"{", Flaw::Truncated),
        (b"{\"a\":\"\\", Flaw::Truncated),
        (b"{\"a\":\"\\\"}", Flaw::Truncated),
        (b"{\"a\"}", Flaw::Syntax { at: 4 }),
        (b"{\"a\":}", Flaw::Syntax { at: 5 }),
        (b"{\"a\":]}", Flaw::Syntax { at: 5 }),
        (b"{\"a\":[}", Flaw::Syntax { at: 6 }),
        (b"{\"a\":[1}", Flaw::Syntax { at: 7 }),
        (b"{\"a\":{]", Flaw::Syntax { at: 6 }),
        (b"{,}", Flaw::Syntax { at: 1 }),
        (b"{\"a\":1,}", Flaw::Syntax { at: 7 }),
        (b"{\"a\":[1,]}", Flaw::Syntax { at: 8 }),
        (b"{'a':1}", Flaw::Syntax { at: 1 }),
        (b"{\"a\":1 2}", Flaw::Syntax { at: 7 }),
        (b"{\"a\":\x80}", Flaw::Syntax { at: 5 }),
    ] {
        let shown = String::from_utf8_lossy(text);
        assert_eq!(object_end(text), Err(flaw), "{shown}");
        assert_eq!(members(text), Err(flaw), "{shown}");
    }
    assert_eq!(members(b"{}{}"), Err(Flaw::Syntax { at: 2 }));
    assert_eq!(members(b"{} x"), Err(Flaw::Syntax { at: 3 }));
}

/// In the single-byte scan, 0x5C escapes the quote after it, so the string continues. In the byte-pair scan, 0x5C is
/// part of a character, so the string ends at the quote.
#[test]
fn end_that_depends_on_the_encoding_is_ambiguous() {
    let text = b"{\"a\":\"\x81\x5C\",\"b\":\"}\",\"c\":\"\x81\x5C\"}";
    assert_eq!(object_end(text), Ok(text.len()), "the single-byte scan does not find an object");
    // Both scans find an object, but with different ends. In the single-byte scan, the string continues to the last
    // quote, and the object ends at the last brace. In the byte-pair scan, the object ends at the first brace.
    let text = b"{\"a\":\"\x81\x5C\"}&x=\"}";
    assert_eq!(object_end(text), Err(Flaw::Ambiguous));
    // Only the byte-pair scan finds an object.
    let text = b"{\"a\":[\"\x81\x5C\",\"\x81\x5C\"]}";
    assert!(members(text).is_ok(), "the single-byte scan does not find an object");
    // Only the single-byte scan finds an object.
    let text = b"{\"a\":\"\x81\x5C\\\",\"b\":\"\"}";
    assert_eq!((object_end(text), members(text).is_ok()), (Ok(text.len()), true));
}

#[test]
fn only_members_of_the_outermost_object_are_returned() {
    let text = br#"{ "a" : {"x":[1,{"y":2}],"z":"}"} ,"b":[{"a":1}], "a":"\ud800","c":1e400,"d":{},"e":[]}"#;
    let expected = [
        (r#""a""#, r#"{"x":[1,{"y":2}],"z":"}"}"#),
        (r#""b""#, r#"[{"a":1}]"#),
        (r#""a""#, r#""\ud800""#),
        (r#""c""#, "1e400"),
        (r#""d""#, "{}"),
        (r#""e""#, "[]"),
    ];
    let shown = member_texts(text);
    assert_eq!(shown.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect::<Vec<_>>(), expected);
}

/// Generates input that contains both ordinary bytes and bytes that are significant to the scanner.
fn odd_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(b"\"\\{}[]:,& =\n\x00\x22\x5C\x81\xB1\xE2\x82\xAC\xEF\xBB\xBF\xFF1aA.+-".to_vec())
            .prop_map(|b| vec![b]),
        Just(b"\\ud800".to_vec()),
        Just(b"\\x41".to_vec()),
        Just(b"\x81\x5C\"".to_vec()),
        Just("€\\\"".as_bytes().to_vec()),
        Just(b"\"a\":\"".to_vec()),
        Just(b"\",\"b\":\"".to_vec()),
        Just(b"\"}&a=b".to_vec()),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn end_of_object_does_not_depend_on_following_bytes(inside in odd_bytes(), suffix in odd_bytes()) {
        let text = [b"{\"a\":\"".as_slice(), &inside, b"\"}", &suffix].concat();
        if let Ok(end) = object_end(&text) {
            prop_assert!(members(&text[..end]).is_ok() || members(&text[..end]) == Err(Flaw::Ambiguous));
            // Without the following bytes, the end is either the same or ambiguous.
            let alone = object_end(&text[..end]);
            prop_assert!(alone == Ok(end) || alone == Err(Flaw::Ambiguous), "{:?}", alone);
        }
    }

    /// If an object is valid UTF-8, no shorter prefix of it is an object.
    #[test]
    fn utf8_object_has_no_shorter_prefix_that_is_an_object(
        inside in "[\\x00-\\x7fé€😀]{0,30}",
        suffix in "[\\x00-\\x7f]{0,20}",
    ) {
        let text = format!("{{\"a\":\"{inside}\"}}{suffix}");
        let bytes = text.as_bytes();
        if let Ok(end) = object_end(bytes) {
            let body_end = bytes[..end].trim_ascii_end().len();
            for shorter in 0..body_end {
                prop_assert!(object_end(&bytes[..shorter]).is_err(), "{}", shorter);
            }
        }
    }

    /// `object_end` and `members` agree with serde_json on the objects that serde_json writes.
    #[test]
    fn strict_objects_have_the_members_that_serde_json_reads(
        names in prop::collection::vec(any::<String>(), 0..5),
        value in any::<String>(),
        number in any::<i64>(),
        suffix in "&[a-z=&{}\"]{0,20}",
    ) {
        let object: serde_json::Map<String, serde_json::Value> = names.into_iter()
            .map(|name| (name, serde_json::json!([value, number, {"x": value}]))).collect();
        let text = serde_json::Value::from(object.clone()).to_string();
        prop_assert_eq!(object_end(format!("{text}{suffix}").as_bytes()), Ok(text.len()));
        let read: serde_json::Map<String, serde_json::Value> = members(text.as_bytes()).unwrap().iter()
            .map(|member| (serde_json::from_slice(member.name).unwrap(), serde_json::from_slice(member.value).unwrap()))
            .collect();
        prop_assert_eq!(read, object);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in odd_bytes()) {
        let _ = (object_end(&bytes), members(&bytes));
        let object = [b"{".as_slice(), &bytes].concat();
        let _ = (object_end(&object), members(&object));
    }
}
