//! Test keys and helpers. The keys are those of `vectors/keys.json`, made for tests alone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use paytend_crypto::rsa::{RsaPrivate, RsaPublic};
use paytend_crypto::{Keyring, PrivateKey, PublicKey, rustcrypto};
use serde_json::Value;

pub(crate) const PARTNER_ID: &str = "888666000100260";

/// `vectors/` of the repository.
pub(crate) fn vectors_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors")
}

pub(crate) fn read_vectors(file: &str) -> Value {
    let path = vectors_dir().join(file);
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

pub(crate) struct TestKey {
    pub(crate) data: Value,
    pub(crate) material: PrivateKey,
    pub(crate) private: Arc<dyn RsaPrivate>,
    pub(crate) public: Arc<dyn RsaPublic>,
}

pub(crate) static KEYS: LazyLock<BTreeMap<String, TestKey>> = LazyLock::new(|| {
    let Value::Object(keys) = read_vectors("keys.json") else { panic!("keys.json is an object") };
    keys.into_iter()
        .filter(|(_, data)| data.is_object())
        .map(|(name, data)| {
            let material = PrivateKey::from_text(data["private"].as_str().unwrap()).unwrap();
            let public = PublicKey::from_text(data["public"].as_str().unwrap()).unwrap();
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

/// The keyring of `own`, facing `peer`.
pub(crate) fn keyring(own: &str, peer: &str) -> Keyring {
    Keyring::builder().own_key(Arc::clone(&key(own).private)).peer_key(Arc::clone(&key(peer).public)).build().unwrap()
}

pub(crate) fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_else(|| panic!("{name} in {case}"))
}
