//! Any body, received as a notification of PayBy's.

#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use paytend_fuzz::NoSecurity;
use paytend_webhook::{PayByReceiver, Receiver};

static RECEIVER: LazyLock<PayByReceiver> = LazyLock::new(|| PayByReceiver::new([NoSecurity::public()]).expect("a key"));

fuzz_target!(|body: &[u8]| {
    let headers = HeaderMap::from_iter([("sign".parse().expect("a name"), HeaderValue::from_static("AAAA"))]);
    // The time of the samples.
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_670_837_217_628);
    match RECEIVER.receive(&headers, body, now) {
        Ok(verified) => {
            assert_eq!(verified.content(), body);
            assert_eq!(RECEIVER.receive(&headers, body, now).expect("again").dedup_key(), verified.dedup_key());
            if let Some(typed) = verified.notification().typed() {
                let written = serde_json::to_vec(typed).expect("what was read can be written");
                assert!(
                    RECEIVER
                        .receive(&headers, &written, now)
                        .expect("what was written")
                        .notification()
                        .typed()
                        .is_some()
                );
            }
            let _ = format!("{verified:?}");
        }
        Err(rejection) => assert_ne!(rejection.response().status(), 200),
    }
});
