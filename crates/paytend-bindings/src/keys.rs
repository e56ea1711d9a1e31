//! Keys, detached signatures and request identifiers.

use paytend_crypto::keys::{Armour, KeyForm, form};
use paytend_crypto::rsa::Backend as _;
use paytend_crypto::{Keyring, PrivateKey, PublicKey, RequestId, detached};
use serde_json::json;
use zeroize::Zeroizing;

use crate::{Code, Failure, backend};

/// Describes a key as JSON with `private`, `bits`, `fingerprint`, `format` and `armour`. `format` is `pkcs1`, `pkcs8`
/// or `spki`; for a certificate, it is the format of the certificate's key. `armour` is `der`, `base64` or `pem`.
///
/// # Errors
/// Returns [`Code::Key`] if the key cannot be read.
pub fn key_info(data: &[u8]) -> Result<String, Failure> {
    let KeyForm { structure, armour, .. } = form(data)?;
    let private = structure.label().ends_with("PRIVATE KEY");
    let public =
        if private { PrivateKey::from_bytes(data)?.public_key().clone() } else { PublicKey::from_bytes(data)? };
    let format = match structure.label() {
        "RSA PRIVATE KEY" | "RSA PUBLIC KEY" => "pkcs1",
        "PRIVATE KEY" => "pkcs8",
        _ => "spki",
    };
    let armour = match armour {
        Armour::Der => "der",
        Armour::Base64 => "base64",
        _ => "pem",
    };
    let info = json!({
        "private": private,
        "bits": public.bits(),
        "fingerprint": public.fingerprint().to_string(),
        "format": format,
        "armour": armour,
    });
    Ok(info.to_string())
}

/// Encodes a private key. `form` is `pkcs8-pem`, `pkcs8-base64` or `pkcs1-der`.
///
/// # Errors
/// Returns [`Code::Usage`] if `form` has any other value.
pub fn write_private(key: &PrivateKey, form: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    match form {
        "pkcs8-pem" => Ok(Zeroizing::new(key.to_pkcs8_pem()?.as_bytes().to_vec())),
        "pkcs8-base64" => {
            let pem = key.to_pkcs8_pem()?;
            let body = pem.lines().filter(|line| !line.starts_with('-')).flat_map(str::bytes);
            Ok(Zeroizing::new(body.collect()))
        }
        "pkcs1-der" => Ok(Zeroizing::new(key.pkcs1_der().to_vec())),
        _ => Err(Failure::new(Code::Usage, "`form` of a private key must be pkcs8-pem, pkcs8-base64 or pkcs1-der")),
    }
}

/// Encodes a public key. `form` is `spki-pem`, `spki-base64` or `spki-der`.
///
/// # Errors
/// Returns [`Code::Usage`] if `form` has any other value.
pub fn write_public(key: &PublicKey, form: &str) -> Result<Vec<u8>, Failure> {
    match form {
        "spki-pem" => Ok(key.to_spki_pem().into_bytes()),
        "spki-base64" => Ok(key.to_base64().into_bytes()),
        "spki-der" => Ok(key.spki_der().to_vec()),
        _ => Err(Failure::new(Code::Usage, "`form` of a public key must be spki-pem, spki-base64 or spki-der")),
    }
}

/// Generates a key pair.
///
/// # Errors
/// Returns [`Code::Key`] if the key size is not supported.
pub fn generate(bits: usize) -> Result<PrivateKey, Failure> {
    if !bits.is_multiple_of(128) {
        return Err(Failure::new(Code::Key, format!("cannot generate a key of {bits} bits: use a multiple of 128")));
    }
    Ok(backend::BACKEND.generate(bits)?)
}

/// Creates a keyring. The first own key is used for signing, and all own keys for decryption. The first peer key is
/// used for encryption, and all peer keys for verification.
///
/// # Errors
/// Returns [`Code::Key`] if a key cannot be used.
pub fn keyring(own: &[&PrivateKey], peer: &[&PublicKey]) -> Result<Keyring, Failure> {
    let mut builder = Keyring::builder().backend(&backend::BACKEND);
    for (at, key) in own.iter().copied().enumerate() {
        builder = if at == 0 { builder.own_key(key) } else { builder.decryption_key(key) };
    }
    for (at, key) in peer.iter().copied().enumerate() {
        builder = if at == 0 { builder.peer_key(key) } else { builder.verification_key(key) };
    }
    Ok(builder.build()?)
}

/// Signs a body for PayBy or PayerMax, and returns the value of the `sign` header.
///
/// # Errors
/// Returns a [`Failure`] if the key cannot be used to sign.
pub fn sign(key: &PrivateKey, body: &[u8]) -> Result<String, Failure> {
    Ok(detached::sign(&*backend::private(key)?, body)?)
}

/// Verifies a `sign` header with the given keys, and returns the fingerprint of the key that verified the signature.
///
/// # Errors
/// Returns [`Code::NotAuthentic`] if no key verifies the signature.
pub fn verify(keys: &[PublicKey], body: &[u8], sign: &str) -> Result<String, Failure> {
    let keys = keys.iter().map(backend::public).collect::<Result<Vec<_>, _>>()?;
    Ok(detached::Verifier::new(keys)?.verify(body, sign)?.to_string())
}

/// Decrypts concatenated RSA PKCS#1 v1.5 blocks.
///
/// **An attacker who can observe whether decryption succeeds can use this function as a padding oracle.** Use the
/// function only in tools, never in a server.
///
/// # Errors
/// Returns [`Code::NotAuthentic`] if decryption fails for any reason.
pub fn hazmat_decrypt_blocks(key: &PrivateKey, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    Ok(paytend_crypto::hazmat::decrypt_blocks(&*backend::private(key)?, ciphertext)?)
}

/// Generates a unique 32-character request identifier.
///
/// # Errors
/// Returns [`Code::Unavailable`] if the random source fails.
pub fn request_id() -> Result<String, Failure> {
    Ok(RequestId::generate()?.as_str().to_owned())
}
