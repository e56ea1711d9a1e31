//! Identifies the encryption of private keys and, with the `encrypted-keys` feature, decrypts them.

use pkcs1::der::Tag;
use pkcs1::der::Tagged as _;
use pkcs1::der::asn1::{AnyRef, ObjectIdentifier};
use zeroize::Zeroizing;

use super::der::children;
use crate::keys::error::{EncryptedFormat, Encryption, KeyError};
use crate::keys::passphrase::Passphrase;

/// Returns the encryption scheme of an `EncryptedPrivateKeyInfo` (RFC 5958, section 3), given the elements of its
/// SEQUENCE.
pub(super) fn encryption(parts: &[AnyRef<'_>]) -> Option<Encryption> {
    let [algorithm, data] = parts else { return None };
    if data.tag() != Tag::OctetString {
        return None;
    }
    let algorithm = children(*algorithm);
    let scheme = oid(algorithm.first()?)?;
    let pbes2 = match scheme.as_str() {
        "1.2.840.113549.1.5.13" => Some(pbes2(&children(algorithm.get(1).copied().unwrap_or(AnyRef::NULL)))),
        _ => None,
    };
    let readable = pbes2.is_some() && cfg!(feature = "encrypted-keys");
    let scheme = pbes2.or_else(|| pbes1(&scheme).map(str::to_owned)).unwrap_or_else(|| format!("the scheme {scheme}"));
    Some(Encryption { format: EncryptedFormat::Pkcs8, scheme, readable })
}

/// Returns the encryption scheme of a traditional PEM key. `body` includes the block's `Proc-Type` and `DEK-Info`
/// headers.
pub(super) fn traditional(body: &[u8]) -> Option<Encryption> {
    const HEADER: &[u8] = b"DEK-Info:";
    memchr::memmem::find(body, b"ENCRYPTED").filter(|_| memchr::memmem::find(body, b"Proc-Type:").is_some())?;
    let cipher: String = memchr::memmem::find(body, HEADER).map_or_else(String::new, |at| {
        let value = body[at + HEADER.len()..].trim_ascii_start();
        let plain = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'-';
        value.iter().take(32).take_while(plain).map(|byte| char::from(*byte)).collect()
    });
    let scheme = if cipher.is_empty() { "an unknown cipher".to_owned() } else { cipher };
    Some(Encryption { format: EncryptedFormat::Traditional, scheme, readable: false })
}

fn oid(any: &AnyRef<'_>) -> Option<String> {
    any.decode_as::<ObjectIdentifier>().ok().map(|oid| oid.to_string())
}

/// Returns the name of an encryption scheme from PKCS#5 version 1.5 or PKCS#12.
fn pbes1(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "1.2.840.113549.1.5.1" => "PBE-MD2-DES",
        "1.2.840.113549.1.5.3" => "PBE-MD5-DES",
        "1.2.840.113549.1.5.4" => "PBE-MD2-RC2-64",
        "1.2.840.113549.1.5.6" => "PBE-MD5-RC2-64",
        "1.2.840.113549.1.5.10" => "PBE-SHA1-DES",
        "1.2.840.113549.1.5.11" => "PBE-SHA1-RC2-64",
        "1.2.840.113549.1.12.1.1" => "PBE-SHA1-RC4-128",
        "1.2.840.113549.1.12.1.2" => "PBE-SHA1-RC4-40",
        "1.2.840.113549.1.12.1.3" => "PBE-SHA1-3DES",
        "1.2.840.113549.1.12.1.4" => "PBE-SHA1-2DES",
        "1.2.840.113549.1.12.1.5" => "PBE-SHA1-RC2-128",
        "1.2.840.113549.1.12.1.6" => "PBE-SHA1-RC2-40",
        _ => return None,
    })
}

/// Returns the names of the PBES2 key derivation and cipher.
fn pbes2(parameters: &[AnyRef<'_>]) -> String {
    let name = |at: usize| {
        let algorithm = parameters.get(at).map(|any| children(*any)).unwrap_or_default();
        let oid = algorithm.first().and_then(oid).unwrap_or_default();
        match oid.as_str() {
            "1.2.840.113549.1.5.12" => "PBKDF2".to_owned(),
            "1.3.6.1.4.1.11591.4.11" => "scrypt".to_owned(),
            "1.3.14.3.2.7" => "DES-CBC".to_owned(),
            "1.2.840.113549.3.2" => "RC2-CBC".to_owned(),
            "1.2.840.113549.3.7" => "DES-EDE3-CBC".to_owned(),
            "2.16.840.1.101.3.4.1.2" => "AES-128-CBC".to_owned(),
            "2.16.840.1.101.3.4.1.22" => "AES-192-CBC".to_owned(),
            "2.16.840.1.101.3.4.1.42" => "AES-256-CBC".to_owned(),
            "2.16.840.1.101.3.4.1.6" => "AES-128-GCM".to_owned(),
            "2.16.840.1.101.3.4.1.46" => "AES-256-GCM".to_owned(),
            "" => "an unknown algorithm".to_owned(),
            other => other.to_owned(),
        }
    };
    format!("PBES2 with {} and {}", name(0), name(1))
}

/// Decrypts an `EncryptedPrivateKeyInfo` and returns the `PrivateKeyInfo` in it.
#[cfg(feature = "encrypted-keys")]
pub(super) fn decrypt(
    der: &[u8],
    encryption: &Encryption,
    passphrase: &Passphrase,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    use pkcs8::EncryptedPrivateKeyInfoRef;
    use pkcs8::pkcs5::{EncryptionScheme, Error};

    use crate::keys::encoding::der::{is_cut, looks_like};

    /// The maximum number of key derivation rounds. This many rounds take half a minute on a slow machine.
    const MAX_ROUNDS: u32 = 10_000_000;
    /// The maximum memory that a key derivation may use, in bytes.
    const MAX_MEMORY: u64 = 256 << 20;

    let unsupported = || KeyError::Encrypted(Encryption { readable: false, ..encryption.clone() });
    let info = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| unsupported())?;
    let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm else { return Err(unsupported()) };
    let affordable = match (parameters.kdf.pbkdf2(), parameters.kdf.scrypt()) {
        (Some(pbkdf2), _) => pbkdf2.iteration_count <= MAX_ROUNDS,
        (_, Some(scrypt)) => {
            let blocks = scrypt.cost_parameter.saturating_mul(scrypt.block_size.into());
            let work = blocks.saturating_mul(scrypt.parallelization.into());
            blocks <= MAX_MEMORY / 128 && work <= 4 * MAX_MEMORY / 128
        }
        _ => false,
    };
    if !affordable {
        return Err(unsupported());
    }
    let mut buffer = Zeroizing::new(info.encrypted_data.as_bytes().to_vec());
    let length = match parameters.decrypt_in_place(passphrase.as_bytes(), &mut buffer) {
        Ok(plain) => plain.len(),
        Err(Error::DecryptFailed) => return Err(KeyError::Passphrase),
        Err(_) => return Err(unsupported()),
    };
    buffer.truncate(length);
    // A wrong passphrase passes the padding check in about one case in 256. The decrypted data is then meaningless.
    match looks_like(&buffer) && !is_cut(&buffer) {
        true => Ok(buffer),
        false => Err(KeyError::Passphrase),
    }
}

/// Returns [`KeyError::Encrypted`], because the `encrypted-keys` feature is not enabled.
#[cfg(not(feature = "encrypted-keys"))]
pub(super) fn decrypt(_: &[u8], encryption: &Encryption, _: &Passphrase) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    Err(KeyError::Encrypted(encryption.clone()))
}
