//! Receives an arbitrary document as a notification from Paytend.

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
                let opened = verified.opened().expect("the notification has no envelope");
                assert_eq!(opened.field("partnerId"), Some(PARTNER_ID));
                // The signed content is empty or exactly one object. Receiving the document again returns the same
                // deduplication key.
                let content = verified.content();
                if !content.is_empty() {
                    assert_eq!(paytend_json::object_end(content), Ok(content.len()));
                }
                assert_eq!(
                    receive().expect("the document was refused the second time").dedup_key(),
                    verified.dedup_key()
                );
                let _ = format!("{verified:?}");
            }
            Err(rejection) => {
                assert_ne!(rejection.to_http().status(), 200);
                let _ = rejection.to_string();
            }
        }
    }
});
