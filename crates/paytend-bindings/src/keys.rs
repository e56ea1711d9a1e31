//! Keys, detached signatures, request identifiers.

use paytend_crypto::keys::{Armour, KeyForm, form};
use paytend_crypto::{Keyring, OsRandom, PrivateKey, PublicKey, RequestId, detached, rustcrypto};
use serde_json::json;
use zeroize::Zeroizing;

use crate::{Code, Failure, backend};

/// What a key is: JSON with `private`, `bits`, `fingerprint`, `format` (`pkcs1`, `pkcs8`, `spki`; of a certificate,
/// that of the key in it) and `armour` (`der`, `base64`, `pem`).
///
/// # Errors
/// [`Code::Key`].
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

/// A private key in writing: `pkcs8-pem`, `pkcs8-base64` or `pkcs1-der`.
///
/// # Errors
/// [`Code::Usage`] for another form.
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

/// A public key in writing: `spki-pem`, `spki-base64` or `spki-der`.
///
/// # Errors
/// [`Code::Usage`] for another form.
pub fn write_public(key: &PublicKey, form: &str) -> Result<Vec<u8>, Failure> {
    match form {
        "spki-pem" => Ok(key.to_spki_pem().into_bytes()),
        "spki-base64" => {
            let pem = key.to_spki_pem();
            Ok(pem.lines().filter(|line| !line.starts_with('-')).flat_map(str::bytes).collect())
        }
        "spki-der" => Ok(key.to_spki_der().to_vec()),
        _ => Err(Failure::new(Code::Usage, "`form` of a public key must be spki-pem, spki-base64 or spki-der")),
    }
}

/// A new key pair.
///
/// # Errors
/// [`Code::Key`] for a length that is not supported.
pub fn generate(bits: usize) -> Result<PrivateKey, Failure> {
    Ok(rustcrypto::generate(bits, &OsRandom)?)
}

/// A keyring: the first of our own keys signs, all decrypt; the other side's first key encrypts, all verify.
///
/// # Errors
/// [`Code::Key`].
pub fn keyring(own: &[&PrivateKey], peer: &[&PublicKey]) -> Result<Keyring, Failure> {
    let mut builder = Keyring::builder();
    for (at, key) in own.iter().enumerate() {
        let key = backend::private(key)?;
        builder = if at == 0 { builder.own_key(key) } else { builder.decryption_key(key) };
    }
    for (at, key) in peer.iter().enumerate() {
        let key = backend::public(key)?;
        builder = if at == 0 { builder.peer_key(key) } else { builder.verification_key(key) };
    }
    Ok(builder.build()?)
}

/// The `sign` header of PayBy's and PayerMax's.
///
/// # Errors
/// [`Failure`].
pub fn sign(key: &PrivateKey, body: &[u8]) -> Result<String, Failure> {
    Ok(detached::sign(&*backend::private(key)?, body)?)
}

/// Verifies a `sign` header with one of these keys; gives the fingerprint of the one that it is by.
///
/// # Errors
/// [`Code::NotAuthentic`], whatever is wrong.
pub fn verify(keys: &[PublicKey], body: &[u8], sign: &str) -> Result<String, Failure> {
    let keys = keys.iter().map(backend::public).collect::<Result<Vec<_>, _>>()?;
    Ok(detached::Verifier::new(keys)?.verify(body, sign)?.to_string())
}

/// Decrypts blocks of RSA PKCS#1 v1.5, joined. **Whether it fails tells an attacker about the private key**: for
/// tools, never for a server.
///
/// # Errors
/// [`Code::NotAuthentic`], whatever is wrong.
pub fn hazmat_decrypt_blocks(key: &PrivateKey, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    Ok(paytend_crypto::hazmat::decrypt_blocks(&*backend::private(key)?, ciphertext)?)
}

/// A new request identifier: 32 characters, unique.
///
/// # Errors
/// [`Code::Unavailable`].
pub fn request_id() -> Result<String, Failure> {
    Ok(RequestId::generate()?.as_str().to_owned())
}
