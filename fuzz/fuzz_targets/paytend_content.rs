//! Seals arbitrary content as Paytend would, and receives the notification. The first byte selects the notification
//! type.

#![no_main]

use std::sync::LazyLock;
use std::time::SystemTime;

use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use paytend_crypto::{Fields, Keyring, Outgoing};
use paytend_fuzz::{NoSecurity, PARTNER_ID};
use paytend_model::{Content, Notification, Product};
use paytend_webhook::{PaytendReceiver, Receiver};

static KEYRING: LazyLock<Keyring> = LazyLock::new(NoSecurity::keyring);

fuzz_target!(|input: &[u8]| {
    let Some((kind, content)) = input.split_first() else { return };
    let Ok(content) = std::str::from_utf8(content) else { return };
    let product = if kind & 1 == 0 { Product::Baas } else { Product::Issuing };
    let notify_type = (kind >> 1).to_string();
    let fields = Fields::notification(PARTNER_ID, &notify_type);
    // Skip content that cannot be sealed, because a receiver would refuse it.
    let Ok(sealed) = KEYRING.seal(&Outgoing::new(&fields).payload(content)) else { return };
    let receiver = PaytendReceiver::new(product, PARTNER_ID, KEYRING.clone()).with_max_bytes(16 << 20);
    let document = sealed.into_document();
    let verified = receiver
        .receive(&HeaderMap::new(), document.as_bytes(), SystemTime::UNIX_EPOCH)
        .expect("the sealed content was refused");
    assert_eq!(verified.content(), content.as_bytes());
    // Writing a typed notification and reading it again must return the same value.
    match verified.notification() {
        Content::Typed(typed) => {
            assert_eq!(typed.notify_type(), notify_type);
            if let Ok(written) = typed.content() {
                assert_eq!(
                    Notification::read(product, &notify_type, written.as_bytes()),
                    Content::Typed(typed.clone())
                );
            }
        }
        Content::Unreadable(raw) | Content::Unknown(raw) => assert_eq!(raw.content, content.as_bytes()),
    }
});
