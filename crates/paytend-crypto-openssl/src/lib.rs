#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use openssl::error::ErrorStack;
use openssl::pkey::{HasPublic, Private as PrivateHalf, Public as PublicHalf};
use openssl::rsa::{Padding, Rsa};
use openssl::version;
use paytend_crypto::rsa::{RsaPrivate, RsaPublic};
use paytend_crypto::{BackendError, PrivateKey, PublicKey, hazmat};

/// The oldest OpenSSL that is taken, 3.0.8, in the library's own numbering (`0xMNN00PP0`). It has the fix of CVE-2022-4304, a
/// timing leak in RSA decryption.
const OLDEST: i64 = 0x3000_0080;

/// Why a key cannot be used with OpenSSL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The library that this program runs with is too old, or is not OpenSSL.
    #[error("OpenSSL 3.0.8 or newer is needed, and this is {0}")]
    Version(String),
    /// The numbers in the key do not make a valid RSA key.
    #[error("the numbers in the key do not make a valid RSA key")]
    Invalid,
}

/// Prepares a private key for use. It is parsed here, once.
///
/// # Errors
/// [`LoadError`].
pub fn private(key: &PrivateKey) -> Result<Arc<dyn RsaPrivate>, LoadError> {
    check_version(version::number(), version::version())?;
    let copies = Copies::new(|| Rsa::private_key_from_der(key.pkcs1_der()))?;
    if !copies.mine().check_key().unwrap_or(false) {
        return Err(LoadError::Invalid);
    }
    Ok(Arc::new(Private { copies, public: key.public_key().clone() }))
}

/// Prepares a public key for use. It is parsed here, once.
///
/// # Errors
/// [`LoadError`].
pub fn public(key: &PublicKey) -> Result<Arc<dyn RsaPublic>, LoadError> {
    check_version(version::number(), version::version())?;
    let copies = Copies::new(|| Rsa::public_key_from_der(key.to_spki_der()))?;
    Ok(Arc::new(Public { copies, public: key.clone() }))
}

fn check_version(number: i64, text: &str) -> Result<(), LoadError> {
    // LibreSSL and its kin report OpenSSL's numbers, and other names.
    if number >= OLDEST && text.starts_with("OpenSSL ") { Ok(()) } else { Err(LoadError::Version(text.to_owned())) }
}

/// A key, once for each processor. OpenSSL locks a key to blind an operation and to look up what it has computed of it; threads
/// that use copies of their own do not wait for each other.
struct Copies<Half> {
    copies: Box<[Rsa<Half>]>,
}

impl<Half> Copies<Half> {
    fn new(load: impl Fn() -> Result<Rsa<Half>, ErrorStack>) -> Result<Self, LoadError> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let copies = (0..processors).map(|_| load()).collect::<Result<_, _>>().map_err(|_| LoadError::Invalid)?;
        Ok(Self { copies })
    }

    /// This thread's copy. Threads take turns, so that as many as there are processors share none.
    fn mine(&self) -> &Rsa<Half> {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
        }
        // A thread that is ending has no such number any more, and any copy will do.
        &self.copies[THREAD.try_with(|thread| *thread).unwrap_or(0) % self.copies.len()]
    }
}

/// OpenSSL blinds every private operation of such a key, and checks the result of the CRT against the input.
struct Private {
    copies: Copies<PrivateHalf>,
    public: PublicKey,
}

impl RsaPrivate for Private {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign_sha256(&self, digest: &[u8; 32]) -> Result<Vec<u8>, BackendError> {
        let size = self.public.size();
        let block =
            hazmat::signature_block(digest, size).ok_or(BackendError::new("the modulus is too small to sign"))?;
        let mut signature = vec![0; size];
        self.copies
            .mine()
            .private_encrypt(&block, &mut signature, Padding::NONE)
            .map_err(|e| BackendError::with_source("OpenSSL refused the private operation", e))?;
        Ok(signature)
    }

    fn decrypt_raw(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<(), BackendError> {
        self.copies
            .mine()
            .private_decrypt(ciphertext, out, Padding::NONE)
            .map(drop)
            .map_err(|e| BackendError::with_source("OpenSSL refused the private operation", e))
    }
}

struct Public {
    copies: Copies<PublicHalf>,
    public: PublicKey,
}

impl RsaPublic for Public {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn verify_sha256(&self, digest: &[u8; 32], signature: &[u8]) -> bool {
        let size = self.public.size();
        let Some(expected) = hazmat::signature_block(digest, size) else { return false };
        let mut block = vec![0; size];
        signature.len() == size && power(self.copies.mine(), signature, &mut block) && block == expected
    }

    fn encrypt_raw(&self, block: &[u8]) -> Result<Vec<u8>, BackendError> {
        let mut out = vec![0; self.public.size()];
        self.copies
            .mine()
            .public_encrypt(block, &mut out, Padding::NONE)
            .map_err(|e| BackendError::with_source("OpenSSL refused the public operation", e))?;
        Ok(out)
    }
}

/// The raw public operation on a signature. `false` when it is not below the modulus.
fn power<T: HasPublic>(rsa: &Rsa<T>, signature: &[u8], out: &mut [u8]) -> bool {
    // The error queue is OpenSSL's, one a thread; asking for the error empties it.
    rsa.public_decrypt(signature, out, Padding::NONE).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_openssl_that_is_too_old_or_something_else_is_refused_by_name() {
        for (number, text, good) in [
            (0x3000_0070, "OpenSSL 3.0.7 1 Nov 2022", false),
            (0x1010_117f, "OpenSSL 1.1.1w  11 Sep 2023", false),
            (0x3000_0080, "OpenSSL 3.0.8 7 Feb 2023", true),
            (0x4000_0030, "OpenSSL 4.0.3", true),
            (0x3000_0090, "LibreSSL 4.0.0", false),
        ] {
            let answer = check_version(number, text);
            assert_eq!(answer.is_ok(), good, "{text}");
            if let Err(error) = answer {
                assert!(error.to_string().contains(text) && error.to_string().contains("3.0.8"), "{error}");
            }
        }
    }
}
