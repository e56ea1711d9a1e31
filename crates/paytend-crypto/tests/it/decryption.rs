//! Tests for messages whose session key or payload cannot be decrypted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paytend_crypto::rsa::RsaPrivate;
use paytend_crypto::{BackendError, Error, Keyring, PublicKey, detached, hazmat};
use paytend_vectors::Seeded;
use serde_json::{Value, json};

use crate::opening::edit;
use crate::support::{PARTNER_ID, expected, key, keyring, notification};

/// A private key that counts its decryptions. Decryption fails if `broken` is set.
struct Counting {
    inner: Arc<dyn RsaPrivate>,
    decryptions: AtomicUsize,
    broken: bool,
}

impl RsaPrivate for Counting {
    fn public_key(&self) -> &PublicKey {
        self.inner.public_key()
    }

    fn sign_sha256(&self, digest: &[u8; 32]) -> Result<Vec<u8>, BackendError> {
        self.inner.sign_sha256(digest)
    }

    fn decrypt_raw(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<(), BackendError> {
        self.decryptions.fetch_add(1, Ordering::SeqCst);
        if self.broken {
            Err(BackendError::new("the token was removed"))
        } else {
            self.inner.decrypt_raw(ciphertext, out)
        }
    }
}

fn counting(broken: bool) -> (Arc<Counting>, Keyring) {
    let backend = Arc::new(Counting { inner: Arc::clone(&key("partner").private), decryptions: 0.into(), broken });
    let own: Arc<dyn RsaPrivate> = backend.clone();
    let ring = Keyring::builder().own_key(own).peer_key(Arc::clone(&key("paytend").public)).build().unwrap();
    (backend, ring)
}

#[test]
fn errors_detectable_without_a_key_cause_no_private_key_operation() {
    let (backend, ring) = counting(false);
    let good = notification(&keyring("paytend", "partner"), r#"{"a":1}"#);
    let modulus = STANDARD.encode(key("partner").material.public_key().modulus());
    let set = |name: &str, value: Value| edit(&good, |d| drop(d.insert(name.into(), value)));
    let mut spaced = key_text(&good);
    spaced.insert(4, '\n');
    for document in [
        "{}".to_owned(),
        good.replace("888666000100260", "888666000100261"),
        set("version", "1.0".into()),
        set("version", 2.0.into()),
        set("signature", "".into()),
        set("signature", STANDARD.encode([1; 127]).into()),
        set("signature", STANDARD.encode([1; 129]).into()),
        set("signature", STANDARD.encode([0xff; 128]).into()),
        set("randomKey", modulus.into()),
        set("randomKey", STANDARD.encode([1; 256]).into()),
        set("randomKey", STANDARD.encode([1; 127]).into()),
        set("randomKey", spaced.into()),
        set("randomKey", "%FF%FE".into()),
        set("content", "AAAA".into()),
        set("content", "not base64".into()),
        set("extra", "a&b=c".into()),
        format!("{good} ").replace("} ", "}}"),
    ] {
        assert!(ring.open(document.as_bytes(), &expected()).is_err(), "{document}");
        assert_eq!(backend.decryptions.load(Ordering::SeqCst), 0, "{document}");
    }
    assert!(ring.open(good.as_bytes(), &expected()).is_ok());
    assert_eq!(backend.decryptions.load(Ordering::SeqCst), 1);
    // An error in the session key must stay secret, so the private-key operation and all later steps are performed.
    for at in [0, 5, 127] {
        let mut random_key = STANDARD.decode(key_text(&good)).unwrap();
        random_key[at] ^= 1;
        let document = set("randomKey", STANDARD.encode(random_key).into());
        assert_eq!(ring.open(document.as_bytes(), &expected()).unwrap_err(), Error::NotAuthentic);
    }
}

fn key_text(document: &str) -> String {
    serde_json::from_str::<Value>(document).unwrap()["randomKey"].as_str().unwrap().to_owned()
}

#[test]
fn backend_failure_is_reported_as_a_backend_error() {
    let (_, ring) = counting(true);
    let good = notification(&keyring("paytend", "partner"), "{}");
    let error = ring.open(good.as_bytes(), &expected()).unwrap_err();
    assert_eq!(error, Error::Backend(BackendError::new("the token was removed")));
}

/// The session keys in this test can be decrypted, but are malformed. The rest of each message is correct, and the
/// signature is valid for the session key that a naive receiver would read.
#[test]
fn malformed_session_key_is_refused() {
    let random = Seeded::new();
    let plain: [(&str, &[u8]); 6] = [
        ("too short", b"gNx86vc1yttHs8ZWOf7+5g="),
        ("too long", b"gNx86vc1yttHs8ZWOf7+5g==="),
        ("raw bytes", &[7; 24]),
        ("not base64", b"gNx86vc1yttHs8Z&Of7+5g=="),
        ("empty", b""),
        ("right", b"gNx86vc1yttHs8ZWOf7+5g=="),
    ];
    for (name, session_key) in plain {
        let random_key = if session_key.is_empty() {
            // encrypt_blocks creates no block for empty input, so this case uses a block with a single byte, which is
            // also invalid.
            hazmat::encrypt_blocks(&*key("partner").public, b"x", &random).unwrap()
        } else {
            hazmat::encrypt_blocks(&*key("partner").public, session_key, &random).unwrap()
        };
        let text =
            [b"notifyType=2&partnerId=888666000100260&randomKey=", session_key, b"&signType=RSA&version=2.0"].concat();
        let document = json!({
            "partnerId": PARTNER_ID, "notifyType": "2", "signType": "RSA", "version": "2.0",
            "randomKey": STANDARD.encode(random_key),
            "signature": detached::sign(&*key("paytend").private, &text).unwrap(),
        });
        let result = keyring("partner", "paytend").open(document.to_string().as_bytes(), &expected());
        assert_eq!(result.is_ok(), name == "right", "{name}");
        if let Err(error) = result {
            assert_eq!(error, Error::NotAuthentic, "{name}");
        }
    }
}

/// In each RSA block, the last 24 bytes are the correct session key, but one byte of the padding is invalid. The
/// signature is valid for the signed text that a naive receiver would read.
#[test]
fn session_key_with_invalid_padding_is_refused() {
    type Change = fn(&mut [u8]);
    let changes: [(&str, Change); 9] = [
        ("right", |_| {}),
        ("first byte", |block| block[0] = 1),
        ("block type 1", |block| block[1] = 1),
        ("block type 0", |block| block[1] = 0),
        ("no separator", |block| block[103] = 7),
        ("zero right after the header", |block| block[2] = 0),
        ("zero in the eighth byte of padding", |block| block[9] = 0),
        ("zero in the middle", |block| block[50] = 0),
        ("two separators", |block| block[102] = 0),
    ];
    let session_key = b"gNx86vc1yttHs8ZWOf7+5g==";
    let text = [b"notifyType=2&partnerId=888666000100260&randomKey=", &session_key[..], b"&signType=RSA&version=2.0"];
    let signature = detached::sign(&*key("paytend").private, &text.concat()).unwrap();
    for (name, change) in changes {
        let mut block = vec![0xa5; 128];
        block[..2].copy_from_slice(&[0, 2]);
        block[103] = 0;
        block[104..].copy_from_slice(session_key);
        change(&mut block);
        let document = json!({
            "partnerId": PARTNER_ID, "notifyType": "2", "signType": "RSA", "version": "2.0", "signature": signature,
            "randomKey": STANDARD.encode(key("partner").public.encrypt_raw(&block).unwrap()),
        });
        let result = keyring("partner", "paytend").open(document.to_string().as_bytes(), &expected()).map(drop);
        assert_eq!(result, if name == "right" { Ok(()) } else { Err(Error::NotAuthentic) }, "{name}");
    }
}

/// The payloads' AES padding is invalid. The signature is valid for a payload that includes the padding bytes as
/// content.
#[test]
fn payload_with_invalid_padding_is_refused() {
    let random = Seeded::new();
    use aes::cipher::{BlockCipherEncrypt, KeyInit};
    let session_key = "gNx86vc1yttHs8ZWOf7+5g==";
    let mut ends = vec![(r#"{"cardId":"175"}"#.to_owned(), false)];
    // JSON can end with whitespace that is also valid padding: 9 tabs, 10 line feeds or 13 carriage returns.
    ends.push((format!("{:<16}{:<7}{}", r#"{"cardId":"175"}"#, "", "\t".repeat(9)), true));
    ends.push((format!("{:<16}{:<8}{}", r#"{"cardId":"175"}"#, "", "\t".repeat(8)), false));
    for (padded, right) in ends {
        let payload = if right { &padded[..padded.len() - 9] } else { &padded[..] };
        let canonical = format!(
            "content={payload}&notifyType=2&partnerId={PARTNER_ID}&randomKey={session_key}&signType=RSA&version=2.0"
        );
        let cipher = aes::Aes192::new_from_slice(session_key.as_bytes()).unwrap();
        let mut content = padded.clone().into_bytes();
        assert_eq!(content.len() % 16, 0);
        for block in content.chunks_mut(16) {
            cipher.encrypt_block(block.try_into().unwrap());
        }
        let random_key = hazmat::encrypt_blocks(&*key("partner").public, session_key.as_bytes(), &random).unwrap();
        let document = json!({
            "partnerId": PARTNER_ID, "notifyType": "2", "signType": "RSA", "version": "2.0",
            "content": STANDARD.encode(content), "randomKey": STANDARD.encode(random_key),
            "signature": detached::sign(&*key("paytend").private, canonical.as_bytes()).unwrap(),
        });
        let result = keyring("partner", "paytend").open(document.to_string().as_bytes(), &expected()).map(drop);
        assert_eq!(result, if right { Ok(()) } else { Err(Error::NotAuthentic) }, "{padded:?}");
    }
}
