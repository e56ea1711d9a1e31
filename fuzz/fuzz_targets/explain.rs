//! Runs `explain` on each arbitrary body twice: as an envelope, and as a body whose signature covers different data.

#![no_main]

use std::sync::LazyLock;

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use paytend_crypto::{Kind, OsRandom, rustcrypto};
use paytend_webhook::Provider;
use paytend_webhook::explain::{KnownKeys, explain, explain_envelope};
use paytend_webhook::testing::DetachedSender;

static SIGNED: LazyLock<(KnownKeys, HeaderValue)> = LazyLock::new(|| {
    let key = rustcrypto::generate(1024, &OsRandom).expect("a key");
    let sent =
        DetachedSender::new(&key).and_then(|sender| sender.raw(r#"{"a": 1.50, "b": ["x"]}"#)).expect("a request");
    let keys = KnownKeys::new().sender("sender", key.public_key().spki_der()).expect("a key");
    let keys = keys.own("own", key.pkcs1_der()).expect("a key");
    (keys, sent.headers()["sign"].clone())
});

fuzz_target!(|body: &[u8]| {
    if body.len() > 65_536 {
        return;
    }
    let (keys, sign) = &*SIGNED;
    let headers = HeaderMap::from_iter([("sign".parse().expect("a name"), sign.clone())]);
    let explanation = explain(Provider::PayBy, &headers, body, keys);
    assert_eq!(explanation.authentic(), body == br#"{"a": 1.50, "b": ["x"]}"#, "{explanation}");
    for kind in Kind::ALL {
        let explanation = explain_envelope(kind, true, body, keys);
        assert!(!explanation.authentic() && !explanation.findings().is_empty());
    }
});
