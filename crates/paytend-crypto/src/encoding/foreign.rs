//! Recognises keys in unsupported formats, and names the command that converts them.

use std::fmt;

use super::text::contains;

/// A file or text that is not supported as a key. Its `Display` output names the format and the command that converts
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForeignKey {
    /// A key for an algorithm other than RSA, or an RSA key restricted to another scheme.
    Algorithm(KeyAlgorithm),
    /// PKCS#12: a key and certificates, encrypted (`.p12`, `.pfx`).
    Pkcs12,
    /// A Java key store: JKS or JCEKS.
    JavaKeyStore,
    /// PKCS#7: certificates (`.p7b`).
    Pkcs7,
    /// A private key in OpenSSH format.
    OpenSshPrivate {
        /// Whether it is an RSA key.
        rsa: bool,
    },
    /// A public key in OpenSSH format.
    OpenSshPublic {
        /// Whether it is an RSA key.
        rsa: bool,
    },
    /// A public key in the format of RFC 4716, used by commercial SSH programs.
    Ssh2Public,
    /// A PuTTY private key.
    Putty,
    /// A PGP key.
    Pgp,
    /// A certificate signing request.
    CertificateRequest,
    /// A JSON Web Key.
    Jwk,
    /// A set of JSON Web Keys.
    JwkSet,
    /// A key in the XML format of .NET.
    Xml,
    /// A Microsoft CryptoAPI key.
    MicrosoftBlob {
        /// Whether the blob contains a private key.
        private: bool,
    },
    /// A private key in Microsoft's PVK format.
    MicrosoftPvk,
    /// DER as hexadecimal digits.
    Hexadecimal,
    /// A Git LFS pointer instead of the file itself.
    GitLfsPointer,
    /// A file encrypted with Ansible Vault.
    AnsibleVault,
    /// A compressed file.
    Compressed,
    /// A web page.
    WebPage,
    /// A file path instead of the file's content.
    Path,
    /// A variable name that was not replaced by its value.
    Placeholder,
    /// A PEM block with another label.
    Label(String),
}

/// The algorithm of a key that is not a plain RSA key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// RSA, restricted to RSASSA-PSS signatures.
    RsaPss,
    /// RSA, restricted to RSAES-OAEP encryption.
    RsaOaep,
    /// Elliptic curves: ECDSA and ECDH.
    Ec,
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
    /// X25519 or X448.
    MontgomeryCurve,
    /// DSA.
    Dsa,
    /// Diffie-Hellman.
    DiffieHellman,
    /// ML-DSA, ML-KEM or SLH-DSA.
    PostQuantum,
    /// A symmetric key in a JSON Web Key.
    Symmetric,
    /// Another algorithm, identified by its object identifier.
    Other(String),
}

impl KeyAlgorithm {
    pub(super) fn by_oid(oid: &str) -> Self {
        match oid {
            "1.2.840.113549.1.1.10" => Self::RsaPss,
            "1.2.840.113549.1.1.7" => Self::RsaOaep,
            "1.2.840.10045.2.1" => Self::Ec,
            "1.3.101.112" => Self::Ed25519,
            "1.3.101.113" => Self::Ed448,
            "1.3.101.110" | "1.3.101.111" => Self::MontgomeryCurve,
            "1.2.840.10040.4.1" => Self::Dsa,
            "1.2.840.113549.1.3.1" | "1.2.840.10046.2.1" => Self::DiffieHellman,
            other if other.starts_with("2.16.840.1.101.3.4.3.") || other.starts_with("2.16.840.1.101.3.4.4.") => {
                Self::PostQuantum
            }
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RsaPss => "RSA-PSS",
            Self::RsaOaep => "RSA-OAEP",
            Self::Ec => "EC (elliptic curve)",
            Self::Ed25519 => "Ed25519",
            Self::Ed448 => "Ed448",
            Self::MontgomeryCurve => "X25519 or X448",
            Self::Dsa => "DSA",
            Self::DiffieHellman => "Diffie-Hellman",
            Self::PostQuantum => "post-quantum (ML-DSA, ML-KEM or SLH-DSA)",
            Self::Symmetric => "symmetric",
            Self::Other(oid) => return write!(f, "unknown (object identifier {oid})"),
        })
    }
}

impl From<KeyAlgorithm> for ForeignKey {
    fn from(algorithm: KeyAlgorithm) -> Self {
        Self::Algorithm(algorithm)
    }
}

/// The command that creates a supported key.
const GENERATE: &str = "`openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out private.pem`";

impl fmt::Display for ForeignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Algorithm(algorithm @ (KeyAlgorithm::RsaPss | KeyAlgorithm::RsaOaep)) => {
                return write!(
                    f,
                    "this is an {algorithm} key, which its algorithm identifier restricts to {algorithm}; messages are \
                     signed and encrypted with RSA PKCS#1 v1.5; create a plain RSA key with {GENERATE}"
                );
            }
            Self::Algorithm(algorithm) => {
                return write!(
                    f,
                    "the algorithm of this key is {algorithm}, which cannot be converted; an RSA key is required; \
                     create an RSA key with {GENERATE}"
                );
            }
            Self::OpenSshPrivate { rsa: false } | Self::OpenSshPublic { rsa: false } => {
                return write!(
                    f,
                    "this is an OpenSSH key of another algorithm than RSA, which cannot be converted; create an RSA \
                     key with {GENERATE}"
                );
            }
            Self::Label(label) => {
                return write!(f, "this is PEM with the label `{label}`, which is not a supported form of RSA key");
            }
            Self::Pkcs12 => {
                "this is a PKCS#12 file (.p12 or .pfx); write its private key with `openssl pkcs12 -in FILE -nocerts \
                 -nodes -out private.pem`, or its certificate with `openssl pkcs12 -in FILE -clcerts -nokeys -out \
                 certificate.pem`; add `-legacy` if OpenSSL 3 does not support its encryption"
            }
            Self::JavaKeyStore => {
                "this is a Java key store; convert it with `keytool -importkeystore -srckeystore FILE -destkeystore \
                 key.p12 -deststoretype PKCS12`, then write its private key with `openssl pkcs12 -in key.p12 -nocerts \
                 -nodes -out private.pem`"
            }
            Self::Pkcs7 => {
                "this is a PKCS#7 file of certificates (.p7b); write them with `openssl pkcs7 -print_certs -in FILE \
                 -out certificates.pem`; add `-inform DER` for a binary file"
            }
            Self::OpenSshPrivate { rsa: true } => {
                "this is an OpenSSH private key; convert a copy with `cp FILE private.pem` and `ssh-keygen -p -m \
                 PKCS8 -N \"\" -f private.pem`"
            }
            Self::OpenSshPublic { rsa: true } => {
                "this is an OpenSSH public key; convert it with `ssh-keygen -e -m PKCS8 -f FILE > public.pem`"
            }
            Self::Ssh2Public => {
                "this is an SSH2 public key (RFC 4716); convert it with `ssh-keygen -i -m RFC4716 -f FILE > key.pub` \
                 and `ssh-keygen -e -m PKCS8 -f key.pub > public.pem`"
            }
            Self::Putty => {
                "this is a PuTTY private key; convert it with `puttygen FILE -O private-openssh -o private.pem`"
            }
            Self::Pgp => "this is a PGP key, which is not supported; export the RSA key as PEM with its own tool",
            Self::CertificateRequest => {
                "this is a certificate signing request; write its public key with `openssl req -in FILE -noout -pubkey \
                 -out public.pem`; add `-inform DER` for a binary file"
            }
            Self::Jwk => {
                "this is a JSON Web Key; convert it with `node -e 'const c=require(\"crypto\"),\
                 k=JSON.parse(require(\"fs\").readFileSync(0));\
                 process.stdout.write((k.d?c.createPrivateKey:c.createPublicKey)({key:k,format:\"jwk\"})\
                 .export({format:\"pem\",type:k.d?\"pkcs8\":\"spki\"}))' < FILE > key.pem`"
            }
            Self::JwkSet => {
                "this is a set of JSON Web Keys; write the key to use to a file with `jq '.keys[0]' FILE > \
                 key.json`, and convert that file to PEM"
            }
            Self::Xml => {
                "this is a key in the XML format of .NET; convert it with `pwsh -Command '$k = \
                 [Security.Cryptography.RSA]::Create(); $k.FromXmlString((Get-Content -Raw FILE)); \
                 $k.ExportSubjectPublicKeyInfoPem()' > public.pem`, or with ExportPkcs8PrivateKeyPem for a private key"
            }
            Self::MicrosoftBlob { private: true } => {
                "this is a private key of the Microsoft CryptoAPI; convert it with `openssl rsa -inform MSBLOB \
                 -in FILE -out private.pem`"
            }
            Self::MicrosoftBlob { private: false } => {
                "this is a public key of the Microsoft CryptoAPI; convert it with `openssl rsa -pubin -inform MSBLOB \
                 -in FILE -out public.pem`"
            }
            Self::MicrosoftPvk => {
                "this is a Microsoft PVK file; convert it with `openssl rsa -inform PVK -in FILE -out private.pem`; \
                 add `-provider legacy -provider default` if it is encrypted"
            }
            Self::Hexadecimal => {
                "this is DER as hexadecimal digits; convert it with `tr -d ': ' < FILE | xxd -r -p > key.der`"
            }
            Self::GitLfsPointer => "this is a Git LFS pointer, not the file itself; fetch the file with `git lfs pull`",
            Self::AnsibleVault => {
                "this file is encrypted with Ansible Vault; decrypt it with `ansible-vault decrypt FILE`"
            }
            Self::Compressed => "this is a compressed file; unpack it with `gunzip` or `unzip` first",
            Self::WebPage => "this is a web page or another XML document, not a key; download the key itself",
            Self::Path => {
                "this is the path of a file, but the key itself is expected; pass the path as a key file instead"
            }
            Self::Placeholder => "this is a placeholder that was not replaced by the key",
        })
    }
}

/// Recognises binary files by their first bytes.
pub(super) fn in_binary(data: &[u8]) -> Option<ForeignKey> {
    match data {
        [0xfe, 0xed, 0xfe, 0xed, ..] | [0xce, 0xce, 0xce, 0xce, ..] => Some(ForeignKey::JavaKeyStore),
        [0x1f, 0x8b, ..] | [b'P', b'K', 3, 4, ..] => Some(ForeignKey::Compressed),
        [0x1e, 0xf1, 0xb5, 0xb0, ..] => Some(ForeignKey::MicrosoftPvk),
        [7, 2, 0, 0, ..] if data.get(8..12) == Some(b"RSA2") => Some(ForeignKey::MicrosoftBlob { private: true }),
        [6, 2, 0, 0, ..] if data.get(8..12) == Some(b"RSA1") => Some(ForeignKey::MicrosoftBlob { private: false }),
        // The length of the algorithm name, and the name.
        [0, 0, 0, 7, rest @ ..] if rest.starts_with(b"ssh-rsa") => Some(ForeignKey::OpenSshPublic { rsa: true }),
        [0, 0, 0, _, rest @ ..] if starts_as_ssh(rest) => Some(ForeignKey::OpenSshPublic { rsa: false }),
        _ if data.starts_with(b"openssh-key-v1\0") => {
            Some(ForeignKey::OpenSshPrivate { rsa: contains(data, b"ssh-rsa") })
        }
        _ => None,
    }
}

fn starts_as_ssh(text: &[u8]) -> bool {
    [&b"ssh-"[..], b"ecdsa-sha2-", b"sk-"].iter().any(|name| text.starts_with(name))
}

/// Recognises a text that is neither PEM nor base64 by its first characters.
pub(super) fn in_text(text: &[u8]) -> Option<ForeignKey> {
    let text = text.trim_ascii();
    let starts = |start: &[u8]| text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start));
    let has = |part: &[u8]| contains(text, part);
    let found = match text.first()? {
        _ if starts(b"version https://git-lfs") => ForeignKey::GitLfsPointer,
        _ if starts(b"PuTTY-User-Key-File-") => ForeignKey::Putty,
        _ if starts(b"$ANSIBLE_VAULT;") => ForeignKey::AnsibleVault,
        b'<' if has(b"Modulus>") => ForeignKey::Xml,
        b'<' if has(b">") && text.len() > 64 => ForeignKey::WebPage,
        b'{' if has(b"\"keys\"") && has(b"\"kty\"") => ForeignKey::JwkSet,
        b'{' if has(b"\"kty\"") => match () {
            () if has(b"\"RSA\"") => ForeignKey::Jwk,
            () if has(b"\"EC\"") => KeyAlgorithm::Ec.into(),
            () if has(b"\"Ed25519\"") => KeyAlgorithm::Ed25519.into(),
            () if has(b"\"Ed448\"") => KeyAlgorithm::Ed448.into(),
            () if has(b"\"X25519\"") || has(b"\"X448\"") => KeyAlgorithm::MontgomeryCurve.into(),
            () if has(b"\"oct\"") => KeyAlgorithm::Symmetric.into(),
            () => ForeignKey::Jwk,
        },
        // Options or a host name may precede the key.
        _ if starts(b"ssh-rsa ") || has(b"ssh-rsa AAAAB3NzaC1yc2E") => ForeignKey::OpenSshPublic { rsa: true },
        _ if starts_as_ssh(text) => ForeignKey::OpenSshPublic { rsa: false },
        _ if is_placeholder(text) => ForeignKey::Placeholder,
        _ if is_path(text) => ForeignKey::Path,
        _ if is_hexadecimal(text) => ForeignKey::Hexadecimal,
        _ => return None,
    };
    Some(found)
}

fn is_placeholder(text: &[u8]) -> bool {
    const LONGEST: usize = 200;
    let enclosed = |start: &[u8], end: &[u8]| text.starts_with(start) && text.ends_with(end);
    let name = |text: &[u8]| text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    text.len() <= LONGEST
        && (enclosed(b"${", b"}")
            || enclosed(b"$(", b")")
            || enclosed(b"{{", b"}}")
            || enclosed(b"<", b">")
            || (text.len() > 2 && enclosed(b"%", b"%"))
            || text.strip_prefix(b"$").is_some_and(name))
}

fn is_path(text: &[u8]) -> bool {
    const LONGEST: usize = 300;
    const ENDINGS: [&[u8]; 10] =
        [b".pem", b".key", b".der", b".crt", b".cer", b".p12", b".pfx", b".b64", b".txt", b".pub"];
    let drive = matches!(text, [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic());
    let ends = |ending: &&[u8]| text.len() > ending.len() && text.to_ascii_lowercase().ends_with(ending);
    let starts = [&b"/"[..], b"./", b"../", b"file:"].iter().any(|start| text.starts_with(start));
    text.len() <= LONGEST && !text.contains(&b'\n') && (drive || starts || ENDINGS.iter().any(ends))
}

fn is_hexadecimal(text: &[u8]) -> bool {
    let digits = |byte: &u8| byte.is_ascii_hexdigit() || b": \n".contains(byte);
    (text.starts_with(b"308") || text.starts_with(b"30:8") || text.starts_with(b"30 8"))
        && text.len() > 64
        && text.iter().all(digits)
}

/// Recognises a PEM block by its label. A block with an unknown label may still contain a key.
pub(super) fn by_label(label: &[u8]) -> Option<ForeignKey> {
    let found = match label {
        b"SSH2 PUBLIC KEY" => ForeignKey::Ssh2Public,
        b"PKCS7" | b"CMS" => ForeignKey::Pkcs7,
        b"PKCS12" => ForeignKey::Pkcs12,
        b"CERTIFICATE REQUEST" | b"NEW CERTIFICATE REQUEST" => ForeignKey::CertificateRequest,
        b"RSA-PSS PRIVATE KEY" => KeyAlgorithm::RsaPss.into(),
        b"EC PRIVATE KEY" => KeyAlgorithm::Ec.into(),
        b"DSA PRIVATE KEY" => KeyAlgorithm::Dsa.into(),
        _ if label.starts_with(b"PGP ") => ForeignKey::Pgp,
        _ => return None,
    };
    Some(found)
}

/// Returns the name of a PEM block with unknown content.
pub(super) fn unknown_label(label: &[u8]) -> ForeignKey {
    ForeignKey::Label(label.iter().map(|byte| char::from(*byte)).collect())
}
