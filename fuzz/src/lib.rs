//! Keys that perform no cryptography, for fuzzing only.
//!
//! Encryption leaves its input unchanged, and every signature is valid. The fuzzer can therefore reach the code that
//! handles authentic messages.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue};

use paytend_crypto::rsa::{RsaPrivate, RsaPublic};
use paytend_crypto::{BackendError, Keyring, PublicKey, RandomSource};
use paytend_webhook::{Content, Receiver};

/// The partner ID in all messages.
pub const PARTNER_ID: &str = "888666000100260";

/// The public key of the `partner` test key in the vectors. Only its length matters.
pub const PUBLIC: &str = concat!(
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDPXVyZZUBX5NPRpO3i1MrGsKVe8z89kP7YYxUq0mqToUmsklUGwGGxa59TyOoI",
    "3FimojDHQSzcdIxOO9vv6RxIv+cF8h/2UaOMGKHiP35EtCMOp5at2QPBNxLOOidv8tb0mzY1cquVmUgsP8LQehSYAH0AjojQRjEh",
    "aGS1XxX+oQIDAQAB",
);

/// A key that leaves data unencrypted and accepts every signature.
pub struct NoSecurity(PublicKey);

impl NoSecurity {
    /// Creates a key that can be used as a private or a public key.
    pub fn key() -> Self {
        Self(PublicKey::from_bytes(PUBLIC).expect("cannot read the test key"))
    }

    /// Creates a key for use as a public key.
    pub fn public() -> Arc<dyn RsaPublic> {
        Arc::new(Self::key())
    }

    /// Creates a keyring that can seal and open messages.
    pub fn keyring() -> Keyring {
        let keyring = Keyring::builder().own_key(Arc::new(Self::key())).peer_key(Self::public());
        keyring.random_source(Arc::new(Fixed)).build().expect("cannot build the keyring")
    }
}

impl RsaPrivate for NoSecurity {
    fn public_key(&self) -> &PublicKey {
        &self.0
    }

    fn sign_sha256(&self, _: &[u8; 32]) -> Result<Vec<u8>, BackendError> {
        Ok(vec![0; self.0.size()])
    }

    fn decrypt_raw(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<(), BackendError> {
        out.copy_from_slice(ciphertext);
        Ok(())
    }
}

impl RsaPublic for NoSecurity {
    fn public_key(&self) -> &PublicKey {
        &self.0
    }

    fn verify_sha256(&self, _: &[u8; 32], _: &[u8]) -> bool {
        true
    }

    fn encrypt_raw(&self, block: &[u8]) -> Result<Vec<u8>, BackendError> {
        Ok(block.to_vec())
    }
}

/// A constant random source, so that each input always produces the same result.
struct Fixed;

impl RandomSource for Fixed {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), paytend_crypto::Error> {
        bytes.fill(0x5a);
        Ok(())
    }
}

/// Receives a body with a constant `sign` header, at the time of the provider's samples, and checks the result.
pub fn receive_detached<T: serde::Serialize>(receiver: &impl Receiver<Notification = Content<T>>, body: &[u8]) {
    let headers =
        HeaderMap::from_iter([("sign".parse().expect("valid header name"), HeaderValue::from_static("AAAA"))]);
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_670_837_217_628);
    match receiver.receive(&headers, body, now) {
        Ok(verified) => {
            assert_eq!(verified.content(), body);
            assert_eq!(
                receiver.receive(&headers, body, now).expect("the body was refused the second time").dedup_key(),
                verified.dedup_key()
            );
            // The check is skipped if the body is not strict JSON, because values that are not strict JSON are not
            // written. Without these values, the type of the notification may be unknown.
            let strict = serde_json::from_slice::<serde_json::Value>(body).is_ok();
            if let Some(typed) = verified.notification().typed().filter(|_| strict) {
                let written = serde_json::to_vec(typed).expect("cannot write a notification that was read");
                let again = receiver.receive(&headers, &written, now).expect("the written notification was refused");
                assert!(again.notification().typed().is_some());
            }
        }
        Err(rejection) => assert_ne!(rejection.to_http().status(), 200),
    }
}
