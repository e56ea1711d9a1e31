//! The test keys, and keyrings that use them.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use paytend_crypto::rsa::{RsaPrivate, RsaPublic};
use paytend_crypto::{Expected, Fields, Keyring, Outgoing, PrivateKey, PublicKey, rustcrypto};
use paytend_vectors::KeyCase;

pub(crate) use paytend_vectors::PARTNER_ID;

pub(crate) struct TestKey {
    pub(crate) data: KeyCase,
    pub(crate) material: PrivateKey,
    pub(crate) private: Arc<dyn RsaPrivate>,
    pub(crate) public: Arc<dyn RsaPublic>,
}

pub(crate) static KEYS: LazyLock<BTreeMap<String, TestKey>> = LazyLock::new(|| {
    paytend_vectors::keys()
        .into_iter()
        .map(|(name, data)| {
            let material = PrivateKey::from_bytes(&data.private).unwrap();
            let public = PublicKey::from_bytes(&data.public).unwrap();
            let key = TestKey {
                private: rustcrypto::private(&material).unwrap(),
                public: rustcrypto::public(&public).unwrap(),
                material,
                data,
            };
            (name, key)
        })
        .collect()
});

pub(crate) fn key(name: &str) -> &'static TestKey {
    KEYS.get(name).unwrap_or_else(|| panic!("no test key {name}"))
}

/// Returns the keyring with which `own` exchanges messages with `peer`.
pub(crate) fn keyring(own: &str, peer: &str) -> Keyring {
    Keyring::builder().own_key(Arc::clone(&key(own).private)).peer_key(Arc::clone(&key(peer).public)).build().unwrap()
}

/// Returns a fund deposit notification to the test partner, sealed by `sender`.
pub(crate) fn notification(sender: &Keyring, payload: &str) -> String {
    let fields = Fields::notification(PARTNER_ID, "2");
    sender.seal(&Outgoing::new(&fields).payload(payload)).unwrap().into_document()
}

/// Returns the `Expected` with which the test partner opens a notification.
pub(crate) fn expected() -> Expected {
    Expected::notification(PARTNER_ID)
}
