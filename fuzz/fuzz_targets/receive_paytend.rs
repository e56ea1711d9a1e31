//! Any document, received as a notification of Paytend's.

#![no_main]

use std::sync::LazyLock;
use std::time::SystemTime;

use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use paytend_fuzz::{NoSecurity, PARTNER_ID};
use paytend_model::Product;
use paytend_webhook::{PaytendReceiver, Receiver};

static RECEIVERS: LazyLock<[PaytendReceiver; 2]> = LazyLock::new(|| {
    [Product::Baas, Product::Issuing].map(|product| PaytendReceiver::new(product, PARTNER_ID, NoSecurity::keyring()))
});

fuzz_target!(|document: &[u8]| {
    for receiver in &*RECEIVERS {
        let receive = || receiver.receive(&HeaderMap::new(), document, SystemTime::UNIX_EPOCH);
        match receive() {
            Ok(verified) => {
                let opened = verified.opened().expect("an envelope");
                assert_eq!(opened.field("partnerId"), Some(PARTNER_ID));
                // What was signed is one JSON object or nothing, and reads the same twice.
                if !verified.content().is_empty() {
                    let content = verified.content_text();
                    assert!(
                        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&content).is_ok()
                            || content.len() > 1000
                    );
                }
                assert_eq!(receive().expect("again").dedup_key(), verified.dedup_key());
                let _ = format!("{verified:?}");
            }
            Err(rejection) => {
                assert_ne!(rejection.response().status(), 200);
                let _ = rejection.to_string();
            }
        }
    }
});
