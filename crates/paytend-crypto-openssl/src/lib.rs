#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use openssl::error::ErrorStack;
use openssl::pkey::{HasPublic, Private as PrivateHalf, Public as PublicHalf};
use openssl::rsa::{Padding, Rsa};
use openssl::version;
use paytend_crypto::keys::{MAX_BITS, MIN_BITS};
use paytend_crypto::rsa::{Backend, RsaPrivate, RsaPublic};
use paytend_crypto::{BackendError, Error, KeyError, PrivateKey, PublicKey, hazmat};
use zeroize::Zeroizing;

/// The oldest supported OpenSSL version, 3.0.8, in OpenSSL's numbering (`0xMNN00PP0`).
///
/// This version fixes CVE-2022-4304, a timing leak in RSA decryption.
const OLDEST: i64 = 0x3000_0080;

/// The OpenSSL backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenSsl;

/// Parses each key when it is loaded, not again for each key operation. If the linked library is not OpenSSL 3.0.8 or
/// newer, loading or generating a key returns an [`Error::Backend`] whose source is an [`UnsupportedLibrary`].
impl Backend for OpenSsl {
    fn name(&self) -> &'static str {
        "openssl"
    }

    fn private(&self, key: &PrivateKey) -> Result<Arc<dyn RsaPrivate>, Error> {
        check_linked_library()?;
        let copies = Copies::new(|| Rsa::private_key_from_der(key.pkcs1_der()))?;
        if !copies.for_this_thread().check_key().unwrap_or(false) {
            return Err(KeyError::Invalid.into());
        }
        Ok(Arc::new(Private { copies, public: key.public_key().clone() }))
    }

    fn public(&self, key: &PublicKey) -> Result<Arc<dyn RsaPublic>, Error> {
        check_linked_library()?;
        let copies = Copies::new(|| Rsa::public_key_from_der(key.spki_der()))?;
        Ok(Arc::new(Public { copies, public: key.clone() }))
    }

    fn generate(&self, bits: usize) -> Result<PrivateKey, Error> {
        check_linked_library()?;
        let size = u32::try_from(bits).ok().filter(|_| (MIN_BITS..=MAX_BITS).contains(&bits));
        let rsa = Rsa::generate(size.ok_or(KeyError::Size(bits))?)
            .map_err(|e| BackendError::with_source("OpenSSL failed to generate a key", e))?;
        let der = rsa.private_key_to_der().map(Zeroizing::new);
        let der = der.map_err(|e| BackendError::with_source("OpenSSL failed to encode the generated key", e))?;
        Ok(PrivateKey::from_bytes(&*der)?)
    }
}

/// The error returned if the linked library is too old or is not OpenSSL. It is the source of an [`Error::Backend`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unsupported library {version}: install OpenSSL 3.0.8 or newer")]
pub struct UnsupportedLibrary {
    version: String,
}

fn check_linked_library() -> Result<(), Error> {
    check_version(version::number(), version::version())
        .map_err(|error| BackendError::with_source("the linked OpenSSL library is not supported", error).into())
}

fn check_version(number: i64, text: &str) -> Result<(), UnsupportedLibrary> {
    // LibreSSL and similar libraries report an OpenSSL version number, but their own name.
    if number >= OLDEST && text.starts_with("OpenSSL ") {
        Ok(())
    } else {
        Err(UnsupportedLibrary { version: text.to_owned() })
    }
}

/// Copies of a key, one per processor.
///
/// OpenSSL locks a key to blind an operation and to read values cached for the key. If each thread uses a separate
/// copy, the threads do not wait for each other.
struct Copies<Half> {
    copies: Box<[Rsa<Half>]>,
}

impl<Half> Copies<Half> {
    fn new(load: impl Fn() -> Result<Rsa<Half>, ErrorStack>) -> Result<Self, KeyError> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let copies = (0..processors).map(|_| load()).collect::<Result<_, _>>().map_err(|_| KeyError::Invalid)?;
        Ok(Self { copies })
    }

    /// Returns this thread's copy. Copies are assigned to new threads in turn, so threads rarely share a copy unless
    /// there are more threads than processors.
    fn for_this_thread(&self) -> &Rsa<Half> {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
        }
        // `THREAD` is not available while the thread is being destroyed. In that case, any copy works.
        &self.copies[THREAD.try_with(|thread| *thread).unwrap_or(0) % self.copies.len()]
    }
}

/// A private key. OpenSSL blinds every private-key operation and checks the CRT result against the input.
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
            .for_this_thread()
            .private_encrypt(&block, &mut signature, Padding::NONE)
            .map_err(|e| BackendError::with_source("OpenSSL rejected the private-key operation", e))?;
        Ok(signature)
    }

    fn decrypt_raw(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<(), BackendError> {
        self.copies
            .for_this_thread()
            .private_decrypt(ciphertext, out, Padding::NONE)
            .map(drop)
            .map_err(|e| BackendError::with_source("OpenSSL rejected the private-key operation", e))
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
        signature.len() == size
            && public_operation(self.copies.for_this_thread(), signature, &mut block)
            && block == expected
    }

    fn encrypt_raw(&self, block: &[u8]) -> Result<Vec<u8>, BackendError> {
        let mut out = vec![0; self.public.size()];
        self.copies
            .for_this_thread()
            .public_encrypt(block, &mut out, Padding::NONE)
            .map_err(|e| BackendError::with_source("OpenSSL rejected the public-key operation", e))?;
        Ok(out)
    }
}

/// Performs the raw public-key operation on a signature. Returns `false` if the signature is not below the modulus.
fn public_operation<T: HasPublic>(rsa: &Rsa<T>, signature: &[u8], out: &mut [u8]) -> bool {
    // OpenSSL has one error queue per thread. Creating an `ErrorStack` empties the queue.
    rsa.public_decrypt(signature, out, Padding::NONE).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_for_old_openssl_or_libressl_states_the_version() {
        for (number, text, good) in [
            (0x3000_0070, "OpenSSL 3.0.7 1 Nov 2022", false),
            (0x1010_117f, "OpenSSL 1.1.1w  11 Sep 2023", false),
            (0x3000_0080, "OpenSSL 3.0.8 7 Feb 2023", true),
            (0x4000_0030, "OpenSSL 4.0.3", true),
            (0x3000_0090, "LibreSSL 4.0.0", false),
        ] {
            let result = check_version(number, text);
            assert_eq!(result.is_ok(), good, "{text}");
            if let Err(error) = result {
                assert!(error.to_string().contains(text) && error.to_string().contains("3.0.8"), "{error}");
            }
        }
    }
}
