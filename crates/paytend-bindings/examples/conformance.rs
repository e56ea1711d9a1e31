//! The conformance program in Rust. The output of every binding's conformance program must match the output of this
//! program.
//!
//! - `conformance vectors FILE`: runs all test vectors and writes the outcome of each case to FILE, one line per case;
//! - `conformance seal FILE`: seals messages of all kinds and writes them to FILE, for the other languages' programs to
//!   open;
//! - `conformance open FILE…`: opens messages sealed by the other languages' programs.

// The program panics on errors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paytend_bindings::{
    Code, Failure, Keyring, Kind, PrivateKey, PublicKey, Receiver, generate, hazmat_decrypt_blocks, keyring, kind,
    open, seal,
};
use paytend_vectors::PARTNER_ID;
use serde_json::{Value, json};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["vectors", file] => std::fs::write(file, vectors()).unwrap(),
        ["seal", file] => std::fs::write(file, sealed()).unwrap(),
        ["open", files @ ..] => files.iter().for_each(|file| open_all(file)),
        _ => panic!("usage: conformance vectors FILE | seal FILE | open FILE…"),
    }
}

fn private(name: &str) -> PrivateKey {
    PrivateKey::from_bytes(&paytend_vectors::keys()[name].private).unwrap()
}

fn ring(own: &str, peer: &str) -> Keyring {
    keyring(&[&private(own)], &[private(peer).public_key()]).unwrap()
}

fn kind_of(payload_field: &str) -> Kind {
    Kind::ALL.into_iter().find(|kind| kind.payload_field() == payload_field).unwrap()
}

fn partner(kind: Kind) -> Option<&'static str> {
    (kind != Kind::Response).then_some(PARTNER_ID)
}

fn outcome<T>(result: &Result<T, Failure>) -> &'static str {
    result.as_ref().map_or_else(|failure| failure.code().name(), |_| "ok")
}

fn vectors() -> String {
    let mut out = String::new();
    let mut line = |case: &str, outcome: &str| writeln!(out, "{case}: {outcome}").unwrap();
    for (name, key) in paytend_vectors::keys() {
        let fingerprint = private(&name).public_key().fingerprint();
        for text in [&key.private_pkcs1_pem, &key.private_pkcs8_pem] {
            assert_eq!(PrivateKey::from_bytes(text).unwrap().public_key().fingerprint(), fingerprint);
        }
        for text in [&key.public, &key.public_pkcs1_pem] {
            assert_eq!(PublicKey::from_bytes(text).unwrap().fingerprint(), fingerprint);
        }
        line(&format!("keys/{name}"), &fingerprint.to_string());
    }
    for case in paytend_vectors::envelope() {
        let (kind, ring) = (kind_of(&case.payload_field), ring(&case.receiver, &case.sender));
        let opened = open(&ring, kind, partner(kind), case.wire.as_bytes(), case.sign_payload, None);
        line(&format!("envelope/{}", case.name), outcome(&opened));
        let opened = opened.unwrap();
        assert_eq!(opened.payload(), case.payload.as_bytes());
        assert_eq!(**opened.canonical(), *case.canonical.as_bytes());
    }
    let own = ring("partner", "paytend");
    for case in paytend_vectors::refuse() {
        let kind = kind_of(&case.payload_field);
        line(&format!("refuse/{}", case.name), outcome(&open(&own, kind, partner(kind), &case.document, true, None)));
    }
    let public = |name: &str| private(name).public_key().clone();
    let payby = Receiver::payby(vec![public("payby").into()]).unwrap();
    let payermax = Receiver::payermax(vec![("P01010113842047".into(), public("payermax").into())]).unwrap();
    for case in paytend_vectors::detached() {
        let (receiver, now) =
            if case.key == "payby" { (&payby, 1_586_849_300_000) } else { (&payermax, 1_670_837_217_628) };
        let headers = [("Sign", case.sign.as_bytes())];
        let received = receiver.receive(headers, &case.body(), Some(now)).map_err(|rejected| rejected.failure);
        assert_eq!(received.is_ok(), case.valid, "{}", case.name);
        let result: &str =
            received.as_ref().map_or_else(|_| outcome(&received), |notification| &notification.dedup_key);
        line(&format!("detached/{}", case.name), result);
    }
    for case in paytend_vectors::rsa_blocks() {
        let plain = hazmat_decrypt_blocks(&private(&case.key), &STANDARD.decode(&case.wire).unwrap()).unwrap();
        assert_eq!(&plain[..], case.plain.as_bytes());
        line(&format!("rsa_blocks/{}", case.name), "ok");
    }
    let theirs = ring("paytend", "partner");
    for sample in paytend_vectors::samples() {
        let fields = [("partnerId", PARTNER_ID), ("requestId", "0123456789abcdef0123456789abcdef")];
        let document = seal(&own, Kind::Request, fields, Some(&sample.json), true).unwrap();
        let opened = open(&theirs, Kind::Request, Some(PARTNER_ID), document.as_bytes(), true, None).unwrap();
        assert_eq!(opened.payload(), sample.json.as_bytes());
        line(&format!("samples/{}/{}", sample.document, sample.name), "ok");
    }
    for (name, outcome) in invalid_arguments(&own, &public("payby")) {
        line(&format!("arguments/{name}"), outcome);
    }
    out
}

/// Returns the outcomes of calls with invalid arguments, which must be the same in every language.
fn invalid_arguments(own: &Keyring, key: &PublicKey) -> Vec<(&'static str, &'static str)> {
    let opened = |kind, partner| outcome(&open(own, kind, partner, b"{}", true, None));
    let payby = |bytes, age| outcome(&Receiver::payby(vec![key.clone().into()]).unwrap().limited(bytes, age));
    vec![
        ("request without a partner", opened(Kind::Request, None)),
        ("request with an empty partner", opened(Kind::Request, Some(""))),
        ("response with a partner", opened(Kind::Response, Some(PARTNER_ID))),
        // Rust strings are always valid Unicode, so this program cannot make these calls. It writes the outcome that
        // the other programs must write.
        ("payload that is not Unicode", Code::Usage.name()),
        ("field that is not Unicode", Code::Usage.name()),
        ("receiver with an empty partner", outcome(&Receiver::paytend("baas", "", own.clone()))),
        ("PayerMax without a merchant", outcome(&Receiver::payermax(vec![(String::new(), key.clone().into())]))),
        ("PayBy without a key", outcome(&Receiver::payby(Vec::new()))),
        ("size limit of 0", payby(Some(0), None)),
        ("maximum age of 0", payby(None, Some(0))),
        ("512-bit key", outcome(&generate(512))),
    ]
}

/// A test message: kind, sender, receiver, fields, payload, and whether the payload is signed.
type Message = (Kind, &'static str, &'static str, Vec<(&'static str, &'static str)>, &'static str, bool);

/// Returns the messages that every language's conformance program seals.
fn messages() -> Vec<Message> {
    let mut messages = Vec::new();
    for (kind, sender, receiver, fields) in [
        (
            Kind::Request,
            "partner",
            "paytend",
            vec![("partnerId", PARTNER_ID), ("requestId", "0123456789abcdef0123456789abcdef")],
        ),
        (Kind::Response, "paytend", "partner", vec![("respCode", "00"), ("respMsg", "got it & more")]),
        (Kind::Notification, "paytend_2048", "partner_2048", vec![("partnerId", PARTNER_ID), ("notifyType", "2")]),
    ] {
        for (payload, signed) in
            [("", true), (r#"{"amount":"0.10","name":"Žalgirio & Söhne 中文 💶"}"#, true), (r#"{"a":1}"#, false)]
        {
            messages.push((kind, sender, receiver, fields.clone(), payload, signed));
        }
    }
    messages
}

fn sealed() -> String {
    let sealed: Vec<Value> = messages()
        .into_iter()
        .map(|(kind, sender, receiver, fields, payload, signed)| {
            let document = seal(&ring(sender, receiver), kind, fields, Some(payload), signed).unwrap();
            json!({
                "sender": sender,
                "receiver": receiver,
                "kind": name(kind),
                "payload": payload,
                "signed": signed,
                "document": document,
            })
        })
        .collect();
    Value::from(sealed).to_string()
}

fn name(kind: Kind) -> &'static str {
    ["request", "response", "notification"].into_iter().find(|name| crate::kind(name) == Ok(kind)).unwrap()
}

fn open_all(file: &str) {
    let sealed: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(sealed.len(), messages().len(), "{file}");
    for message in sealed {
        let text = |name: &str| message[name].as_str().unwrap();
        let kind = kind(text("kind")).unwrap();
        let ring = ring(text("receiver"), text("sender"));
        let signed = message["signed"].as_bool().unwrap();
        let opened = open(&ring, kind, partner(kind), text("document").as_bytes(), signed, None).unwrap();
        assert_eq!(opened.payload(), text("payload").as_bytes(), "{file}");
    }
}
