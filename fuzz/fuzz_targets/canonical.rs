//! Opens the input as each kind of message, and seals messages whose fields are the `name=value` lines of the input.
//!
//! The signed text of an accepted document is unambiguous. Sealing the document's fields and payload again must
//! therefore produce the same text.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use paytend_crypto::{Expected, Fields, Keyring, Kind, Outgoing};
use paytend_fuzz::NoSecurity;

static KEYRING: LazyLock<Keyring> = LazyLock::new(NoSecurity::keyring);

fuzz_target!(|input: &[u8]| {
    for kind in Kind::ALL {
        if let Ok(opened) = KEYRING.open(input, &Expected::danger_any_partner(kind)) {
            let fields = opened.fields().fold(Fields::new(kind), |fields, (name, value)| fields.with(name, value));
            // Skips a payload that is not strict JSON, because it cannot be sealed.
            let (Some(payload), None) = (opened.payload_text(), opened.payload_problem()) else { continue };
            let outgoing = Outgoing::new(&fields).payload(payload);
            let sealed = KEYRING.seal(&outgoing).expect("cannot seal the fields of an accepted document");
            let text = sealed.canonical(payload);
            // The new document has a different session key, so the signed texts are compared without their session
            // keys.
            if opened.session_key().is_empty() {
                continue;
            }
            let without_key = |text: &str, key: &str| text.replacen(&format!("randomKey={key}"), "randomKey=", 1);
            let again = KEYRING
                .open(sealed.document().as_bytes(), &Expected::danger_any_partner(kind))
                .expect("cannot open the sealed document");
            assert_eq!(
                without_key(&text, again.session_key()),
                without_key(&String::from_utf8_lossy(&opened.canonical()), opened.session_key())
            );
            assert!(again.fields().eq(opened.fields()));
        }
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (lines, payload) = text.split_once("\n\n").unwrap_or((text, ""));
    for kind in Kind::ALL {
        let fields = lines
            .lines()
            .filter_map(|line| line.split_once('='))
            .fold(Fields::new(kind), |fields, (name, value)| fields.with(name, value));
        if let Ok(sealed) = KEYRING.seal(&Outgoing::new(&fields).payload(payload)) {
            let expected = Expected::danger_any_partner(kind).with_max_bytes(16 << 20);
            let opened =
                KEYRING.open(sealed.document().as_bytes(), &expected).expect("cannot open the sealed document");
            assert_eq!(opened.payload_text(), Some(payload));
            for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
                assert_eq!(opened.field(name), Some(value));
            }
        }
    }
});
