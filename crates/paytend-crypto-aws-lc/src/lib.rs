#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod raw;

use std::sync::Arc;

use paytend_crypto::keys::{MAX_BITS, MIN_BITS};
use paytend_crypto::rsa::{Backend, RsaPrivate, RsaPublic};
use paytend_crypto::{BackendError, Error, KeyError, PrivateKey, PublicKey, hazmat};

use crate::raw::Rsa;

/// The AWS-LC backend.
///
/// ```
/// use paytend_crypto::Keyring;
/// use paytend_crypto::rsa::Backend;
/// use paytend_crypto_aws_lc::AwsLc;
///
/// # fn main() -> Result<(), paytend_crypto::Error> {
/// let (own, paytend) = (AwsLc.generate(2048)?, AwsLc.generate(2048)?);
/// let keyring = Keyring::builder().backend(&AwsLc).own_key(&own).peer_key(paytend.public_key()).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLc;

impl Backend for AwsLc {
    fn name(&self) -> &'static str {
        "aws-lc"
    }

    fn private(&self, key: &PrivateKey) -> Result<Arc<dyn RsaPrivate>, Error> {
        let rsa = Rsa::private_from_der(key.pkcs1_der()).map_err(|_| KeyError::Invalid)?;
        // AWS-LC loads some keys that it cannot use, such as a key whose private exponent is larger than the modulus.
        let mut two = vec![0; key.public_key().size()];
        if let Some(last) = two.last_mut() {
            *last = 2;
        }
        rsa.private_power(&two.clone(), &mut two).map_err(|_| KeyError::Invalid)?;
        Ok(Arc::new(Private { rsa, public: key.public_key().clone() }))
    }

    fn public(&self, key: &PublicKey) -> Result<Arc<dyn RsaPublic>, Error> {
        let rsa = Rsa::public(key.modulus(), key.exponent()).map_err(|_| KeyError::Invalid)?;
        Ok(Arc::new(Public { rsa, public: key.clone() }))
    }

    /// Generates a key pair. The size must be a multiple of 128 bits.
    fn generate(&self, bits: usize) -> Result<PrivateKey, Error> {
        if !(MIN_BITS..=MAX_BITS).contains(&bits) {
            return Err(KeyError::Size(bits).into());
        }
        // AWS-LC would round the size down.
        if !bits.is_multiple_of(128) {
            return Err(BackendError::new("AWS-LC requires a key size that is a multiple of 128 bits").into());
        }
        let generated = Rsa::generate(bits).and_then(|rsa| rsa.to_der());
        let der = generated.map_err(|_| BackendError::new("AWS-LC failed to generate a key"))?;
        Ok(PrivateKey::from_bytes(&*der)?)
    }
}

/// A private key. AWS-LC blinds every private-key operation and checks the result against the input.
struct Private {
    rsa: Rsa,
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
        self.decrypt_raw(&block, &mut signature)?;
        Ok(signature)
    }

    fn decrypt_raw(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<(), BackendError> {
        let size = self.public.size();
        if ciphertext.len() != size || out.len() != size {
            return Err(BackendError::new("the input or the output is not as long as the modulus"));
        }
        // AWS-LC refuses 0, 1 and n - 1. Each of these numbers decrypts to itself, because `d` is odd. The ciphertext
        // is public, so the duration of this comparison reveals nothing.
        if is_own_power(ciphertext, self.public.modulus()) {
            out.copy_from_slice(ciphertext);
            return Ok(());
        }
        let done = self.rsa.private_power(ciphertext, out);
        done.map_err(|_| BackendError::new("AWS-LC's private-key operation failed"))
    }
}

struct Public {
    rsa: Rsa,
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
        signature.len() == size && self.rsa.public_power(signature, &mut block).is_ok() && block == expected
    }

    fn encrypt_raw(&self, block: &[u8]) -> Result<Vec<u8>, BackendError> {
        let mut out = vec![0; self.public.size()];
        let done = self.rsa.public_power(block, &mut out);
        done.map_err(|_| BackendError::new("AWS-LC's public-key operation failed"))?;
        Ok(out)
    }
}

/// Returns whether `input` is 0, 1 or `n - 1`. `input` must be as long as the modulus.
fn is_own_power(input: &[u8], modulus: &[u8]) -> bool {
    let (Some((last, rest)), Some((modulus_last, modulus_rest))) = (input.split_last(), modulus.split_last()) else {
        return false;
    };
    // The modulus is odd, so subtracting 1 changes only its last byte.
    (*last <= 1 && rest.iter().all(|byte| *byte == 0)) || (rest == modulus_rest && *last == modulus_last - 1)
}
