//! Safe wrappers for AWS-LC's raw RSA operations. This is the only module with `unsafe` code.
//!
//! On failure, every function clears the thread's AWS-LC error queue. Errors contain no part of a key or message.

#![allow(unsafe_code)]

use std::ptr::{self, NonNull};
use std::sync::Once;

use aws_lc_sys::{
    BIGNUM, BN_bin2bn, BN_free, CRYPTO_library_init, ERR_clear_error, OPENSSL_free, RSA, RSA_F4, RSA_NO_PADDING,
    RSA_bits, RSA_decrypt, RSA_encrypt, RSA_free, RSA_generate_key_ex, RSA_new, RSA_new_public_key,
    RSA_private_key_from_bytes, RSA_private_key_to_bytes,
};
use zeroize::{Zeroize, Zeroizing};

/// The error returned if an AWS-LC operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed;

/// An AWS-LC RSA key. AWS-LC wipes a key's memory when the key is freed.
pub(crate) struct Rsa {
    key: NonNull<RSA>,
    /// The modulus length in bytes.
    size: usize,
}

// SAFETY: AWS-LC allows any thread to use and free a key, not only the thread that created it.
unsafe impl Send for Rsa {}
// SAFETY: AWS-LC documents an `RSA` object as safe for concurrent use if it is not mutated. After its creation, only
// `RSA_encrypt`, `RSA_decrypt`, `RSA_bits` and `RSA_private_key_to_bytes` are called. They change only the caches for
// blinding and Montgomery reduction, which AWS-LC protects with a lock in the key.
unsafe impl Sync for Rsa {}

impl Drop for Rsa {
    fn drop(&mut self) {
        // SAFETY: the pointer comes from AWS-LC, this value owns it, and it is freed only here.
        unsafe { RSA_free(self.key.as_ptr()) }
    }
}

impl Rsa {
    /// Loads a private key from PKCS#1 DER. AWS-LC checks that the key's components, including the CRT values, are
    /// consistent.
    pub(crate) fn private_from_der(der: &[u8]) -> Result<Self, Failed> {
        initialize();
        // SAFETY: the pointer and the length describe `der`. AWS-LC copies the data.
        let key = unsafe { RSA_private_key_from_bytes(der.as_ptr(), der.len()) };
        Self::owned(key)
    }

    /// Creates a public key from its modulus and exponent, big-endian.
    pub(crate) fn public(modulus: &[u8], exponent: &[u8]) -> Result<Self, Failed> {
        initialize();
        let (n, e) = (Number::new(modulus)?, Number::new(exponent)?);
        // SAFETY: both pointers refer to valid numbers. AWS-LC copies the numbers.
        let key = unsafe { RSA_new_public_key(n.0.as_ptr(), e.0.as_ptr()) };
        Self::owned(key)
    }

    /// Generates a key with public exponent 65537. AWS-LC rounds `bits` down to a multiple of 128.
    pub(crate) fn generate(bits: usize) -> Result<Self, Failed> {
        initialize();
        let exponent = Number::new(&RSA_F4.to_be_bytes())?;
        let bits = i32::try_from(bits).map_err(|_| Failed)?;
        // SAFETY: the function takes no arguments. `NonNull::new` checks the result.
        let key = NonNull::new(unsafe { RSA_new() }).ok_or_else(failed)?;
        // From here on, the key is freed on every return path. `size` is set below.
        let mut rsa = Self { key, size: 0 };
        // SAFETY: the key is new and not shared, the exponent is a valid number, and no callback is passed.
        let done = unsafe { RSA_generate_key_ex(rsa.key.as_ptr(), bits, exponent.0.as_ptr(), ptr::null_mut()) };
        if done != 1 {
            return Err(failed());
        }
        rsa.size = rsa.bits().div_ceil(8);
        Ok(rsa)
    }

    fn owned(key: *mut RSA) -> Result<Self, Failed> {
        let mut rsa = Self { key: NonNull::new(key).ok_or_else(failed)?, size: 0 };
        rsa.size = rsa.bits().div_ceil(8);
        Ok(rsa)
    }

    /// Returns the number of bits in the modulus.
    pub(crate) fn bits(&self) -> usize {
        // SAFETY: the pointer is a valid key with a modulus.
        unsafe { RSA_bits(self.key.as_ptr()) as usize }
    }

    /// Writes the key as PKCS#1 DER.
    pub(crate) fn to_der(&self) -> Result<Zeroizing<Vec<u8>>, Failed> {
        let (mut data, mut length) = (ptr::null_mut(), 0);
        // SAFETY: both output pointers and the key are valid.
        let done = unsafe { RSA_private_key_to_bytes(&raw mut data, &raw mut length, self.key.as_ptr()) };
        if done != 1 || data.is_null() {
            return Err(failed());
        }
        // SAFETY: `data` points to `length` initialized bytes, and there are no other references to these bytes.
        let bytes = unsafe { std::slice::from_raw_parts_mut(data, length) };
        let copy = Zeroizing::new(bytes.to_vec());
        bytes.zeroize();
        // SAFETY: AWS-LC allocated the data, and `bytes` is no longer used.
        unsafe { OPENSSL_free(data.cast()) };
        Ok(copy)
    }

    /// Raises `input` to the power `d` modulo `n` and writes the result to `out`. AWS-LC blinds the operation and
    /// checks the result.
    ///
    /// Both slices must be as long as the modulus, and `input` must be greater than 1 and less than `n - 1`. Otherwise,
    /// the function fails.
    pub(crate) fn private_power(&self, input: &[u8], out: &mut [u8]) -> Result<(), Failed> {
        let (mut length, key) = (0, self.key.as_ptr());
        let (source, target, room) = (input.as_ptr(), out.as_mut_ptr(), out.len());
        // SAFETY: the pointers and lengths describe `input` and `out`, and the key is valid. AWS-LC checks that `out`
        // has room for the result, and writes at most `room` bytes.
        let done = unsafe { RSA_decrypt(key, &raw mut length, target, room, source, input.len(), RSA_NO_PADDING) };
        if done == 1 && length == self.size && length == out.len() { Ok(()) } else { Err(failed()) }
    }

    /// Raises `input` to the power `e` modulo `n` and writes the result to `out`.
    ///
    /// Both slices must be as long as the modulus, and `input` must be below `n`. Otherwise, the function fails.
    pub(crate) fn public_power(&self, input: &[u8], out: &mut [u8]) -> Result<(), Failed> {
        let (mut length, key) = (0, self.key.as_ptr());
        let (source, target, room) = (input.as_ptr(), out.as_mut_ptr(), out.len());
        // SAFETY: the pointers and lengths describe `input` and `out`, and the key is valid. AWS-LC checks that `out`
        // has room for the result, and writes at most `room` bytes.
        let done = unsafe { RSA_encrypt(key, &raw mut length, target, room, source, input.len(), RSA_NO_PADDING) };
        if done == 1 && length == self.size && length == out.len() { Ok(()) } else { Err(failed()) }
    }
}

/// A number that is not secret, such as a modulus.
struct Number(NonNull<BIGNUM>);

impl Number {
    fn new(bytes: &[u8]) -> Result<Self, Failed> {
        // SAFETY: the pointer and the length describe `bytes`. The result pointer is null, so AWS-LC allocates a new
        // number.
        let number = unsafe { BN_bin2bn(bytes.as_ptr(), bytes.len(), ptr::null_mut()) };
        NonNull::new(number).map(Self).ok_or_else(failed)
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        // SAFETY: the pointer comes from AWS-LC, this value owns it, and it is freed only here.
        unsafe { BN_free(self.0.as_ptr()) }
    }
}

/// Makes AWS-LC detect the processor's features. On most platforms, AWS-LC has already done this before `main`.
fn initialize() {
    static ONCE: Once = Once::new();
    // SAFETY: the function has no preconditions.
    ONCE.call_once(|| unsafe { CRYPTO_library_init() });
}

/// Clears the thread's error queue. Otherwise, other code on this thread that uses AWS-LC could read this error as its
/// own.
fn failed() -> Failed {
    // SAFETY: the function changes only this thread's data.
    unsafe { ERR_clear_error() }
    Failed
}
