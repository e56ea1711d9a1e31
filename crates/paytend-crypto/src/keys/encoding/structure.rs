//! Recognizes DER structures, both of supported keys and of unsupported formats.

use pkcs1::der::asn1::{AnyRef, ObjectIdentifier};
use pkcs1::der::{Decode as _, Tag, Tagged as _};
use pkcs8::PrivateKeyInfoRef;
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

use super::key_data::KeyData;
use super::{der, encrypted};
use crate::keys::error::{Encryption, KeyError};
use crate::keys::foreign::{ForeignKey, KeyAlgorithm};
use crate::keys::form::KeyStructure;

/// A DER structure.
pub(super) enum Structure {
    Key(KeyStructure, KeyData),
    /// The key, issuer and subject of a certificate.
    Certificate(Result<KeyData, KeyError>, Names),
    Encrypted(Encryption),
}

/// The issuer and the subject of a certificate, as DER.
pub(super) struct Names {
    pub(super) issuer: Vec<u8>,
    pub(super) subject: Vec<u8>,
}

/// Reads a DER structure.
pub(super) fn read(data: &[u8]) -> Result<Structure, KeyError> {
    let present = data.len();
    let der = match der::announced(data) {
        Some(announced) if announced > present => return Err(KeyError::Truncated { announced, present }),
        // A newline can follow the DER at the end of a file.
        Some(announced) if data[announced..].iter().all(u8::is_ascii_whitespace) => &data[..announced],
        Some(announced) => return Err(KeyError::TrailingData { announced, extra: present - announced }),
        None if matches!(data, [0x30, 0x80, 0x02, 0x01, 0x03, ..]) => return Err(ForeignKey::Pkcs12.into()),
        None => data,
    };
    if let Ok(info) = PrivateKeyInfoRef::from_der(der) {
        require_rsa(&info.algorithm)?;
        let key = pkcs1_private(info.private_key.as_bytes())?.ok_or(KeyError::Encoding)?;
        return Ok(Structure::Key(KeyStructure::Pkcs8, key));
    }
    if let Ok(info) = SubjectPublicKeyInfoRef::from_der(der) {
        return Ok(Structure::Key(KeyStructure::Spki, spki(&info)?));
    }
    if let Some(key) = pkcs1_private(der)? {
        return Ok(Structure::Key(KeyStructure::Pkcs1Private, key));
    }
    if let Some(key) = pkcs1_public(der) {
        return Ok(Structure::Key(KeyStructure::Pkcs1Public, key));
    }
    let parts = AnyRef::from_der(der).map(der::children).unwrap_or_default();
    if let Some((key, names)) = certificate(&parts) {
        return Ok(Structure::Certificate(key, names));
    }
    match encrypted::encryption(&parts) {
        Some(encryption) => Ok(Structure::Encrypted(encryption)),
        None => Err(foreign(&parts).map_or(KeyError::Encoding, KeyError::from)),
    }
}

fn tags(elements: &[AnyRef<'_>]) -> Vec<Tag> {
    elements.iter().map(|element| element.tag()).collect()
}

/// Returns the key of a certificate: the `SubjectPublicKeyInfo` in its `TBSCertificate` (RFC 5280, 4.1).
fn certificate(parts: &[AnyRef<'_>]) -> Option<(Result<KeyData, KeyError>, Names)> {
    let [signed, algorithm, signature] = parts else { return None };
    if (algorithm.tag(), signature.tag()) != (Tag::Sequence, Tag::BitString) {
        return None;
    }
    let fields = der::children(*signed);
    // The version field is absent in v1 certificates.
    let fields = match fields.as_slice() {
        [version, rest @ ..] if version.tag().is_context_specific() => rest,
        all => all,
    };
    let [serial, _, issuer, _, subject, key, ..] = fields else { return None };
    if serial.tag() != Tag::Integer {
        return None;
    }
    let info: SubjectPublicKeyInfoRef<'_> = key.decode_as().ok()?;
    let names = Names { issuer: issuer.value().to_vec(), subject: subject.value().to_vec() };
    Some((spki(&info), names))
}

/// Recognizes unsupported structures by the types of their elements.
fn foreign(parts: &[AnyRef<'_>]) -> Option<ForeignKey> {
    let version = |number: u8| parts.first().is_some_and(|first| first.value() == [number]);
    match tags(parts).as_slice() {
        // PFX (RFC 7292): version 3 and a ContentInfo.
        [Tag::Integer, Tag::Sequence, ..] if version(3) => Some(ForeignKey::Pkcs12),
        // ContentInfo (RFC 5652): signed data, which is used to transfer certificates.
        [Tag::ObjectIdentifier, ..] => Some(ForeignKey::Pkcs7),
        // ECPrivateKey (RFC 5915).
        [Tag::Integer, Tag::OctetString, ..] if version(1) => Some(KeyAlgorithm::Ec.into()),
        // DSAPrivateKey: version, p, q, g, public key and private key.
        [Tag::Integer, Tag::Integer, Tag::Integer, Tag::Integer, Tag::Integer, Tag::Integer] => {
            Some(KeyAlgorithm::Dsa.into())
        }
        // CertificationRequest (RFC 2986).
        [Tag::Sequence, Tag::Sequence, Tag::BitString] => {
            let signed = der::children(parts[0]);
            if is_revocation_list(&signed) {
                return Some(ForeignKey::RevocationList);
            }
            let key = signed.get(2)?;
            key.decode_as::<SubjectPublicKeyInfoRef<'_>>().ok().map(|_| ForeignKey::CertificateRequest)
        }
        _ => None,
    }
}

/// Returns whether the elements are those of a `TBSCertList` (RFC 5280, 5.1): a version, an algorithm, an issuer and a
/// time.
fn is_revocation_list(elements: &[AnyRef<'_>]) -> bool {
    let tags = tags(elements);
    let tags = tags.strip_prefix(&[Tag::Integer]).unwrap_or(&tags);
    matches!(tags, [Tag::Sequence, Tag::Sequence, Tag::UtcTime | Tag::GeneralizedTime, ..])
}

fn spki(info: &SubjectPublicKeyInfoRef<'_>) -> Result<KeyData, KeyError> {
    require_rsa(&info.algorithm)?;
    info.subject_public_key.as_bytes().and_then(pkcs1_public).ok_or(KeyError::Encoding)
}

fn require_rsa(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<(), KeyError> {
    if algorithm.oid == pkcs1::ALGORITHM_OID { Ok(()) } else { Err(algorithm_of(algorithm.oid).into()) }
}

fn algorithm_of(oid: ObjectIdentifier) -> ForeignKey {
    KeyAlgorithm::by_oid(&oid.to_string()).into()
}

/// Reads an `RSAPrivateKey`. Returns `None` for any other structure.
fn pkcs1_private(der: &[u8]) -> Result<Option<KeyData>, KeyError> {
    match pkcs1::RsaPrivateKeyRef::from_der(der) {
        Ok(key) if key.other_prime_infos.is_some() => Err(ForeignKey::MultiPrime.into()),
        Ok(_) => Ok(Some(KeyData::Private(Zeroizing::new(der.to_vec())))),
        Err(_) => Ok(None),
    }
}

fn pkcs1_public(der: &[u8]) -> Option<KeyData> {
    let key = pkcs1::RsaPublicKeyRef::from_der(der).ok()?;
    Some(KeyData::Public {
        modulus: key.modulus.as_bytes().to_vec(),
        exponent: key.public_exponent.as_bytes().to_vec(),
    })
}
