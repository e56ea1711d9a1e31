//! Explains any body, as an envelope and as a body whose signature covers different data.

#![no_main]

use std::sync::LazyLock;

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use paytend_crypto::{Kind, OsRandom, rustcrypto};
use paytend_webhook::Provider;
use paytend_webhook::explain::{KeyShelf, explain, explain_envelope};
use paytend_webhook::testing::DetachedSender;

static SIGNED: LazyLock<(KeyShelf, HeaderValue)> = LazyLock::new(|| {
    let key = rustcrypto::generate(1024, &OsRandom).expect("a key can be generated");
    let sent = DetachedSender::new(&key)
        .and_then(|sender| sender.raw(r#"{"a": 1.50, "b": ["x"]}"#))
        .expect("the request can be signed");
    let shelf = KeyShelf::new().sender("sender", key.public_key().to_spki_der()).expect("valid sender key");
    let shelf = shelf.own("own", key.pkcs1_der()).expect("valid local key");
    (shelf, sent.headers()["sign"].clone())
});

fuzz_target!(|body: &[u8]| {
    if body.len() > 65_536 {
        return;
    }
    let (shelf, sign) = &*SIGNED;
    let headers = HeaderMap::from_iter([("sign".parse().expect("valid header name"), sign.clone())]);
    let explanation = explain(Provider::PayBy, &headers, body, shelf);
    assert_eq!(explanation.authentic(), body == br#"{"a": 1.50, "b": ["x"]}"#, "{explanation}");
    for kind in Kind::ALL {
        let explanation = explain_envelope(kind, true, body, shelf);
        assert!(!explanation.authentic() && !explanation.findings().is_empty());
    }
});
