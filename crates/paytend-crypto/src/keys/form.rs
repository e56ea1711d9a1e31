//! The format of a key: its DER structure and how the DER is encoded.

use std::fmt;

/// The format of a key: its DER structure, the encoding of the DER (the armour), and any further encodings around it
/// (the wrappings).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyForm {
    /// The DER structure.
    pub structure: KeyStructure,
    /// The encoding of the DER.
    pub armour: Armour,
    /// Whether the key was encrypted with a passphrase. If so, `structure` is the decrypted structure.
    pub encrypted: bool,
    /// The encodings, escapes and quotes around the key that were removed, outermost first.
    pub wrappings: Vec<Wrapping>,
}

/// A DER structure that contains an RSA key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyStructure {
    /// PKCS#1 private key (`RSAPrivateKey`).
    Pkcs1Private,
    /// PKCS#1 public key (`RSAPublicKey`).
    Pkcs1Public,
    /// PKCS#8 private key (`PrivateKeyInfo`).
    Pkcs8,
    /// X.509 public key (`SubjectPublicKeyInfo`).
    Spki,
    /// X.509 certificate (`Certificate`). Only its key is read; nothing else in it is checked.
    Certificate,
}

impl KeyStructure {
    /// Returns the PEM label of the structure.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pkcs1Private => "RSA PRIVATE KEY",
            Self::Pkcs1Public => "RSA PUBLIC KEY",
            Self::Pkcs8 => "PRIVATE KEY",
            Self::Spki => "PUBLIC KEY",
            Self::Certificate => "CERTIFICATE",
        }
    }

    /// Returns whether the structure contains a private key.
    pub const fn is_private(self) -> bool {
        matches!(self, Self::Pkcs1Private | Self::Pkcs8)
    }
}

/// Writes the structure's name, such as `PKCS#8 private key`.
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

/// The encoding of a key's DER.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Armour {
    /// Binary DER.
    Der,
    /// Bare base64, the format that Paytend and PayerMax use to exchange keys.
    Base64,
    /// PEM with this label. This crate accepts a label that does not match the structure; other libraries might refuse
    /// it.
    Pem(String),
}

/// An encoding, an escape or a quote that surrounds a key and is removed before the key is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Wrapping {
    /// Base64 of the whole input.
    Base64,
    /// UTF-16 or UTF-32 instead of UTF-8.
    WideCharacters,
    /// A byte order mark.
    ByteOrderMark,
    /// No-break spaces, zero-width spaces and similar characters.
    InvisibleCharacters,
    /// Escapes such as `\n` or `%0A` for newlines and other characters.
    Escapes,
    /// Quotes, a `NAME=` prefix, a `data:` URL or a document around the key.
    Quotes,
    /// The URL-safe base64 alphabet: `-` and `_`.
    UrlSafe,
    /// Base64 without padding.
    MissingPadding,
    /// Base64 whose `+` characters were replaced by spaces.
    SpacesForPlus,
    /// Hexadecimal digits that encode the DER, or text that contains the key.
    Hexadecimal,
}

/// Writes the wrapping's name in lower case, such as `base64 of the whole input`.
impl fmt::Display for Wrapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base64 => "base64 of the whole input",
            Self::WideCharacters => "UTF-16 or UTF-32",
            Self::ByteOrderMark => "byte order mark",
            Self::InvisibleCharacters => "invisible characters",
            Self::Escapes => "escaped characters",
            Self::Quotes => "quotes",
            Self::UrlSafe => "URL-safe base64",
            Self::MissingPadding => "missing padding",
            Self::SpacesForPlus => "spaces instead of plus signs",
            Self::Hexadecimal => "hexadecimal digits",
        })
    }
}
