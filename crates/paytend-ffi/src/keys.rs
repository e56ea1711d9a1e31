//! Keys, keyrings, detached signatures and request identifiers.

use paytend_bindings::{Keyring, PrivateKey, PublicKey};

use crate::abi::{PaytendBuffer, PaytendSlice, array, free, handle, write_buffer, write_handle};
use crate::error::PaytendError;
use crate::guard::{guard, guard_out};

/// A private RSA key. Free it with `paytend_private_key_free`.
pub struct PaytendPrivateKey(pub(crate) PrivateKey);
/// A public RSA key. Free it with `paytend_public_key_free`.
pub struct PaytendPublicKey(pub(crate) PublicKey);
/// The keys that one side uses to communicate with one peer. Free them with `paytend_keyring_free`.
pub struct PaytendKeyring(pub(crate) Keyring);

/// Reads a PKCS#1 or PKCS#8 private key in PEM, DER or base64.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_private_key_load(
    data: PaytendSlice,
    out: *mut *mut PaytendPrivateKey,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe {
        guard_out(out, error, || write_handle(out, PaytendPrivateKey(PrivateKey::from_bytes(data.bytes("data")?)?)))
    }
}

/// Reads a private key from a file. The file is refused if other users can read it.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_private_key_load_file(
    path: PaytendSlice,
    out: *mut *mut PaytendPrivateKey,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe {
        guard_out(out, error, || write_handle(out, PaytendPrivateKey(PrivateKey::from_file(path.text("path")?)?)))
    }
}

/// Generates a key pair. The size is a multiple of 128 bits, from 1024 to 8192.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_private_key_generate(
    bits: usize,
    out: *mut *mut PaytendPrivateKey,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe { guard_out(out, error, || write_handle(out, PaytendPrivateKey(paytend_bindings::generate(bits)?))) }
}

/// Encodes a private key. `form` is `pkcs8-pem`, `pkcs8-base64` or `pkcs1-der`.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_private_key_write(
    key: *const PaytendPrivateKey,
    form: PaytendSlice,
    out: *mut PaytendBuffer,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe {
        guard_out(out, error, || {
            let written = paytend_bindings::write_private(&handle(key, "key")?.0, form.text("form")?)?;
            write_buffer(out, &written)
        })
    }
}

/// Returns the public key that matches a private key.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_private_key_public(
    key: *const PaytendPrivateKey,
    out: *mut *mut PaytendPublicKey,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe { guard_out(out, error, || write_handle(out, PaytendPublicKey(handle(key, "key")?.0.public_key().clone()))) }
}

/// Wipes and frees a private key. Keyrings created with the key keep their own copy.
///
/// # Safety
/// `key` must be null or a valid handle, which must not be used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_private_key_free(key: *mut PaytendPrivateKey) {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { free(key) };
}

/// Reads a SubjectPublicKeyInfo or PKCS#1 public key in PEM, DER or base64.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_public_key_load(
    data: PaytendSlice,
    out: *mut *mut PaytendPublicKey,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe {
        guard_out(out, error, || write_handle(out, PaytendPublicKey(PublicKey::from_bytes(data.bytes("data")?)?)))
    }
}

/// Reads a public key from a file.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_public_key_load_file(
    path: PaytendSlice,
    out: *mut *mut PaytendPublicKey,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe { guard_out(out, error, || write_handle(out, PaytendPublicKey(PublicKey::from_file(path.text("path")?)?))) }
}

/// Encodes a public key. `form` is `spki-pem`, `spki-base64` or `spki-der`.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_public_key_write(
    key: *const PaytendPublicKey,
    form: PaytendSlice,
    out: *mut PaytendBuffer,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe {
        guard_out(out, error, || {
            let written = paytend_bindings::write_public(&handle(key, "key")?.0, form.text("form")?)?;
            write_buffer(out, &written)
        })
    }
}

/// Frees a public key.
///
/// # Safety
/// `key` must be null or a valid handle, which must not be used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_public_key_free(key: *mut PaytendPublicKey) {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { free(key) };
}

/// Describes a private or public key as JSON with `private`, `bits`, `fingerprint`, `format` and `armour`. `format` is
/// `pkcs1`, `pkcs8` or `spki`. `armour` is `der`, `base64` or `pem`.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_key_info(
    data: PaytendSlice,
    out: *mut PaytendBuffer,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe { guard_out(out, error, || write_buffer(out, paytend_bindings::key_info(data.bytes("data")?)?.as_bytes())) }
}

/// Creates a keyring. The first own key is used for signing, and all own keys for decryption. The first peer key is
/// used for encryption, and all peer keys for verification. Use several keys during a key rotation. One of the two
/// arrays can be empty if its keys are not needed.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_keyring_new(
    own: *const *const PaytendPrivateKey,
    own_len: usize,
    peer: *const *const PaytendPublicKey,
    peer_len: usize,
    out: *mut *mut PaytendKeyring,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe {
        guard_out(out, error, || {
            let own = array(own, own_len, "own")?.iter().map(|key| Ok(&handle(*key, "a key")?.0));
            let peer = array(peer, peer_len, "peer")?.iter().map(|key| Ok(&handle(*key, "a key")?.0));
            let (own, peer) = (
                own.collect::<Result<Vec<_>, paytend_bindings::Failure>>()?,
                peer.collect::<Result<Vec<_>, paytend_bindings::Failure>>()?,
            );
            write_handle(out, PaytendKeyring(paytend_bindings::keyring(&own, &peer)?))
        })
    }
}

/// Frees a keyring. Receivers created with the keyring keep their own copy.
///
/// # Safety
/// `keyring` must be null or a valid handle, which must not be used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_keyring_free(keyring: *mut PaytendKeyring) {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { free(keyring) };
}

/// Signs a body for PayBy or PayerMax, and writes the value of the `sign` header to `out`.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_sign(
    key: *const PaytendPrivateKey,
    body: PaytendSlice,
    out: *mut PaytendBuffer,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe {
        guard_out(out, error, || {
            write_buffer(out, paytend_bindings::sign(&handle(key, "key")?.0, body.bytes("body")?)?.as_bytes())
        })
    }
}

/// Verifies the `sign` header of a body with the given keys. Unless `out` is null, writes the fingerprint of the key
/// that verified the signature to `out`.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_verify(
    keys: *const *const PaytendPublicKey,
    keys_len: usize,
    body: PaytendSlice,
    sign: PaytendSlice,
    out: *mut PaytendBuffer,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe {
        guard(error, || {
            let keys = array(keys, keys_len, "keys")?.iter().map(|key| Ok(handle(*key, "a key")?.0.clone()));
            let keys = keys.collect::<Result<Vec<_>, paytend_bindings::Failure>>()?;
            let body = body.bytes("body")?;
            // If the header is not UTF-8, a signature that can never be valid is used instead, so that the error is
            // "not authentic".
            let sign = std::str::from_utf8(sign.bytes("sign")?).unwrap_or("!");
            let by = paytend_bindings::verify(&keys, body, sign)?;
            if out.is_null() { Ok(()) } else { write_buffer(out, by.as_bytes()) }
        })
    }
}

/// Decrypts concatenated RSA PKCS#1 v1.5 blocks. An attacker who can observe whether decryption succeeds can use this
/// function as a padding oracle. Use the function only in tools, never in a server.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_hazmat_decrypt_blocks(
    key: *const PaytendPrivateKey,
    ciphertext: PaytendSlice,
    out: *mut PaytendBuffer,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe {
        guard_out(out, error, || {
            let plain =
                paytend_bindings::hazmat_decrypt_blocks(&handle(key, "key")?.0, ciphertext.bytes("ciphertext")?)?;
            write_buffer(out, &plain)
        })
    }
}

/// Generates a 32-character request identifier that is unique across threads, processes and machines.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_request_id(out: *mut PaytendBuffer, error: *mut *mut PaytendError) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe { guard_out(out, error, || write_buffer(out, paytend_bindings::request_id()?.as_bytes())) }
}
