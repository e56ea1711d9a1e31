//! Reads and writes the encodings in which RSA keys travel: PEM, DER and base64 of DER, each as PKCS#1 or as
//! PKCS#8/SubjectPublicKeyInfo. Which one it is shows in the data; nobody has to say.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pkcs1::der::asn1::{AnyRef, BitStringRef, OctetStringRef, UintRef};
use pkcs1::der::{Decode, Encode};
use pkcs8::PrivateKeyInfoRef;
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

use crate::KeyError;

/// A key's data, whichever way it was written.
pub(crate) enum Decoded {
    /// A private key as PKCS#1 DER.
    Private(Zeroizing<Vec<u8>>),
    /// A public key's modulus and exponent, big-endian.
    Public { modulus: Vec<u8>, exponent: Vec<u8> },
}

/// How a key is written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyForm {
    /// The structure of its DER.
    pub structure: KeyStructure,
    /// How the DER is wrapped.
    pub armour: Armour,
}

/// The structures of an RSA key in DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyStructure {
    /// `RSAPrivateKey`: PKCS#1.
    Pkcs1Private,
    /// `RSAPublicKey`: PKCS#1.
    Pkcs1Public,
    /// `PrivateKeyInfo`: PKCS#8.
    Pkcs8,
    /// `SubjectPublicKeyInfo`: X.509.
    Spki,
}

impl KeyStructure {
    /// The label of its PEM.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pkcs1Private => "RSA PRIVATE KEY",
            Self::Pkcs1Public => "RSA PUBLIC KEY",
            Self::Pkcs8 => "PRIVATE KEY",
            Self::Spki => "PUBLIC KEY",
        }
    }
}

/// How a key's DER is wrapped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Armour {
    /// Not at all.
    Der,
    /// In base64 without anything around it: how keys of Paytend and PayerMax travel.
    Base64,
    /// In PEM, with this label. It may be another one than the structure's, which this crate does not mind and other libraries do.
    Pem(String),
}

/// Reads a key in any of the encodings.
pub(crate) fn decode(data: &[u8]) -> Result<Decoded, KeyError> {
    Ok(read(data)?.1)
}

/// How a key is written.
pub(crate) fn form(data: &[u8]) -> Result<KeyForm, KeyError> {
    Ok(read(data)?.0)
}

fn read(data: &[u8]) -> Result<(KeyForm, Decoded), KeyError> {
    // DER is a SEQUENCE, whose first byte is 0x30. It may end in a byte that would be white space in a text.
    if data.first() == Some(&0x30)
        && let Ok((structure, key)) = decode_der(data)
    {
        return Ok((KeyForm { structure, armour: Armour::Der }, key));
    }
    match find(data, b"-----BEGIN ") {
        Some(armoured) => decode_pem(&data[armoured..]),
        None => {
            let (structure, key) = decode_der(&unarmour(data.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(data))?)?;
            Ok((KeyForm { structure, armour: Armour::Base64 }, key))
        }
    }
}

fn decode_pem(data: &[u8]) -> Result<(KeyForm, Decoded), KeyError> {
    let label_start = b"-----BEGIN ".len();
    let label_end = label_start + find(&data[label_start..], b"-----").ok_or(KeyError::Encoding)?;
    let label = &data[label_start..label_end];
    let body = &data[label_end + b"-----".len()..];
    let body = &body[..find(body, b"-----END ").ok_or(KeyError::Encoding)?];
    match label {
        b"ENCRYPTED PRIVATE KEY" => return Err(KeyError::Encrypted),
        b"RSA PRIVATE KEY" if find(body, b"Proc-Type:").is_some() => return Err(KeyError::Encrypted),
        b"EC PRIVATE KEY" | b"DSA PRIVATE KEY" => return Err(KeyError::NotRsa),
        _ => {}
    }
    let (structure, key) = decode_der(&unarmour(body)?)?;
    let label = String::from_utf8_lossy(label).chars().take(64).collect();
    Ok((KeyForm { structure, armour: Armour::Pem(label) }, key))
}

/// Base64 with any white space in it, to bytes.
fn unarmour(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    // Sized once: growing would leave copies of a private key behind.
    let mut compact = Zeroizing::new(Vec::with_capacity(text.len()));
    compact.extend(text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()));
    STANDARD.decode(&*compact).map(Zeroizing::new).map_err(|_| KeyError::Encoding)
}

fn decode_der(der: &[u8]) -> Result<(KeyStructure, Decoded), KeyError> {
    if let Ok(info) = PrivateKeyInfoRef::from_der(der) {
        require_rsa(&info.algorithm)?;
        return Ok((KeyStructure::Pkcs8, decode_pkcs1_private(info.private_key.as_bytes())?));
    }
    if let Ok(info) = SubjectPublicKeyInfoRef::from_der(der) {
        require_rsa(&info.algorithm)?;
        let inner = info.subject_public_key.as_bytes().ok_or(KeyError::Encoding)?;
        return Ok((KeyStructure::Spki, decode_pkcs1_public(inner)?));
    }
    match decode_pkcs1_private(der) {
        Ok(key) => Ok((KeyStructure::Pkcs1Private, key)),
        Err(_) => Ok((KeyStructure::Pkcs1Public, decode_pkcs1_public(der)?)),
    }
}

fn require_rsa(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<(), KeyError> {
    if algorithm.oid == pkcs1::ALGORITHM_OID { Ok(()) } else { Err(KeyError::NotRsa) }
}

fn decode_pkcs1_private(der: &[u8]) -> Result<Decoded, KeyError> {
    pkcs1::RsaPrivateKeyRef::from_der(der).map_err(|_| KeyError::Encoding)?;
    Ok(Decoded::Private(Zeroizing::new(der.to_vec())))
}

fn decode_pkcs1_public(der: &[u8]) -> Result<Decoded, KeyError> {
    let key = pkcs1::RsaPublicKeyRef::from_der(der).map_err(|_| KeyError::Encoding)?;
    Ok(Decoded::Public { modulus: key.modulus.as_bytes().to_vec(), exponent: key.public_exponent.as_bytes().to_vec() })
}

/// The public half of a private key in PKCS#1 DER: modulus and exponent.
pub(crate) fn public_half(pkcs1_der: &[u8]) -> Result<(Vec<u8>, Vec<u8>), KeyError> {
    let key = pkcs1::RsaPrivateKeyRef::from_der(pkcs1_der).map_err(|_| KeyError::Encoding)?;
    Ok((key.modulus.as_bytes().to_vec(), key.public_exponent.as_bytes().to_vec()))
}

/// SubjectPublicKeyInfo DER of a public key.
pub(crate) fn spki_der(modulus: &[u8], exponent: &[u8]) -> Result<Vec<u8>, KeyError> {
    let key = pkcs1::RsaPublicKeyRef {
        modulus: UintRef::new(modulus).map_err(|_| KeyError::Invalid)?,
        public_exponent: UintRef::new(exponent).map_err(|_| KeyError::Invalid)?,
    };
    let inner = key.to_der().map_err(|_| KeyError::Invalid)?;
    let info = SubjectPublicKeyInfoRef {
        algorithm: rsa_algorithm(),
        subject_public_key: BitStringRef::from_bytes(&inner).map_err(|_| KeyError::Invalid)?,
    };
    info.to_der().map_err(|_| KeyError::Invalid)
}

/// PKCS#8 DER around a PKCS#1 private key.
pub(crate) fn pkcs8_der(pkcs1_der: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let inner = OctetStringRef::new(pkcs1_der).map_err(|_| KeyError::Invalid)?;
    let info = PrivateKeyInfoRef::new(rsa_algorithm(), inner);
    info.to_der().map(Zeroizing::new).map_err(|_| KeyError::Invalid)
}

fn rsa_algorithm() -> AlgorithmIdentifierRef<'static> {
    AlgorithmIdentifierRef { oid: pkcs1::ALGORITHM_OID, parameters: Some(AnyRef::NULL) }
}

/// PEM armour with lines of 64 characters.
pub(crate) fn armour(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    // Sized once, so that no copy of a secret is left behind by growing.
    let mut out = Zeroizing::new(String::with_capacity(body.len() + body.len() / 64 + 2 * label.len() + 64));
    out.push_str("-----BEGIN ");
    out.push_str(label);
    out.push_str("-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str("-----END ");
    out.push_str(label);
    out.push_str("-----\n");
    out
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
