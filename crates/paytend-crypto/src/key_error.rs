//! Why a key cannot be read or used.

use std::fmt;

use crate::keys::{ForeignKey, KeyStructure};

/// A key that cannot be read or used, and what to do about it. No text of it shows any part of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// None of the encodings that are read.
    #[error("not an RSA key in PEM, DER or base64 (PKCS#1, PKCS#8, SubjectPublicKeyInfo or X.509 certificate)")]
    Encoding,
    /// Nothing is there.
    #[error("there is no key: the text or file is empty")]
    Empty,
    /// More is there than any key needs.
    #[error("the file is longer than {limit} bytes, which no key is")]
    TooLong {
        /// The limit in bytes.
        limit: u64,
    },
    /// A private key protected by a passphrase.
    #[error("{0}")]
    Encrypted(Encryption),
    /// The passphrase does not decrypt the private key.
    #[error("the passphrase does not decrypt the private key")]
    Passphrase,
    /// A file or text that holds a key in another form, or something else that is known.
    #[error("{0}")]
    Foreign(ForeignKey),
    /// A public key where a private one belongs.
    #[error("a private key was expected, and this is a {0}; give the private key that belongs to it")]
    PublicGiven(KeyStructure),
    /// A private key where a public one belongs.
    #[error(
        "a public key was expected, and this is a {0}, which should not leave its owner; write its public key with \
         `openssl pkey -in FILE -pubout -out public.pem`"
    )]
    PrivateGiven(KeyStructure),
    /// The end is missing.
    #[error(
        "the key is truncated: {announced} bytes of DER are announced, and {present} are there; {} are missing",
        announced.saturating_sub(*present)
    )]
    Truncated {
        /// The length that the outermost structure of DER announces, in bytes.
        announced: usize,
        /// The length of what is there, in bytes.
        present: usize,
    },
    /// Something follows the key.
    #[error("{extra} bytes follow the {announced} bytes of the key's DER; remove them")]
    TrailingData {
        /// The length that the outermost structure of DER announces, in bytes.
        announced: usize,
        /// The length of what follows, in bytes.
        extra: usize,
    },
    /// A line of PEM armour is missing or wrong.
    #[error("line {line}: {problem}")]
    Armour {
        /// The line, from 1. Escaped line ends count as line ends.
        line: usize,
        /// What is wrong with it.
        problem: ArmourProblem,
    },
    /// A character that is not base64, or one too many.
    #[error("line {line}: the base64 is damaged; copy the key again")]
    Base64 {
        /// The line, from 1. Escaped line ends count as line ends.
        line: usize,
    },
    /// Several different keys, and nothing says which is meant.
    #[error(
        "there are {count} different {} keys here; give the one that is meant",
        if *.private { "private" } else { "public" }
    )]
    Ambiguous {
        /// How many there are.
        count: usize,
        /// Whether they are private keys.
        private: bool,
    },
    /// The modulus is outside 1024 to 8192 bits.
    #[error("the modulus has {0} bits; 1024 to 8192 are supported")]
    Size(usize),
    /// The numbers are not those of a valid RSA key.
    #[error("the numbers in the key do not make a valid RSA key")]
    Invalid,
    /// The content of a file is not the key that was expected.
    #[error("{path}: {problem}")]
    InFile {
        /// The file's path as given.
        path: String,
        /// What is wrong with the content.
        problem: Box<KeyError>,
    },
    /// A file could not be read.
    #[error("cannot read the key file {path}: {kind}")]
    File {
        /// The file's path as given.
        path: String,
        /// The system's answer.
        kind: std::io::ErrorKind,
    },
    /// Others than its owner have access to the file of a private key.
    #[error(
        "the private key file {path} is open to other users (mode {mode:o}); make it 0600, or, for a secret that a \
         container platform mounts, set PAYTEND_DANGER_ANY_PERMISSIONS=1"
    )]
    Permissions {
        /// The file's path as given.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// The keyring has no key for what was asked of it.
    #[error("the keyring has no key to {0}")]
    Absent(&'static str),
}

impl From<ForeignKey> for KeyError {
    fn from(foreign: ForeignKey) -> Self {
        Self::Foreign(foreign)
    }
}

impl KeyError {
    /// Returns the error without the file that it is about.
    #[must_use]
    pub fn problem(&self) -> &Self {
        match self {
            Self::InFile { problem, .. } => problem.problem(),
            other => other,
        }
    }

    /// Adds the file's path, unless the error holds it already.
    pub(crate) fn in_file(self, path: &std::path::Path) -> Self {
        match self {
            named @ (Self::InFile { .. } | Self::File { .. } | Self::Permissions { .. }) => named,
            other => Self::InFile { path: path.display().to_string(), problem: Box::new(other) },
        }
    }
}

/// How a private key is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Encryption {
    /// The format around the encrypted key.
    pub format: EncryptedFormat,
    /// The names of its algorithms, such as `PBES2 with PBKDF2 and AES-256-CBC`.
    pub scheme: String,
    /// Whether this build reads the key if it is given the passphrase.
    pub readable: bool,
}

/// The formats of encrypted private keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EncryptedFormat {
    /// `EncryptedPrivateKeyInfo`: PKCS#8. Read with a [`Passphrase`](crate::Passphrase).
    Pkcs8,
    /// A PEM with `Proc-Type` and `DEK-Info` headers, as OpenSSL wrote it before version 1.0.
    Traditional,
}

impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = &self.scheme;
        let (format, command) = match self.format {
            EncryptedFormat::Pkcs8 => ("PKCS#8", "pkey"),
            EncryptedFormat::Traditional => ("traditional PEM", "rsa"),
        };
        let remedy = if self.readable { "; give its passphrase, or" } else { ", which is not supported here;" };
        write!(
            f,
            "the private key is encrypted ({format}: {scheme}){remedy} decrypt it with `openssl {command} -in FILE \
             -out private.pem`"
        )?;
        let old = ["DES-CBC", "RC2", "RC4", "-DES", "MD2", "DES-CFB", "IDEA", "BF-"];
        let legacy = !scheme.contains("DES-EDE3") && old.iter().any(|name| scheme.contains(name));
        if legacy { f.write_str("; add `-provider legacy -provider default` with OpenSSL 3") } else { Ok(()) }
    }
}

/// What is wrong with a line of PEM armour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ArmourProblem {
    /// The line that begins the armour is not written as it must be.
    #[error("this line must be `-----BEGIN LABEL-----`, in capitals, with five hyphens on both sides")]
    Begin,
    /// The line that ends the armour is not written as it must be.
    #[error("this line must be `-----END LABEL-----`, in capitals, with five hyphens on both sides")]
    End,
    /// The lines that begin and end the armour have different labels.
    #[error("the label of this END line is not that of the BEGIN line before it")]
    EndLabel,
    /// The armour that begins in this line has no end.
    #[error("the armour that begins in this line has no END line; copy the key again, whole")]
    EndMissing,
    /// The armour that ends in this line has no beginning.
    #[error("this END line has no BEGIN line before it; copy the key again, whole")]
    BeginMissing,
}
