//! Any document, opened as each kind: what is accepted has a signed text with a single reading, so its fields and payload, sealed again,
//! have the same text. Lines of `name=value` are sealed too.

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
            // Sealing is strict.
            let (Some(payload), None) = (opened.payload_text(), opened.payload_problem()) else { continue };
            let outgoing = Outgoing::new(&fields).payload(payload);
            let sealed = KEYRING.seal(&outgoing).expect("what was accepted can be sealed");
            let text = sealed.canonical(payload);
            // The session key is another one.
            if opened.session_key().is_empty() {
                continue;
            }
            let key = |text: &str, key: &str| text.replacen(&format!("randomKey={key}"), "randomKey=", 1);
            let again = KEYRING.open(sealed.document().as_bytes(), &Expected::danger_any_partner(kind)).expect("again");
            assert_eq!(
                key(&text, again.session_key()),
                key(&String::from_utf8_lossy(&opened.canonical()), opened.session_key())
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
            let expected = Expected::danger_any_partner(kind).max_bytes(16 << 20);
            let opened = KEYRING.open(sealed.document().as_bytes(), &expected).expect("what is sealed is opened");
            assert_eq!(opened.payload_text(), Some(payload));
            for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
                assert_eq!(opened.field(name), Some(value));
            }
        }
    }
});
