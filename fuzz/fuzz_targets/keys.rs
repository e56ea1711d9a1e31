//! Reads arbitrary bytes as public and private keys.

#![no_main]

use libfuzzer_sys::fuzz_target;
use paytend_crypto::{PrivateKey, PublicKey, keys, rustcrypto};

fuzz_target!(|data: &[u8]| {
    let form = keys::form(data);
    if let Ok(key) = PublicKey::from_bytes(data) {
        assert!(form.is_ok());
        let again = PublicKey::from_bytes(&key.to_spki_pem()).expect("cannot read a key that was read and written");
        assert_eq!(again.fingerprint(), key.fingerprint());
        let _ = rustcrypto::public(&key);
    }
    if let Ok(key) = PrivateKey::from_bytes(data) {
        assert!(form.is_ok());
        let again = PrivateKey::from_bytes(key.pkcs1_der()).expect("cannot read a key that was read and written");
        assert_eq!(again.public_key(), key.public_key());
        let _ = rustcrypto::private(&key);
    }
});
