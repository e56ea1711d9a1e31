//! Tests for the number of private-key operations per message.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, header};
use paytend_crypto::rsa::RsaPrivate;
use paytend_crypto::{BackendError, Keyring, PrivateKey, PublicKey, rustcrypto};
use paytend_model::Product;
use paytend_vectors::PARTNER_ID;
use paytend_webhook::testing::PaytendSender;
use paytend_webhook::{PaytendReceiver, Receiver};

/// A private key that counts its operations.
struct Counting(Arc<dyn RsaPrivate>, Arc<AtomicUsize>);

impl RsaPrivate for Counting {
    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn sign_sha256(&self, digest: &[u8; 32]) -> Result<Vec<u8>, BackendError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.sign_sha256(digest)
    }

    fn decrypt_raw(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<(), BackendError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.decrypt_raw(ciphertext, out)
    }
}

fn key(name: &str) -> PrivateKey {
    PrivateKey::from_bytes(&paytend_vectors::keys()[name].private).unwrap()
}

/// Returns a receiver, and a function that returns the number of key operations since the function's last call.
fn counting() -> (PaytendReceiver, impl Fn() -> usize) {
    let count = Arc::new(AtomicUsize::new(0));
    let keyring = Keyring::builder()
        .decryption_key(Arc::new(Counting(rustcrypto::private(&key("partner")).unwrap(), Arc::clone(&count))))
        .verification_key(rustcrypto::public(key("paytend").public_key()).unwrap())
        .build()
        .unwrap();
    // Creating a keyring takes one key operation, which must not be counted.
    count.store(0, Ordering::Relaxed);
    (PaytendReceiver::new(Product::Baas, PARTNER_ID, keyring), move || count.swap(0, Ordering::Relaxed))
}

fn sealed(partner: &str) -> Vec<u8> {
    let sender = PaytendSender::new(partner, &key("paytend"), key("partner").public_key()).unwrap();
    sender.raw("2", r#"{"orderNo":"F1"}"#).unwrap().into_body().into()
}

#[test]
fn invalid_messages_cost_no_private_key_operation() {
    let (receiver, operations) = counting();
    let none = HeaderMap::new();
    let zipped = HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
    let good = sealed(PARTNER_ID);
    let text = String::from_utf8(good.clone()).unwrap();
    let with = |field: &str, value: serde_json::Value| {
        let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
        document[field] = value;
        document.to_string().into_bytes()
    };
    let garbage = [
        ("nothing", &none, Vec::new()),
        ("not JSON", &none, vec![b'x'; 1024]),
        ("not UTF-8", &none, vec![0xff; 1024]),
        ("not an envelope", &none, b"{}".to_vec()),
        ("truncated", &none, good[..good.len() - 1].to_vec()),
        ("twice", &none, [&good[..], &good].concat()),
        ("too large", &none, vec![b' '; 65 * 1024]),
        ("compressed", &zipped, good.clone()),
        ("for a different partner", &none, sealed("888666000100999")),
        ("with an unknown version", &none, with("version", "1.0".into())),
        ("unsigned", &none, with("signature", "".into())),
        ("with a signature of the wrong length", &none, with("signature", "AAAA".into())),
        ("with a session key of the wrong length", &none, with("randomKey", "AAAA".into())),
        (
            "with a session key above the modulus",
            &none,
            with("randomKey", format!("{}w==", "/".repeat(170) + "8").into()),
        ),
        ("with half a cipher block", &none, with("content", "AAAA".into())),
        ("with invalid base64", &none, with("content", "!".into())),
        ("with a separator in a value", &none, with("notifyType", "2&x=1".into())),
        ("with a nested field", &none, with("x", serde_json::json!({}))),
        ("with the payload field of a request", &none, with("bizData", "x".into())),
    ];
    for (what, headers, body) in garbage {
        assert!(receiver.receive(headers, &body, SystemTime::now()).is_err(), "{what}");
        assert_eq!(operations(), 0, "{what}");
    }
}

/// Covers a notification, a duplicate, and a message that only the keys can identify as invalid.
#[test]
fn messages_that_need_the_keys_cost_exactly_one_private_key_operation() {
    let (receiver, operations) = counting();
    let good = sealed(PARTNER_ID);
    for _ in 0..2 {
        assert!(receiver.receive(&HeaderMap::new(), &good, SystemTime::now()).is_ok());
        assert_eq!(operations(), 1);
    }
    let changed = String::from_utf8(good).unwrap().replace(r#""notifyType":"2""#, r#""notifyType":"3""#);
    assert!(receiver.receive(&HeaderMap::new(), changed.as_bytes(), SystemTime::now()).is_err());
    assert_eq!(operations(), 1);
}
