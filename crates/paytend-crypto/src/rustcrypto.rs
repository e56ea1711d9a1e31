//! The default backend, based on the pure-Rust `rsa` crate. This crate's API exposes no types from that crate.
//!
//! The private-key operation is always blinded with fresh randomness from the operating system. Its result is checked
//! against the input, so that a fault in the CRT computation does not reveal the factors.

use std::sync::Arc;

use ::rsa::pkcs1::{DecodeRsaPrivateKey, EncodeRsaPrivateKey};
use ::rsa::traits::PublicKeyParts;
use ::rsa::{BoxedUint, Pkcs1v15Sign};
use zeroize::{Zeroize, Zeroizing};

use crate::error::{BackendError, Error};
use crate::keys::error::KeyError;
use crate::keys::private::PrivateKey;
use crate::keys::public::{MAX_BITS, MIN_BITS, PublicKey};
use crate::primitives::pkcs1v15;
use crate::random::{OsRandom, RandomSource};
use crate::rsa::{Backend, RsaPrivate, RsaPublic};

/// The default backend. The functions in this module do the same without the trait.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustCrypto;

impl Backend for RustCrypto {
    fn name(&self) -> &'static str {
        "rustcrypto"
    }

    fn private(&self, key: &PrivateKey) -> Result<Arc<dyn RsaPrivate>, Error> {
        Ok(private(key)?)
    }

    fn public(&self, key: &PublicKey) -> Result<Arc<dyn RsaPublic>, Error> {
        Ok(public(key)?)
    }

    fn generate(&self, bits: usize) -> Result<PrivateKey, Error> {
        generate(bits, &OsRandom)
    }
}

/// Loads a private key into this backend.
///
/// # Errors
/// Returns [`KeyError::Invalid`] if the components of the key are inconsistent.
pub fn private(key: &PrivateKey) -> Result<Arc<dyn RsaPrivate>, KeyError> {
    let inner = ::rsa::PrivateKey::from_pkcs1_der(key.pkcs1_der()).map_err(|_| KeyError::Invalid)?;
    Ok(Arc::new(Private { inner, public: key.public_key().clone() }))
}

/// Loads a public key into this backend.
///
/// # Errors
/// Returns [`KeyError::Invalid`] if the components do not form a valid RSA key.
pub fn public(key: &PublicKey) -> Result<Arc<dyn RsaPublic>, KeyError> {
    let inner = ::rsa::PublicKey::new(uint(key.modulus())?, uint(key.exponent())?).map_err(|_| KeyError::Invalid)?;
    Ok(Arc::new(Public { inner, public: key.clone() }))
}

/// Generates a key pair with public exponent 65537 and a modulus of 1024 to 8192 bits. Use fewer than 2048 bits only if
/// the provider still requires it.
///
/// # Errors
/// - Returns [`KeyError::Size`] if `bits` is outside 1024 to 8192.
/// - Returns [`Error::Random`] if the random source fails.
pub fn generate(bits: usize, random: &dyn RandomSource) -> Result<PrivateKey, Error> {
    use chacha20::rand_core::SeedableRng;

    if !(MIN_BITS..=MAX_BITS).contains(&bits) {
        return Err(KeyError::Size(bits).into());
    }
    // The generator below is infallible, so the source is used only once, for the seed.
    let mut seed = Zeroizing::new([0u8; 32]);
    random.fill(&mut *seed)?;
    let mut generator = chacha20::ChaCha20Rng::from_seed(*seed);
    let key = ::rsa::PrivateKey::new(&mut generator, bits).map_err(|_| KeyError::Invalid)?;
    let der = key.to_pkcs1_der().map_err(|_| KeyError::Invalid)?;
    Ok(PrivateKey::from_bytes(der.as_bytes())?)
}

struct Private {
    inner: ::rsa::PrivateKey,
    public: PublicKey,
}

impl Private {
    /// Performs the private-key operation with blinding, and checks the result.
    fn power(&self, input: &[u8]) -> Result<BoxedUint, BackendError> {
        let bits = self.inner.n().bits_precision();
        let number =
            BoxedUint::from_be_slice(input, bits).map_err(|_| BackendError::new("input is longer than the modulus"))?;
        let mut blinding = getrandom::SysRng;
        ::rsa::hazmat::rsa_decrypt_and_check(&self.inner, Some(&mut blinding), &number)
            .map_err(|e| BackendError::with_source("the private-key operation failed", e))
    }
}

impl RsaPrivate for Private {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign_sha256(&self, digest: &[u8; 32]) -> Result<Vec<u8>, BackendError> {
        let size = self.public.size();
        let block =
            pkcs1v15::signature_block(digest, size).ok_or(BackendError::new("the modulus is too small to sign"))?;
        let mut number = self.power(&block)?;
        let signature = right_aligned(&number, size).to_vec();
        // Wipes the number, because the keyring derives a secret from a signature.
        number.zeroize();
        Ok(signature)
    }

    fn decrypt_raw(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<(), BackendError> {
        let mut number = self.power(ciphertext)?;
        out.copy_from_slice(&right_aligned(&number, out.len()));
        number.zeroize();
        Ok(())
    }
}

struct Public {
    inner: ::rsa::PublicKey,
    public: PublicKey,
}

impl RsaPublic for Public {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn verify_sha256(&self, digest: &[u8; 32], signature: &[u8]) -> bool {
        self.inner.verify(Pkcs1v15Sign::new::<sha2::Sha256>(), digest, signature).is_ok()
    }

    fn encrypt_raw(&self, block: &[u8]) -> Result<Vec<u8>, BackendError> {
        let mut number = BoxedUint::from_be_slice(block, self.inner.n().bits_precision())
            .map_err(|_| BackendError::new("input is longer than the modulus"))?;
        let power = ::rsa::hazmat::rsa_encrypt(&self.inner, &number);
        number.zeroize();
        let power = power.map_err(|e| BackendError::with_source("the public-key operation failed", e))?;
        Ok(right_aligned(&power, self.public.size()).to_vec())
    }
}

fn uint(bytes: &[u8]) -> Result<BoxedUint, KeyError> {
    let bits = u32::try_from(bytes.len() * 8).map_err(|_| KeyError::Invalid)?;
    BoxedUint::from_be_slice(bytes, bits).map_err(|_| KeyError::Invalid)
}

/// Returns `number` as exactly `size` big-endian bytes. The storage of `number` consists of whole limbs, so it may be
/// longer or shorter. Bytes that are cut off are zero, because the number is below the modulus.
fn right_aligned(number: &BoxedUint, size: usize) -> Zeroizing<Vec<u8>> {
    let bytes = Zeroizing::new(number.to_be_bytes());
    let mut out = Zeroizing::new(vec![0u8; size]);
    let kept = bytes.len().min(size);
    out[size - kept..].copy_from_slice(&bytes[bytes.len() - kept..]);
    out
}
