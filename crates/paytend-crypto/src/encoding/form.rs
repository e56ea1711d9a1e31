//! The form of a key: its structure in DER, and what is wrapped around the DER.

use std::fmt;

/// How a key is written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyForm {
    /// The structure of its DER.
    pub structure: KeyStructure,
    /// How the DER is wrapped.
    pub armour: Armour,
    /// Whether the key was encrypted with a passphrase. The structure is the one inside.
    pub encrypted: bool,
    /// What was removed from around or inside the text before it could be read, outermost first.
    pub wrappings: Vec<Wrapping>,
}

/// The structures that hold an RSA key in DER.
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
    /// `Certificate`: X.509. Its key is read, and nothing else of it is checked.
    Certificate,
}

impl KeyStructure {
    /// Returns the label of its PEM.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pkcs1Private => "RSA PRIVATE KEY",
            Self::Pkcs1Public => "RSA PUBLIC KEY",
            Self::Pkcs8 => "PRIVATE KEY",
            Self::Spki => "PUBLIC KEY",
            Self::Certificate => "CERTIFICATE",
        }
    }

    /// Returns whether it holds a private key.
    pub const fn is_private(self) -> bool {
        matches!(self, Self::Pkcs1Private | Self::Pkcs8)
    }
}

/// Names the structure: `PKCS#8 private key`.
impl fmt::Display for KeyStructure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pkcs1Private => "PKCS#1 private key",
            Self::Pkcs1Public => "PKCS#1 public key",
            Self::Pkcs8 => "PKCS#8 private key",
            Self::Spki => "public key (SubjectPublicKeyInfo)",
            Self::Certificate => "X.509 certificate",
        })
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
    /// In PEM, with this label. This crate accepts a label that does not fit the structure; other libraries may not.
    Pem(String),
}

/// A part of a text's form that is not the key, and that reading removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Wrapping {
    /// Base64 around the whole text.
    Base64,
    /// UTF-16 or UTF-32 instead of UTF-8.
    WideCharacters,
    /// A byte order mark.
    ByteOrderMark,
    /// No-break spaces, zero-width spaces and the like.
    InvisibleCharacters,
    /// Escapes such as `\n` or `%0A` for line ends and other characters.
    Escapes,
    /// Quotes or a `NAME=` around the text.
    Quotes,
    /// The URL-safe alphabet of base64: `-` and `_`.
    UrlSafe,
    /// Base64 without its padding.
    MissingPadding,
}

/// Names the wrapping in lower case: `base64 of the whole text`.
impl fmt::Display for Wrapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base64 => "base64 of the whole text",
            Self::WideCharacters => "UTF-16 or UTF-32",
            Self::ByteOrderMark => "byte order mark",
            Self::InvisibleCharacters => "invisible characters",
            Self::Escapes => "escaped characters",
            Self::Quotes => "quotes",
            Self::UrlSafe => "URL-safe base64",
            Self::MissingPadding => "missing padding",
        })
    }
}
