//! Writes keys as PKCS#8, SubjectPublicKeyInfo and PEM.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pkcs1::der::asn1::{AnyRef, BitStringRef, OctetStringRef, UintRef};
use pkcs1::der::{Decode, Encode};
use pkcs8::PrivateKeyInfoRef;
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

use crate::keys::error::KeyError;

/// Returns the modulus and exponent of a private key in PKCS#1 DER.
pub(crate) fn public_half(pkcs1_der: &[u8]) -> Result<(Vec<u8>, Vec<u8>), KeyError> {
    let key = pkcs1::RsaPrivateKeyRef::from_der(pkcs1_der).map_err(|_| KeyError::Encoding)?;
    Ok((key.modulus.as_bytes().to_vec(), key.public_exponent.as_bytes().to_vec()))
}

/// Returns a public key as SubjectPublicKeyInfo DER.
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

/// Returns a PKCS#1 private key as PKCS#8 DER.
pub(crate) fn pkcs8_der(pkcs1_der: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let inner = OctetStringRef::new(pkcs1_der).map_err(|_| KeyError::Invalid)?;
    let info = PrivateKeyInfoRef::new(rsa_algorithm(), inner);
    info.to_der().map(Zeroizing::new).map_err(|_| KeyError::Invalid)
}

fn rsa_algorithm() -> AlgorithmIdentifierRef<'static> {
    AlgorithmIdentifierRef { oid: pkcs1::ALGORITHM_OID, parameters: Some(AnyRef::NULL) }
}

/// Returns DER as PEM, with lines of 64 characters.
pub(crate) fn armour(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    // The buffer is allocated once, because growing it would leave copies of a secret in memory.
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
