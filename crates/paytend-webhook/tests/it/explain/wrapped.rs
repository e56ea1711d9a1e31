//! Tests for Paytend documents wrapped in other formats, bodies that are not documents, and AES keys that senders use
//! by mistake.

use super::*;

fn gzip(body: &[u8]) -> Vec<u8> {
    [b"\x1f\x8b\x08\0\0\0\0\0\0\x03", &miniz_oxide::deflate::compress_to_vec(body, 6)[..], &[0; 8]].concat()
}

#[test]
fn wrapped_document_is_unwrapped_and_reported() {
    let document = Sender::new().send_valid();
    let text = String::from_utf8(document.clone()).unwrap();
    let form = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let base64 = STANDARD.encode(&document);
    let lines = base64.as_bytes().chunks(76).collect::<Vec<_>>().join(&b"\r\n"[..]);
    let event = serde_json::json!({"body": base64, "isBase64Encoded": true}).to_string();
    let member = serde_json::json!({"body": text}).to_string();
    for (body, wrappings) in [
        (base64.clone().into_bytes(), vec![Wrapping::Base64]),
        (lines, vec![Wrapping::Base64]),
        (base64.replace('+', "-").replace('/', "_").into_bytes(), vec![Wrapping::Base64]),
        (serde_json::to_vec(&text).unwrap(), vec![Wrapping::JsonString]),
        (format!("data={form}&x=1").into_bytes(), vec![Wrapping::FormField]),
        (format!("{form}=").into_bytes(), vec![Wrapping::FormKey]),
        (form.clone().into_bytes(), vec![Wrapping::PercentEncoding]),
        (gzip(&document), vec![Wrapping::Compressed("gzip")]),
        (utf16, vec![Wrapping::Unicode("UTF-16LE")]),
        ([b"\xEF\xBB\xBF\xEF\xBB\xBF", &document[..]].concat(), vec![Wrapping::ByteOrderMark]),
        ([&document[..], b"\0"].concat(), vec![Wrapping::Nul]),
        (format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len()).into_bytes(), vec![Wrapping::Chunked]),
        (format!("b'{text}'").into_bytes(), vec![Wrapping::TextLiteral]),
        (text.replace('"', "&quot;").into_bytes(), vec![Wrapping::HtmlEntities]),
        (event.into_bytes(), vec![Wrapping::Member]),
        (member.into_bytes(), vec![Wrapping::Member]),
        (format!("INFO {text}").into_bytes(), vec![Wrapping::Surrounded]),
        (text.replace('"', "'").into_bytes(), vec![Wrapping::StructureLiteral]),
        (STANDARD.encode(gzip(&document)).into_bytes(), vec![Wrapping::Base64, Wrapping::Compressed("gzip")]),
        (serde_json::to_vec(&base64).unwrap(), vec![Wrapping::Base64]),
    ] {
        let explanation = explain_document(&body);
        let expected: Vec<Finding> = wrappings.into_iter().map(Finding::Wrapped).collect();
        assert_found(&explanation, &expected);
        assert!(explanation.signed_text().is_some_and(|text| text.starts_with(b"content=")), "{explanation}");
        assert_eq!(explanation.fixes().len(), expected.len(), "{explanation}");
    }
}

#[test]
fn errors_in_a_wrapped_document_are_reported() {
    let mut sender = Sender::new();
    sender.aes_key = vec![7; 16];
    let body = STANDARD.encode(sender.send_valid());
    assert_found(&explain_document(body.as_bytes()), &[Finding::Wrapped(Wrapping::Base64), Finding::Aes128]);
}

#[test]
fn truncated_and_padded_aes_keys_are_reported() {
    let mut sender = Sender::new();
    sender.aes_key = sender.session_key[..16].to_vec();
    assert_found(&explain_document(&sender.send_valid()), &[Finding::Aes128Truncated]);
    let mut sender = Sender::new();
    sender.aes_key = [&sender.session_key[..], &[0; 8]].concat();
    assert_found(&explain_document(&sender.send_valid()), &[Finding::Aes256Padded]);
}

#[test]
fn kind_of_a_non_json_body_is_reported() {
    for (body, kind) in [
        (&b""[..], BodyKind::Empty),
        (b" \r\n", BodyKind::Empty),
        (b"<!DOCTYPE html><html><body>502</body></html>", BodyKind::Html),
        (b"<?xml version=\"1.0\"?><a/>", BodyKind::Xml),
        (b"partnerId=1&content=x", BodyKind::Form),
        (b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--", BodyKind::Multipart),
        (b"-----BEGIN PUBLIC KEY-----\nMIGf\n-----END PUBLIC KEY-----", BodyKind::Pem),
        (b"eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln", BodyKind::Jwt),
        (b"aGVsbG8gd29ybGQgdGhpcyBpcyBub3QgSlNPTg==", BodyKind::Base64),
        (b"68656c6c6f", BodyKind::Hex),
        (b"[object Object]", BodyKind::Placeholder("[object Object]")),
        (b"System.Byte[]", BodyKind::Placeholder("System.Byte[]")),
        (b"{partnerId=8 8, content=x y}", BodyKind::Structure("Java's Map.toString")),
        (b"map[content:x]", BodyKind::Structure("Go's map")),
        (b"\x1f\x8b\x08broken", BodyKind::Compressed("gzip")),
        (b"[1,2]", BodyKind::JsonArray),
        (b"\"text\"", BodyKind::JsonString),
        (b"null", BodyKind::JsonScalar),
        (b"{\"content\":\"abc", BodyKind::JsonCutOff),
        (b"{\"content\":,}", BodyKind::JsonBroken),
        (b"Service Unavailable", BodyKind::Text),
        (b"\x80\x81\x82\xff", BodyKind::Binary),
    ] {
        let explanation = explain_document(body);
        assert_found(&explanation, &[Finding::NotJson(kind)]);
        assert!(!explanation.to_string().contains("line 1 column 1"), "{explanation}");
        assert_eq!(BodyKind::of(body), kind);
    }
}

#[test]
fn pasted_sign_header_is_parsed() {
    for pasted in [
        "QUJDREVG",
        " QUJDREVG\r\n",
        "\"QUJDREVG\"",
        "sign: QUJDREVG",
        "SIGN=QUJDREVG",
        "'Sign: QUJDREVG'",
        "-H \"sign: QUJDREVG\"",
        "\"sign\": \"QUJDREVG\",",
        "sign => 'QUJDREVG'",
        "QUJD\n  REVG",
        "QUJD\\\nREVG",
        "\u{201c}QUJDREVG\u{201d}",
        "QUJD\u{200b}REVG",
        "> QUJD\n> REVG",
    ] {
        assert_eq!(pasted_sign(pasted).unwrap(), "QUJDREVG", "{pasted:?}");
    }
    // The base64 is not normalized, because a deviation may be the cause of the rejection.
    assert_eq!(pasted_sign("sign=QU-_%2B").unwrap(), "QU-_%2B");
    assert_eq!(pasted_sign("sign: \"\""), Err(PastedSignError::Empty));
    assert_eq!(pasted_sign("a\u{1}b"), Err(PastedSignError::NotBase64));
    assert!(pasted_sign("AB+C/D==").unwrap() == "AB+C/D==");
}

/// Headers with similar names, and members of the body, are not mistaken for the signature.
#[test]
fn sign_header_is_found_among_similar_names() {
    for pasted in [
        "X-Hub-Signature: sha1=deadbeef\nSign: QUJDREVG",
        "x-amz-signature: foo\nsign: QUJDREVG",
        "curl -H 'sign: QUJDREVG' -d '{\"signature\":\"zzzz\"}'",
    ] {
        assert_eq!(pasted_sign(pasted).unwrap(), "QUJDREVG", "{pasted}");
    }
}

/// In each pasted text, `S` is replaced by the base64 of a signature. A deviation from standard base64 that remains in
/// the header must be reported.
#[test]
fn pasted_sign_header_is_verified_in_every_form() {
    let body = br#"{"a":7}"#;
    let sign = signed("payby", body)["sign"].to_str().unwrap().to_owned();
    assert!(sign.contains('+') && sign.contains('/') && sign.ends_with("=="), "{sign}");
    let lines = |end: &str| {
        let lines: Vec<&str> = sign.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        lines.join(end)
    };
    let replaced =
        |pairs: [(&str, &str); 3]| pairs.iter().fold(sign.clone(), |sign, (from, to)| sign.replace(from, to));
    let percent = replaced([("+", "%2B"), ("/", "%2F"), ("=", "%3D")]);
    let flaw = |flaw| vec![Finding::Base64 { field: "sign", flaw }];
    let mut forms: Vec<(String, Vec<Finding>)> = [
        "S",
        "'S'",
        "\"S\"",
        "`S`",
        "<S>",
        "<'S'>",
        " S\r\n",
        "sign: S",
        "sign:S",
        "Sign=S",
        "SIGN : S\r\n",
        "`sign: S`",
        "sign=\"S\"",
        "-H 'sign: S'",
        "-H \"Sign: S\"",
        "-H sign:S",
        "--header 'sign: S'",
        "--header='sign: S'",
        "--sign S",
        "--sign='S'",
        "curl -X POST -H 'content-type: application/json' -H 'sign: S' --data @body https://example.com/a?sign=1",
        "curl https://example.com \\\n  -H 'accept: */*' \\\n  -H 'sign: S' \\\n  --data-raw '{}'",
        "\"sign\":\"S\"",
        "\"sign\": \"S\",",
        "{\"sign\":\"S\"}",
        "{ 'Sign': 'S' }",
        "{\"content-type\":\"application/json\",\"sign\":\"S\",\"host\":\"example.com\"}",
        "{\\\"sign\\\":\\\"S\\\"}",
        "['sign' => 'S']",
        "host: example.com\r\nsign: S\r\ncontent-length: 7\r\n\r\n{\"a\":7}",
        "> host: example.com\n> sign: S\n> content-length: 7\n",
        "sign:\n  S\n",
        "\u{200b}S\u{feff}",
        "sign\u{ff1a} \u{201c}S\u{201d}",
        "&quot;sign&quot;:&quot;S&quot;",
    ]
    .map(|form| {
        (
            form.replace('S', &sign).replace(&format!("{sign}ign"), "Sign").replace(&format!("{sign}IGN"), "SIGN"),
            Vec::new(),
        )
    })
    .into();
    forms.extend(
        ["\n", "\r\n", "\n  ", "\r\n\t", "\\n", "\\\n", " \n ", "\u{200b}"].map(|end| (lines(end), Vec::new())),
    );
    forms.push((format!("sign: {}\r\n", lines("\r\n ")), Vec::new()));
    forms.push((format!("\"{}\"", lines("\n")), Vec::new()));
    for pairs in [
        [("+", "&#43;"), ("/", "&#x2F;"), ("=", "&#61;")],
        [("+", "&#x2b;"), ("/", "&#47;"), ("=", "&#x3D;")],
        [("+", "&plus;"), ("/", "&sol;"), ("=", "&equals;")],
        [("+", "&amp;#43;"), ("/", "/"), ("=", "=")],
        [("+", "+"), ("/", "\\/"), ("=", "=")],
        [("+", "\\u002B"), ("/", "\\u002F"), ("=", "\\u003D")],
        [("+", "\\u002b"), ("/", "\\/"), ("=", "\\u003d")],
    ] {
        forms.push((replaced(pairs), Vec::new()));
        forms.push((format!("\"sign\":\"{}\"", replaced(pairs)), Vec::new()));
    }
    for percent in [percent.clone(), format!("sign={percent}"), format!("'{percent}'")] {
        forms.push((percent, flaw(Base64Flaw::PercentEncoded)));
    }
    let spaces = sign.replace('+', " ");
    forms.push((spaces.clone(), flaw(Base64Flaw::Spaces)));
    forms.push((format!("sign: {spaces}\r\n"), flaw(Base64Flaw::Spaces)));
    forms.push((format!("\"{spaces}\""), flaw(Base64Flaw::Spaces)));
    forms.push((sign.replace('+', "-").replace('/', "_"), flaw(Base64Flaw::UrlAlphabet)));
    let mut wrong = Vec::new();
    for (pasted, findings) in forms {
        let header = pasted_sign(&pasted).unwrap_or(HeaderValue::from_static("refused"));
        let headers = HeaderMap::from_iter([("sign".parse().unwrap(), header.clone())]);
        let explanation = explain(Provider::PayBy, &headers, body, &detached_keys());
        if !explanation.authentic() || explanation.findings() != findings {
            wrong.push(format!("{pasted:?} is {header:?}: {explanation}"));
        }
    }
    assert!(wrong.is_empty(), "{}: {}", wrong.len(), wrong.join("\n\n"));
    for (pasted, expected) in [
        ("sign: ", Err(PastedSignError::Empty)),
        ("-H 'sign: ' -H 'host: x'", Err(PastedSignError::Empty)),
        ("{\"sign\":\"\",\"host\":\"x\"}", Err(PastedSignError::Empty)),
        ("QUJDsign==", Ok("QUJDsign==")),
        ("QU/sign=", Ok("QU/sign=")),
    ] {
        assert_eq!(
            pasted_sign(pasted).as_ref().map(|value| value.to_str().unwrap()),
            expected.as_ref().copied(),
            "{pasted:?}"
        );
    }
}

#[test]
fn signed_body_that_parsers_reject_is_authentic_with_a_finding() {
    for (body, finding) in [
        (&b"{\"memo\":\"Jos\xe9\"}"[..], Finding::NotUtf8 { at: 12 }),
        (b"\xEF\xBB\xBF{}", Finding::ByteOrderMark),
        (b"{\"memo\":\"\\ud83e\"}", Finding::LoneSurrogate),
        (b"a=1", Finding::NotJson(BodyKind::Form)),
    ] {
        let explanation = explain(Provider::PayBy, &signed("payby", body), body, &detached_keys());
        assert_eq!(explanation.verdict(), Verdict::AuthenticBut(&[finding]));
        assert!(explanation.authentic() && explanation.to_string().starts_with("The message is authentic, but:"));
    }
}
