//! Runs the conformance suite on the OpenSSL backend, and compares this backend with the default backend.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use paytend_crypto::rsa::{Backend, RsaPrivate, RsaPublic};
use paytend_crypto::rustcrypto::RustCrypto;
use paytend_crypto::{BackendError, Error, KeyError, PrivateKey, PublicKey, rustcrypto, testing};
use paytend_crypto_openssl::OpenSsl;
use paytend_vectors::Seeded;
use proptest::prelude::*;

#[test]
fn default_backend_passes_conformance_suite() {
    assert!(testing::check_backend(&RustCrypto).unwrap() > 1000);
}

/// A private key with one deliberate flaw.
struct Broken {
    inner: Arc<dyn RsaPrivate>,
    flaw: &'static str,
    calls: AtomicUsize,
}

impl RsaPrivate for Broken {
    fn public_key(&self) -> &PublicKey {
        self.inner.public_key()
    }

    fn sign_sha256(&self, digest: &[u8; 32]) -> Result<Vec<u8>, BackendError> {
        let mut signature = self.inner.sign_sha256(digest)?;
        match self.flaw {
            "nondeterministic signatures" if self.calls.fetch_add(1, Ordering::SeqCst) % 2 == 1 => signature[9] ^= 1,
            "wrong signature" => signature[9] ^= 1,
            "signature without its first byte" => drop(signature.remove(0)),
            _ => {}
        }
        Ok(signature)
    }

    fn decrypt_raw(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<(), BackendError> {
        self.inner.decrypt_raw(ciphertext, out)?;
        match self.flaw {
            "rejects bad padding" if out[..2] != [0, 2] => return Err(BackendError::new("bad padding")),
            "removes the padding" => out[..2].fill(0),
            "corrupts data under load" if self.calls.fetch_add(1, Ordering::SeqCst) % 40 == 39 => out[110] ^= 1,
            _ => {}
        }
        Ok(())
    }
}

/// A public key with one deliberate flaw.
struct BrokenPublic(Arc<dyn RsaPublic>, &'static str);

impl RsaPublic for BrokenPublic {
    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn verify_sha256(&self, digest: &[u8; 32], signature: &[u8]) -> bool {
        match self.1 {
            "accepts any signature" => true,
            "accepts shorter signatures" if signature.len() < self.0.public_key().size() => true,
            "accepts signatures above the modulus" if !is_below(signature, self.0.public_key().modulus()) => {
                let reduced = difference(signature, self.0.public_key().modulus());
                self.0.verify_sha256(digest, &reduced)
            }
            "rejects every signature" => false,
            _ => self.0.verify_sha256(digest, signature),
        }
    }

    fn encrypt_raw(&self, block: &[u8]) -> Result<Vec<u8>, BackendError> {
        let mut out = self.0.encrypt_raw(block)?;
        if self.1 == "wrong ciphertext" {
            out[9] ^= 1;
        }
        Ok(out)
    }
}

fn is_below(number: &[u8], modulus: &[u8]) -> bool {
    number.len() != modulus.len() || number < modulus
}

/// Returns the difference of two big-endian numbers of the same length.
fn difference(one: &[u8], other: &[u8]) -> Vec<u8> {
    let mut difference = one.to_vec();
    let mut borrow = false;
    for (digit, other) in difference.iter_mut().zip(other).rev() {
        let (partial, first) = digit.overflowing_sub(*other);
        let (total, second) = partial.overflowing_sub(borrow.into());
        (*digit, borrow) = (total, first || second);
    }
    difference
}

#[test]
fn conformance_suite_detects_every_flaw() {
    let random = Seeded::new();
    // This modulus is so small that the sum of a signature and the modulus is often as long as the modulus. The suite
    // needs such a sum to detect a backend that accepts signatures above the modulus.
    let key = std::iter::repeat_with(|| rustcrypto::generate(1024, &random).unwrap())
        .find(|key| key.public_key().modulus()[0] < 0xa8)
        .unwrap();
    let pair = |flaw: &'static str| -> (Arc<dyn RsaPrivate>, Arc<dyn RsaPublic>) {
        let inner = OpenSsl.private(&key).unwrap();
        let public = OpenSsl.public(key.public_key()).unwrap();
        (Arc::new(Broken { inner, flaw, calls: 0.into() }), Arc::new(BrokenPublic(public, flaw)))
    };
    let (good, good_public) = pair("none");
    testing::check_pair(&good, &good_public).unwrap();
    for flaw in [
        "nondeterministic signatures",
        "wrong signature",
        "signature without its first byte",
        "rejects bad padding",
        "removes the padding",
        "corrupts data under load",
        "accepts any signature",
        "accepts shorter signatures",
        "rejects every signature",
        "accepts signatures above the modulus",
        "wrong ciphertext",
    ] {
        let (bad, bad_public) = pair(flaw);
        assert!(testing::check_pair(&bad, &bad_public).is_err(), "undetected flaw: {flaw}");
    }
    let other = rustcrypto::generate(1024, &random).unwrap();
    assert!(testing::check_pair(&good, &OpenSsl.public(other.public_key()).unwrap()).is_err());
}

#[test]
fn openssl_backend_passes_conformance_suite() {
    let checks = testing::check_backend(&OpenSsl).unwrap();
    assert!(checks > 1000, "{checks}");
}

#[test]
fn private_key_with_inconsistent_components_is_refused() {
    let random = Seeded::new();
    let key = rustcrypto::generate(1024, &random).unwrap();
    let mut der = key.pkcs1_der().to_vec();
    // Byte 200 is inside the private exponent.
    der[200] ^= 0x55;
    let damaged = PrivateKey::from_bytes(&der).unwrap();
    assert_eq!(OpenSsl.private(&damaged).err(), Some(Error::Key(KeyError::Invalid)));
}

/// Compares the results of every deterministic operation for several key sizes, including unusual sizes.
#[test]
fn both_backends_return_the_same_bytes() {
    let random = Seeded::new();
    for bits in [1024, 1028, 1031, 2048] {
        let key = rustcrypto::generate(bits, &random).unwrap();
        let (a, b) = (rustcrypto::private(&key).unwrap(), OpenSsl.private(&key).unwrap());
        let a_public = rustcrypto::public(key.public_key()).unwrap();
        let b_public = OpenSsl.public(key.public_key()).unwrap();
        testing::check_pair(&b, &b_public).unwrap();
        let size = key.public_key().size();
        let config = ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() };
        let inputs = (prop::array::uniform32(any::<u8>()), prop::collection::vec(any::<u8>(), size));
        proptest::test_runner::TestRunner::new(config)
            .run(&inputs, |(digest, mut block)| {
                // The first byte is 0, so the number in the block is smaller than every modulus.
                block[0] = 0;
                prop_assert_eq!(a.sign_sha256(&digest).unwrap(), b.sign_sha256(&digest).unwrap());
                prop_assert_eq!(a_public.encrypt_raw(&block).unwrap(), b_public.encrypt_raw(&block).unwrap());
                let (mut one, mut two) = (vec![0; size], vec![0; size]);
                a.decrypt_raw(&block, &mut one).unwrap();
                b.decrypt_raw(&block, &mut two).unwrap();
                prop_assert_eq!(one, two);
                prop_assert_eq!(a_public.verify_sha256(&digest, &block), b_public.verify_sha256(&digest, &block));
                Ok(())
            })
            .unwrap();
    }
}
