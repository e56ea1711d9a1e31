//! The error for keys that cannot be read or used.

use std::fmt;

use crate::keys::foreign::ForeignKey;
use crate::keys::form::KeyStructure;

/// The reason why a key cannot be read or used. Its messages explain how to fix the problem and never show any part of
/// a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The data is not in any of the supported encodings.
    #[error("not an RSA key in PEM, DER or base64 (PKCS#1, PKCS#8, SubjectPublicKeyInfo or X.509 certificate)")]
    Encoding,
    /// The input is empty.
    #[error("no key found: the input is empty")]
    Empty,
    /// The file is too long for a key file.
    #[error("the file is longer than {limit} bytes, the maximum for key files")]
    TooLong {
        /// The limit in bytes.
        limit: u64,
    },
    /// The private key is encrypted with a passphrase.
    #[error("{0}")]
    Encrypted(Encryption),
    /// The passphrase does not decrypt the private key.
    #[error("the passphrase does not decrypt the private key")]
    Passphrase,
    /// The input is a key in an unsupported format, or a different kind of file that this crate recognizes.
    #[error("{0}")]
    Foreign(ForeignKey),
    /// A public key was passed where a private key is expected.
    #[error("a private key was expected, but this is a {0}; use the matching private key")]
    PublicGiven(KeyStructure),
    /// A private key was passed where a public key is expected.
    #[error(
        "a public key was expected, but this is a {0}; keep it secret and write its public key with \
         `openssl pkey -in FILE -pubout -out public.pem`"
    )]
    PrivateGiven(KeyStructure),
    /// The end of the key is missing.
    #[error("the key is truncated: its DER header declares {announced} bytes, but only {present} are present")]
    Truncated {
        /// The length in the header of the outermost DER structure, in bytes.
        announced: usize,
        /// The length of the data, in bytes.
        present: usize,
    },
    /// The key is followed by other data.
    #[error("{extra} trailing bytes after the {announced}-byte DER key; remove the trailing bytes")]
    TrailingData {
        /// The length in the header of the outermost DER structure, in bytes.
        announced: usize,
        /// The length of the data after the key, in bytes.
        extra: usize,
    },
    /// A PEM BEGIN or END line is missing or invalid.
    #[error("line {line}: {problem}")]
    Armour {
        /// The line number, starting at 1. An escaped newline counts as a newline.
        line: usize,
        /// The problem in that line.
        problem: ArmourProblem,
    },
    /// The base64 has an invalid character, or one character too many.
    #[error("line {line}: the base64 is damaged; copy the key again")]
    Base64 {
        /// The line number, starting at 1. An escaped newline counts as a newline.
        line: usize,
    },
    /// The `+` characters of the base64 were replaced by spaces.
    #[error(
        "line {line}: '+' characters of the base64 were replaced by spaces; copy the key again, and write '+' as %2B \
         in a URL or form"
    )]
    PlusSigns {
        /// The line number of the first such space, starting at 1. An escaped newline counts as a newline.
        line: usize,
    },
    /// The beginning of the key is missing.
    #[error("the beginning of the key is missing; copy the whole key again")]
    HeadMissing,
    /// There are several different keys, and it is unclear which one to use.
    #[error(
        "found {count} different {} keys{}",
        if *.private { "private" } else { "public" },
        choice(.names, *.certificates)
    )]
    Ambiguous {
        /// The number of different keys.
        count: usize,
        /// Whether the keys are private keys.
        private: bool,
        /// The names of the variables or entries that contain the keys, if all have names.
        names: Vec<String>,
        /// Whether all keys come from certificates.
        certificates: bool,
    },
    /// The modulus is shorter than 1024 bits or longer than 8192 bits.
    #[error("the modulus has {0} bits; 1024 to 8192 are supported")]
    Size(usize),
    /// The key's components do not form a valid RSA key.
    #[error("the numbers in the key do not form a valid RSA key")]
    Invalid,
    /// The file does not contain the expected key.
    #[error("{path}: {problem}")]
    InFile {
        /// The file's path, as passed.
        path: String,
        /// The problem with the file's content.
        problem: Box<KeyError>,
    },
    /// The file cannot be read.
    #[error("cannot read the key file {path}: {kind}")]
    File {
        /// The file's path, as passed.
        path: String,
        /// The operating system's error.
        kind: std::io::ErrorKind,
    },
    /// Users other than the owner have access to a file with a secret.
    #[error(
        "{path} is accessible to other users (mode {mode:o}); set its mode to 0600 (`chmod 600`), or set \
         PAYTEND_DANGER_ANY_PERMISSIONS=1 if a container platform mounts it"
    )]
    Permissions {
        /// The file's path, as passed.
        path: String,
        /// The file's permission bits.
        mode: u32,
    },
    /// The keyring has no key for the requested operation.
    #[error("the keyring has no key to {0}")]
    Absent(&'static str),
}

/// Returns the end of the [`KeyError::Ambiguous`] message.
fn choice(names: &[String], certificates: bool) -> String {
    match names {
        _ if certificates => "; write the first certificate with `openssl x509 -in FILE -out leaf.pem`, and use only \
                              that file"
            .to_owned(),
        [first @ .., last] if !first.is_empty() => {
            format!(", in {} and {last}; choose one of them and provide only that key", first.join(", "))
        }
        _ => "; provide only the key to use".to_owned(),
    }
}

impl From<ForeignKey> for KeyError {
    fn from(foreign: ForeignKey) -> Self {
        Self::Foreign(foreign)
    }
}

impl KeyError {
    /// Returns the error without the file's path.
    #[must_use]
    pub fn problem(&self) -> &Self {
        match self {
            Self::InFile { problem, .. } => problem.problem(),
            other => other,
        }
    }

    /// Adds the file's path, unless the error already contains it.
    pub(crate) fn in_file(self, path: &std::path::Path) -> Self {
        match self {
            named @ (Self::InFile { .. } | Self::File { .. } | Self::Permissions { .. }) => named,
            other => Self::InFile { path: path.display().to_string(), problem: Box::new(other) },
        }
    }
}

/// The encryption scheme of a private key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Encryption {
    /// The format of the encrypted key.
    pub format: EncryptedFormat,
    /// The names of the algorithms, such as `PBES2 with PBKDF2 and AES-256-CBC`.
    pub scheme: String,
    /// Whether this build can decrypt the key with its passphrase.
    pub readable: bool,
}

/// The formats of encrypted private keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EncryptedFormat {
    /// PKCS#8 (`EncryptedPrivateKeyInfo`). Decrypted with a [`Passphrase`](crate::Passphrase).
    Pkcs8,
    /// PEM with `Proc-Type` and `DEK-Info` headers, OpenSSL's format before version 1.0.
    Traditional,
}

impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = &self.scheme;
        let (format, command) = match self.format {
            EncryptedFormat::Pkcs8 => ("PKCS#8", "pkey"),
            EncryptedFormat::Traditional => ("traditional PEM", "rsa"),
        };
        let remedy = if self.readable { "; provide its passphrase, or" } else { ", which is not supported here;" };
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

/// A problem in a PEM BEGIN or END line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ArmourProblem {
    /// The BEGIN line is not well formed.
    #[error("this line must be `-----BEGIN LABEL-----`, in capitals, with five hyphens on both sides")]
    Begin,
    /// The END line is not well formed.
    #[error("this line must be `-----END LABEL-----`, in capitals, with five hyphens on both sides")]
    End,
    /// The BEGIN and END lines have different labels.
    #[error("the label of this END line differs from the label of the BEGIN line before it")]
    EndLabel,
    /// A BEGIN line has no END line.
    #[error("this BEGIN line has no END line after it; copy the whole key again")]
    EndMissing,
    /// A line between BEGIN and END is not part of the key.
    #[error("this line inside the PEM is not base64; remove it")]
    NotBase64,
    /// An END line has no BEGIN line.
    #[error("this END line has no BEGIN line before it; copy the whole key again")]
    BeginMissing,
}
