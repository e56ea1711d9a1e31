//! Messages that fail in the usual ways, and what is said of each.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};
use paytend_crypto::hazmat::{DigestAlgorithm, encrypt_blocks};
use paytend_crypto::{Kind, Malformed, OsRandom, PrivateKey, PublicKey, detached, rustcrypto};
use paytend_vectors::PARTNER_ID;
use paytend_webhook::Provider;
use paytend_webhook::explain::{
    Base64Flaw, Change, Explanation, Finding, KeyShelf, TextChange, Wrapping, explain, explain_envelope,
};
use sha2::{Digest, Sha256};

fn key(name: &str) -> PrivateKey {
    PrivateKey::from_text(&paytend_vectors::keys()[name].private).unwrap()
}

/// The vectors' keys: the partner's own, Paytend's, and some that do not belong here.
fn shelf() -> KeyShelf {
    KeyShelf::new()
        .own("own", key("partner").to_pkcs8_pem().unwrap().as_bytes())
        .and_then(|shelf| shelf.sender("Paytend", key("paytend").public_key().to_spki_der()))
        .and_then(|shelf| shelf.other_private("sandbox", key("partner_2048").to_pkcs8_pem().unwrap().as_bytes()))
        .and_then(|shelf| shelf.other_public("PayBy", key("payby").public_key().to_spki_der()))
        .unwrap()
        .partner_id(PARTNER_ID)
}

/// A sender who may do anything wrong.
struct Sender {
    fields: Vec<(&'static str, String)>,
    content: Vec<u8>,
    /// What is signed as the content, if it is another text than what is encrypted.
    signed_content: Option<Vec<u8>>,
    session_key: Vec<u8>,
    aes_key: Vec<u8>,
    signs: PrivateKey,
    receives: PublicKey,
}

impl Sender {
    fn new() -> Self {
        let session_key = STANDARD.encode([7; 16]).into_bytes();
        let fields = [("notifyType", "2"), ("partnerId", PARTNER_ID), ("signType", "RSA"), ("version", "2.0")];
        Self {
            fields: fields.map(|(name, value)| (name, value.to_owned())).into(),
            content: r#"{"orderNo":"F1","amount":10.00,"name":"Žal & Söhne","url":"a/b"}"#.into(),
            signed_content: None,
            aes_key: session_key.clone(),
            session_key,
            signs: key("paytend"),
            receives: key("partner").public_key().clone(),
        }
    }

    /// The document, signed over what `text` makes of the fields' names and values and the wire's content and key.
    fn send(&self, text: impl Fn(NamedValues, &str, &str) -> Vec<u8>) -> Vec<u8> {
        let content = STANDARD.encode(encrypt(&self.aes_key, &self.content));
        let receives = rustcrypto::public(&self.receives).unwrap();
        let random_key = STANDARD.encode(encrypt_blocks(&*receives, &self.session_key, &OsRandom).unwrap());
        let mut fields: NamedValues =
            self.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes())).collect();
        fields.push(("content".into(), self.signed_content.as_ref().unwrap_or(&self.content).clone()));
        fields.push(("randomKey".into(), self.session_key.clone()));
        fields.sort();
        let signed = text(fields, &content, &random_key);
        let signs = rustcrypto::private(&self.signs).unwrap();
        let signature = STANDARD.encode(signs.sign_sha256(&Sha256::digest(signed).into()).unwrap());
        let mut document = serde_json::json!({"content": content, "randomKey": random_key, "signature": signature});
        for (name, value) in &self.fields {
            document[*name] = value.as_str().into();
        }
        document.to_string().into_bytes()
    }

    fn send_well(&self) -> Vec<u8> {
        self.send(|fields, _, _| join(fields))
    }
}

/// Names and values.
type NamedValues = Vec<(String, Vec<u8>)>;
type SignedText<'a> = &'a dyn Fn(NamedValues, &str, &str) -> Vec<u8>;

fn join(fields: NamedValues) -> Vec<u8> {
    let pairs = fields.into_iter().map(|(name, value)| [name.as_bytes(), b"=", &value].concat());
    pairs.collect::<Vec<_>>().join(&b'&')
}

fn encrypt(key: &[u8], plain: &[u8]) -> Vec<u8> {
    use aes::cipher::array::Array;
    use aes::cipher::{BlockCipherEncrypt, KeyInit};
    let padding = 16 - plain.len() % 16;
    let mut data = plain.to_vec();
    data.resize(plain.len() + padding, padding as u8);
    for block in data.chunks_mut(16) {
        let block: &mut Array<u8, _> = block.try_into().unwrap();
        match key.len() {
            16 => aes::Aes128::new_from_slice(key).unwrap().encrypt_block(block),
            _ => aes::Aes192::new_from_slice(key).unwrap().encrypt_block(block),
        }
    }
    data
}

fn of(document: &[u8]) -> Explanation {
    explain(Provider::Paytend, &HeaderMap::new(), document, &shelf())
}

#[track_caller]
fn assert_found(explanation: &Explanation, expected: &[Finding]) {
    assert_eq!(explanation.findings(), expected, "{explanation}");
    assert!(!explanation.authentic());
}

fn text(changes: &[TextChange], at: usize, field: &str) -> Finding {
    Finding::Text { changes: changes.to_vec(), at, field: Some(field.to_owned()) }
}

#[test]
fn what_is_authentic_needs_no_explanation() {
    let explanation = of(&Sender::new().send_well());
    assert!(explanation.authentic(), "{explanation}");
    assert_eq!(explanation.findings(), []);
    assert!(explanation.expected_text().unwrap().starts_with(b"content={\"orderNo\""));
    for case in paytend_vectors::envelope() {
        let kind = Kind::ALL.into_iter().find(|kind| kind.payload_field() == case.payload_field).unwrap();
        let keys = KeyShelf::new()
            .own("own", paytend_vectors::keys()[&case.receiver].private.as_bytes())
            .and_then(|shelf| shelf.sender("sender", paytend_vectors::keys()[&case.sender].public.as_bytes()))
            .unwrap();
        let explanation = explain_envelope(kind, case.sign_payload, case.wire.as_bytes(), &keys);
        assert!(explanation.authentic(), "{}: {explanation}", case.name);
        assert_eq!(explanation.signed_text().unwrap(), case.canonical.as_bytes(), "{}", case.name);
    }
}

/// Nothing of `refuse.json` is called authentic, and of everything something is said.
#[test]
fn everything_that_is_refused_has_an_explanation() {
    for case in paytend_vectors::refuse() {
        let kind = Kind::ALL.into_iter().find(|kind| kind.payload_field() == case.payload_field).unwrap();
        if case.document.len() > 1 << 20 {
            continue;
        }
        let explanation = explain_envelope(kind, true, &case.document, &shelf());
        assert!(!explanation.authentic() && !explanation.findings().is_empty(), "{}", case.name);
    }
}

#[test]
fn the_session_key_and_the_payload() {
    // AES-128 under what the session key stands for.
    let mut sender = Sender::new();
    sender.aes_key = vec![7; 16];
    assert_found(&of(&sender.send_well()), &[Finding::Aes128]);
    // The bytes instead of the text.
    let mut sender = Sender::new();
    sender.session_key = vec![7; 16];
    sender.aes_key = vec![7; 16];
    assert_found(&of(&sender.send_well()), &[Finding::SessionKey(16)]);
    // Encrypted for the sandbox's key.
    let mut sender = Sender::new();
    sender.receives = key("partner_2048").public_key().clone();
    assert_found(&of(&sender.send_well()), &[Finding::EncryptedForOther("sandbox".into())]);
    let mut sender = Sender::new();
    sender.receives = key("stranger").public_key().clone();
    let explanation = of(&sender.send_well());
    let unknown = Finding::EncryptedForUnknown { bytes: 128, expected: "128".into() };
    assert_found(&explanation, &[unknown, Finding::TextNotAtHand]);
    assert!(explanation.expected_text().is_none());
    // Another key than the one that is sent.
    let mut sender = Sender::new();
    sender.aes_key = vec![9; 24];
    assert_found(&of(&sender.send_well()), &[Finding::Payload, Finding::TextNotAtHand]);
    // No JSON object.
    let mut sender = Sender::new();
    sender.content = b"[1]".to_vec();
    assert!(matches!(of(&sender.send_well()).findings(), [Finding::PayloadJson(_)]));
}

#[test]
fn whose_signature_it_is() {
    let by = |name: &str| Sender { signs: key(name), ..Sender::new() }.send_well();
    // Another provider's key; the wrong side's; nobody's.
    assert_found(
        &of(&by("payby")),
        &[Finding::SignatureLength { bytes: 256, expected: "128".into() }, Finding::SignedByOther("PayBy".into())],
    );
    assert_found(&of(&by("partner")), &[Finding::SignedByOther("own (its public half)".into())]);
    assert_found(&of(&by("stranger")), &[Finding::SignedByUnknown]);
    // Another environment's: the same answer, by its name.
    let keys = shelf().other_public("Paytend sandbox", key("stranger").public_key().to_spki_der()).unwrap();
    let explanation = explain(Provider::Paytend, &HeaderMap::new(), &by("stranger"), &keys);
    assert_found(&explanation, &[Finding::SignedByOther("Paytend sandbox".into())]);
    // Our own public key, configured as Paytend's.
    let mixed = KeyShelf::new()
        .own("own", paytend_vectors::keys()["partner"].private.as_bytes())
        .and_then(|shelf| shelf.sender("Paytend", paytend_vectors::keys()["partner"].public.as_bytes()))
        .unwrap();
    let explanation = explain(Provider::Paytend, &HeaderMap::new(), &by("paytend"), &mixed);
    assert_found(
        &explanation,
        &[Finding::SamePair { own: "own".into(), sender: "Paytend".into() }, Finding::SignedByUnknown],
    );
    assert!(explanation.to_string().contains("the wrong side's key"));
}

#[test]
fn another_hash_is_named() {
    let mut document: serde_json::Value = serde_json::from_slice(&Sender::new().send_well()).unwrap();
    // PKCS#1 v1.5 with SHA-1, by the raw operation.
    let info = b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14";
    let mut block = vec![0xff; 128];
    block[..2].copy_from_slice(&[0, 1]);
    block[128 - 36..].copy_from_slice(&[&[0][..], info, &[5; 20]].concat());
    let mut signature = vec![0; 128];
    rustcrypto::private(&key("paytend")).unwrap().decrypt_raw(&block, &mut signature).unwrap();
    document["signature"] = STANDARD.encode(signature).into();
    assert_found(&of(document.to_string().as_bytes()), &[Finding::Digest(DigestAlgorithm::Sha1)]);
}

#[test]
fn the_signed_text_of_an_envelope() {
    let sender = Sender::new();
    let start = "content=".len() + sender.content.len();
    let replaced = |name: &'static str, with: &'static str| {
        move |mut fields: NamedValues, content: &str, key: &str| {
            let with = with.replace("CONTENT", content).replace("KEY", key);
            fields.iter_mut().filter(|(known, _)| known == name).for_each(|(_, value)| *value = with.clone().into());
            join(fields)
        }
    };
    let explained = |text: SignedText<'_>| of(&sender.send(text));
    let without = |name: &'static str| {
        move |mut fields: NamedValues, _: &str, _: &str| {
            fields.retain(|(known, _)| known != name);
            join(fields)
        }
    };
    let key_at = start + "&notifyType=2&partnerId=888666000100260&randomKey=".len();

    assert_found(&explained(&without("content")), &[text(&[TextChange::PayloadLeftOut], 0, "content")]);
    assert_found(&explained(&replaced("randomKey", "KEY")), &[text(&[TextChange::KeyEncrypted], key_at, "randomKey")]);
    let explanation = explained(&replaced("content", "CONTENT"));
    let [Finding::Text { changes, .. }] = explanation.findings() else { panic!("{explanation}") };
    assert_eq!(changes[..], [TextChange::PayloadEncrypted]);
    let explanation = explained(&without("randomKey"));
    let [Finding::Text { changes, at, field }] = explanation.findings() else { panic!("{explanation}") };
    assert_eq!((&changes[..], *at), (&[TextChange::KeyLeftOut][..], key_at - "randomKey=".len()));
    assert_eq!(field.as_deref(), Some("randomKey"));
    // notifyType and version have each other's value.
    let swapped = explained(&|mut fields, _, _| {
        fields.iter_mut().for_each(|(name, value)| match name.as_str() {
            "notifyType" => *value = b"2.0".to_vec(),
            "version" => *value = b"2".to_vec(),
            _ => {}
        });
        join(fields)
    });
    let expected = [TextChange::Swapped("notifyType".into(), "version".into())];
    assert_found(&swapped, &[text(&expected, start + "&notifyType=2".len(), "notifyType")]);
    let encoded = explained(&|mut fields, _, _| {
        fields.iter_mut().for_each(|(_, value)| {
            *value = percent_encoding::percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string().into();
        });
        join(fields)
    });
    assert!(
        matches!(encoded.findings(), [Finding::Text { changes, .. }] if changes[..] == [TextChange::PercentEncoded])
    );
    let reversed = explained(&|mut fields, _, _| {
        fields.reverse();
        join(fields)
    });
    assert!(matches!(reversed.findings(), [Finding::Text { changes, .. }] if changes[..] == [TextChange::FieldOrder]));
    for (end, change) in [("&", TextChange::LastAmpersand), ("\n", TextChange::LastNewline)] {
        let explanation = explained(&|fields, _, _| [join(fields), end.into()].concat());
        let at = explanation.expected_text().unwrap().len();
        assert_found(&explanation, &[text(&[change], at, "version")]);
        assert_eq!(explanation.signed_text().unwrap()[at..], *end.as_bytes());
    }
    // A text that nobody can guess.
    assert_found(&explained(&|_, _, _| b"nonsense".to_vec()), &[Finding::TextUnknown]);
    // A field that was changed on the way.
    let changed = String::from_utf8(sender.send_well()).unwrap().replace(r#""notifyType":"2""#, r#""notifyType":"3""#);
    assert_found(&of(changed.as_bytes()), &[Finding::TextUnknown]);
    // A field that was added.
    let added = String::from_utf8(sender.send_well()).unwrap().replacen('{', r#"{"traceId":"7","#, 1);
    let explanation = of(added.as_bytes());
    assert!(matches!(explanation.findings(),
        [Finding::Text { changes, .. }] if changes[..] == [TextChange::NotSigned("traceId".into())]));
}

/// The sender signed its payload, and something wrote it again before it was encrypted.
#[test]
fn a_payload_that_was_written_again() {
    for (signed, expected) in [
        (r#"{"orderNo": "F1", "amount": 10.00, "name": "Žal & Söhne", "url": "a/b"}"#, vec![Change::WhiteSpace]),
        (r#"{"amount":10.00,"name":"Žal & Söhne","orderNo":"F1","url":"a/b"}"#, vec![Change::Order]),
        (r#"{"orderNo":"F1","amount":10.0,"name":"Žal & Söhne","url":"a/b"}"#, vec![Change::Numbers]),
        (r#"{"orderNo":"F1","amount":10.00,"name":"Žal & Söhne","url":"a\/b"}"#, vec![Change::Escapes]),
        (
            r#"{"orderNo":"F1","amount":10,"name":"\u017dal & S\u00f6hne","url":"a/b"}"#,
            vec![Change::Escapes, Change::Numbers],
        ),
    ] {
        let sender = Sender { signed_content: Some(signed.into()), ..Sender::new() };
        let explanation = of(&sender.send_well());
        let [Finding::Text { changes, field, .. }] = explanation.findings() else { panic!("{explanation}") };
        assert_eq!(*changes, expected.into_iter().map(TextChange::Bytes).collect::<Vec<_>>(), "{signed}");
        assert_eq!(field.as_deref(), Some("content"));
    }
    let sender = Sender {
        signed_content: Some(encoding_rs_gbk("{\"name\":\"中文\"}")),
        content: "{\"name\":\"中文\"}".into(),
        ..Sender::new()
    };
    let explanation = of(&sender.send_well());
    assert!(explanation.to_string().contains("another charset (GBK)"), "{explanation}");
}

fn encoding_rs_gbk(text: &str) -> Vec<u8> {
    encoding_rs::GBK.encode(text).0.into_owned()
}

#[test]
fn the_document_and_its_base64() {
    let document = String::from_utf8(Sender::new().send_well()).unwrap();
    let wrapped = |bytes: &[u8]| of(bytes).findings().to_vec();
    for (bytes, wrapping) in [
        (format!("\u{feff}{document}"), Wrapping::ByteOrderMark),
        (serde_json::to_string(&document).unwrap(), Wrapping::JsonString),
        (
            format!("data={}", percent_encoding::utf8_percent_encode(&document, percent_encoding::NON_ALPHANUMERIC)),
            Wrapping::PercentEncoding,
        ),
    ] {
        let findings = wrapped(bytes.as_bytes());
        assert!(findings.contains(&Finding::Wrapped(wrapping)), "{findings:?}");
        assert!(matches!(findings[0], Finding::Malformed(_)));
        assert_eq!(findings.len(), 2);
    }
    // A bare signature in each wrong spelling; a `+` is there, or the test tests nothing.
    let parsed: serde_json::Value = serde_json::from_str(&document).unwrap();
    let with = |field: &str, change: &dyn Fn(&str) -> String| {
        let mut parsed = parsed.clone();
        parsed[field] = change(parsed[field].as_str().unwrap()).into();
        of(parsed.to_string().as_bytes()).findings().to_vec()
    };
    let signature = parsed["signature"].as_str().unwrap();
    assert!(signature.contains(['+']) && signature.ends_with('='), "{signature}");
    let flaw = |flaw| Finding::Base64 { field: "signature", flaw };
    assert_eq!(with("signature", &|s| s.replace('+', "-").replace('/', "_")), [flaw(Base64Flaw::UrlAlphabet)]);
    assert_eq!(with("signature", &|s| s.replace('+', " ")), [flaw(Base64Flaw::Spaces)]);
    assert_eq!(with("signature", &|s| format!("{}\n{}", &s[..76], &s[76..])), [flaw(Base64Flaw::Lines)]);
    assert_eq!(with("signature", &|s| s.trim_end_matches('=').to_owned()), [flaw(Base64Flaw::Padding)]);
    let encode = |s: &str| percent_encoding::utf8_percent_encode(s, percent_encoding::NON_ALPHANUMERIC).to_string();
    assert_eq!(with("signature", &encode), [flaw(Base64Flaw::PercentEncoded)]);
    assert_eq!(with("signature", &|_| "!".into()), [Finding::NotBase64("signature")]);
    assert_eq!(with("signature", &|_| String::new()), [Finding::Absent("signature")]);
    // randomKey may be percent-encoded.
    assert_eq!(with("randomKey", &encode), []);
    let other = document.replace(PARTNER_ID, "888666000100999");
    assert!(wrapped(other.as_bytes()).contains(&Finding::OtherValue("partnerId")));
    assert_eq!(wrapped(b"<html>"), [wrapped(b"<html>")[0].clone()]);
}

#[test]
fn keys_that_are_labelled_wrongly_are_named() {
    let keys = paytend_vectors::keys();
    let mislabelled = keys["paytend"].public_pkcs1_pem.replace("RSA PUBLIC KEY", "PUBLIC KEY");
    let shelf = KeyShelf::new()
        .own("own", keys["partner"].private_pkcs1_pem.as_bytes())
        .and_then(|shelf| shelf.sender("Paytend", mislabelled.as_bytes()))
        .unwrap();
    let explanation = explain(Provider::Paytend, &HeaderMap::new(), &Sender::new().send_well(), &shelf);
    assert!(explanation.authentic());
    let shown = explanation.to_string();
    assert!(shown.contains(r#"the key "own" is PKCS#1"#) && shown.contains("give it PKCS#8"), "{shown}");
    assert!(shown.contains(r#"labelled "PUBLIC KEY" and is PKCS#1"#), "{shown}");
    assert!(KeyShelf::new().own("own", b"no key").is_err());
}

fn signed(name: &str, body: &[u8]) -> HeaderMap {
    let sign = detached::sign(&*rustcrypto::private(&key(name)).unwrap(), body).unwrap();
    HeaderMap::from_iter([("sign".parse().unwrap(), HeaderValue::from_str(&sign).unwrap())])
}

fn detached_shelf() -> KeyShelf {
    KeyShelf::new()
        .sender("PayBy", key("payby").public_key().to_spki_der())
        .and_then(|shelf| shelf.other_public("PayerMax", key("payermax").public_key().to_spki_der()))
        .unwrap()
}

#[test]
fn a_body_that_was_changed_after_it_was_signed() {
    let compact = r#"{"b":"é/1","a":1250.50}"#;
    for (signed_body, here, expected) in [
        (format!("{compact}\n"), compact.to_owned(), vec![Change::NewlineLost]),
        (format!("{compact}\r\n"), compact.to_owned(), vec![Change::NewlineLost]),
        (compact.to_owned(), format!("{compact}\n"), vec![Change::WhiteSpaceAdded]),
        ("{\r\n}".to_owned(), "{\n}".to_owned(), vec![Change::LineEnds]),
        (format!("\u{feff}{compact}"), compact.to_owned(), vec![Change::ByteOrderMark]),
        (r#"{"b": "é/1", "a": 1250.50}"#.to_owned(), compact.to_owned(), vec![Change::WhiteSpace]),
        (compact.to_owned(), r#"{ "b" : "é/1" , "a":1250.50 }"#.to_owned(), vec![Change::WhiteSpace]),
        (r#"{"a":1250.50,"b":"é/1"}"#.to_owned(), compact.to_owned(), vec![Change::Order]),
        (compact.to_owned(), r#"{"b":"\u00e9\/1","a":1250.50}"#.to_owned(), vec![Change::Escapes]),
        (compact.to_owned(), r#"{"b":"é/1","a":1250.5}"#.to_owned(), vec![Change::Numbers]),
        (
            "{\n  \"b\": \"é/1\",\n  \"a\": 1250.50\n}\n".to_owned(),
            r#"{"b":"é/1","a":1250.5}"#.to_owned(),
            vec![Change::WhiteSpace, Change::Numbers, Change::NewlineLost],
        ),
        ("a b".to_owned(), "a+b".to_owned(), vec![Change::PlusAndSpace]),
        (compact.to_owned(), compact.replace('"', "%22"), vec![Change::PercentEncoding]),
    ] {
        let headers = signed("payby", signed_body.as_bytes());
        let explanation = explain(Provider::PayBy, &headers, here.as_bytes(), &detached_shelf());
        let [Finding::Text { changes, at, .. }] = explanation.findings() else { panic!("{here}: {explanation}") };
        assert_eq!(*changes, expected.into_iter().map(TextChange::Bytes).collect::<Vec<_>>(), "{here}");
        let differs = here.bytes().zip(signed_body.bytes()).take_while(|(a, b)| a == b).count();
        assert_eq!((*at, explanation.signed_text().unwrap()), (differs, signed_body.as_bytes()));
    }
    let latin1 = [b"{\"b\":\"".as_slice(), &[0xe9], b"\"}"].concat();
    let explanation =
        explain(Provider::PayBy, &signed("payby", &latin1), "{\"b\":\"é\"}".as_bytes(), &detached_shelf());
    assert!(explanation.to_string().contains("windows-1252"), "{explanation}");
}

#[test]
fn a_sign_header_by_somebody_else() {
    let body = b"{}";
    assert!(explain(Provider::PayBy, &signed("payby", body), body, &detached_shelf()).authentic());
    let of = |headers: &HeaderMap, body: &[u8]| explain(Provider::PayBy, headers, body, &detached_shelf());
    assert_found(&of(&signed("payermax", body), body), &[Finding::SignedByOther("PayerMax".into())]);
    let too_short = Finding::SignatureLength { bytes: 128, expected: "256".into() };
    assert_found(&of(&signed("stranger", body), body), &[too_short, Finding::SignedByUnknown]);
    assert_found(&of(&HeaderMap::new(), body), &[Finding::NoSign]);
    let mut twice = signed("payby", body);
    twice.append("sign", twice["sign"].clone());
    assert_found(&of(&twice, body), &[Finding::SeveralSigns]);
    let mut zipped = signed("payby", body);
    zipped.insert("content-encoding", HeaderValue::from_static("gzip"));
    assert_found(&of(&zipped, body), &[Finding::Compressed]);
    assert_found(&of(&signed("payby", b"{}"), b"{ \"x\": 1 }"), &[Finding::TextUnknown]);
    for case in paytend_vectors::detached() {
        let keys = KeyShelf::new().sender("it", paytend_vectors::keys()[&case.key].public.as_bytes()).unwrap();
        let headers = HeaderMap::from_iter([("sign".parse().unwrap(), HeaderValue::from_str(&case.sign).unwrap())]);
        let explanation = explain(Provider::PayBy, &headers, &case.body(), &keys);
        assert_eq!(explanation.authentic(), case.valid, "{}: {explanation}", case.name);
        assert_eq!(explanation.findings().is_empty(), case.valid, "{}", case.name);
    }
}

/// What a finding says is for a person to read; what a `Debug` shows is for a log.
#[test]
fn no_content_shows_in_what_is_found() {
    let mut sender = Sender::new();
    sender.content = br#"{"name":"CANARY"}"#.to_vec();
    sender.signed_content = Some(br#"{"name": "CANARY"}"#.to_vec());
    let explanation = of(&sender.send_well());
    let shown = format!("{explanation} {explanation:?} {:?}", shelf());
    assert!(!shown.contains("CANARY") && !shown.contains(&STANDARD.encode([7; 16])), "{shown}");
    assert!(String::from_utf8_lossy(explanation.signed_text().unwrap()).contains("CANARY"));
}

/// Names come from whoever sent the message; they are shown so that a terminal shows them, and does nothing else.
#[test]
fn names_are_shown_and_not_obeyed() {
    let good = String::from_utf8(Sender::new().send_well()).unwrap();
    let added = good.replacen('{', r#"{"a\u001b[2J":"1","#, 1);
    let shown = of(added.as_bytes()).to_string();
    assert!(shown.contains(r#""a\u{1b}[2J" was not signed"#), "{shown:?}");
    assert!(shown.contains(r#""a\u{1b}[2J" was not signed"#) && !shown.contains('\u{1b}'), "{shown}");
}

/// The receiver's limit is one of its reasons.
#[test]
fn what_is_too_large_is_not_called_authentic() {
    let body = format!("{{\"a\":\"{}\"}}", "x".repeat(70_000)).into_bytes();
    let explanation = explain(Provider::PayBy, &signed("payby", &body), &body, &detached_shelf());
    assert_found(&explanation, &[Finding::TooLarge { bytes: body.len(), limit: 65_536 }]);
    let generous = detached_shelf().max_bytes(100_000);
    assert!(explain(Provider::PayBy, &signed("payby", &body), &body, &generous).authentic());
    let large = Sender { content: body, ..Sender::new() }.send_well();
    let explanation = of(&large);
    assert!(matches!(explanation.findings()[0], Finding::Malformed(Malformed::TooLarge { .. })), "{explanation}");
    let generous = explain(Provider::Paytend, &HeaderMap::new(), &large, &shelf().max_bytes(1 << 20));
    assert!(generous.authentic(), "{generous}");
}

/// A message by nobody that is known costs nothing, however it is made; one by a known sender costs so much and no more.
#[test]
fn large_messages_are_explained_in_bounded_time() {
    let flat = format!("{{\"a\":[{}1]}}", "1,".repeat(30_000)).into_bytes();
    let deep = format!("{}{}1{}", "[".repeat(60), "1,".repeat(30_000), "]".repeat(60)).into_bytes();
    let start = std::time::Instant::now();
    for body in [&flat, &deep] {
        let explanation = explain(Provider::PayBy, &signed("stranger", body), body, &detached_shelf());
        assert!(explanation.findings().contains(&Finding::SignedByUnknown));
    }
    let fields: Vec<String> = (0..1000).map(|n| format!("\"f{n}\":\"{n}\"")).collect();
    let document = format!("{{\"signature\":\"AAAA\",{}}}", fields.join(","));
    assert!(!of(document.as_bytes()).authentic());
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());

    let large = vec![b' '; 4 << 20];
    let explanation = explain(Provider::PayBy, &signed("payby", b"{}"), &large, &detached_shelf().max_bytes(8 << 20));
    assert_found(&explanation, &[Finding::TextTooLarge]);
    let explanation =
        explain(Provider::PayBy, &signed("payby", b"{}"), &large[..1 << 19], &detached_shelf().max_bytes(1 << 20));
    assert_found(&explanation, &[Finding::TextUnknown]);
    let explanation = explain(Provider::PayBy, &signed("payby", b"{}"), &deep, &detached_shelf());
    assert_found(&explanation, &[Finding::TextTooLarge]);
}
