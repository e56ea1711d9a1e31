//! The names of unsupported formats, and the commands that convert them. The `recognise` module detects the formats.

use std::fmt;

/// Input that is not a key in a supported format. Its `Display` output names the format and the command that converts
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForeignKey {
    /// A non-RSA key, or an RSA key restricted to an unsupported scheme.
    Algorithm(KeyAlgorithm),
    /// PKCS#12: a key and certificates, encrypted (`.p12`, `.pfx`).
    Pkcs12,
    /// A Java key store: JKS or JCEKS.
    JavaKeyStore,
    /// PKCS#7: certificates (`.p7b`).
    Pkcs7,
    /// A private key in OpenSSH format.
    OpenSshPrivate {
        /// Whether the key is an RSA key.
        rsa: bool,
    },
    /// A public key in OpenSSH format.
    OpenSshPublic {
        /// Whether the key is an RSA key.
        rsa: bool,
    },
    /// A public key in RFC 4716 format, used by commercial SSH programs.
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
    /// The output of `xxd`.
    XxdDump,
    /// The output of `hexdump -C` or `od -t x1`.
    ByteDump,
    /// The output of `hexdump` or `od -x`: hexadecimal numbers of 16 bits.
    WordDump,
    /// A Git LFS pointer instead of the file itself.
    GitLfsPointer,
    /// A file encrypted with Ansible Vault.
    AnsibleVault,
    /// A file encrypted with SOPS.
    Sops,
    /// A file encrypted with age.
    AgeEncrypted,
    /// An age identity or recipient.
    AgeKey,
    /// A minisign or signify key.
    Minisign,
    /// A certificate revocation list.
    RevocationList,
    /// The parameters of an algorithm, without a key. Contains the PEM label.
    Parameters(String),
    /// An RSA key with more than two primes.
    MultiPrime,
    /// A diff that replaces a key, and therefore contains parts of both keys.
    Diff,
    /// A compressed file.
    Compressed,
    /// A web page.
    WebPage,
    /// An XML document that is not a key in the XML format of .NET.
    XmlDocument,
    /// A file that contains only zero bytes.
    ZeroBytes,
    /// A file path instead of the file's content.
    Path,
    /// A variable name that was not replaced with its value.
    Placeholder,
    /// A PEM block with an unrecognized label.
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
    /// An unrecognized algorithm, identified by its object identifier.
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
                    "this key is restricted to {algorithm} by its algorithm identifier; messages are signed and \
                     encrypted with RSA PKCS#1 v1.5; create a plain RSA key with {GENERATE}"
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
                    "this is a non-RSA OpenSSH key, which cannot be converted; create an RSA key with {GENERATE}"
                );
            }
            Self::Label(label) => {
                return write!(f, "the PEM block with the label `{label}` is not an RSA key in a supported format");
            }
            Self::Parameters(label) => {
                return write!(f, "this PEM contains only `{label}`, not a key; create an RSA key with {GENERATE}");
            }
            Self::MultiPrime => {
                return write!(
                    f,
                    "this RSA key has more than two primes, which is not supported and cannot be converted; create a \
                     key with two primes with {GENERATE}"
                );
            }
            Self::AgeKey => {
                return write!(f, "this is an age key, which is not an RSA key; create an RSA key with {GENERATE}");
            }
            Self::Minisign => {
                return write!(
                    f,
                    "this is a minisign or signify key (Ed25519), which cannot be converted; create an RSA key with \
                     {GENERATE}"
                );
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
            Self::Pgp => "this is a PGP key, which is not supported; export the RSA key as PEM with a PGP tool",
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
            Self::XxdDump => {
                "this is the output of xxd, not the file itself; convert it with `xxd -r FILE > converted.key`"
            }
            Self::ByteDump => {
                "this is the output of hexdump or od, not the file itself; convert it with `sed 's/^[0-9a-f]*//; \
                 s/|.*//' FILE | xxd -r -p > converted.key`"
            }
            Self::WordDump => {
                "this is the output of hexdump or od, not the file itself; convert it with `sed 's/^[0-9a-f]*//' FILE \
                 | xxd -r -p | dd conv=swab > converted.key`"
            }
            Self::GitLfsPointer => "this is a Git LFS pointer, not the file itself; fetch the file with `git lfs pull`",
            Self::AnsibleVault => {
                "this file is encrypted with Ansible Vault; decrypt it with `ansible-vault decrypt FILE`"
            }
            Self::Compressed => "this is a compressed file; unpack it with `gunzip` or `unzip` first",
            Self::Sops => "this file is encrypted with SOPS; decrypt it with `sops -d FILE > decrypted.key`",
            Self::AgeEncrypted => {
                "this file is encrypted with age; decrypt it with `age -d -i IDENTITY FILE > decrypted.key`"
            }
            Self::RevocationList => {
                "this is a certificate revocation list, which contains no key; use the certificate or the public key"
            }
            Self::Diff => {
                "this is a diff that replaces one key with another; use the file itself instead, for example from \
                 `git show REVISION:PATH`"
            }
            Self::WebPage => "this is a web page, not a key; download the key itself",
            Self::XmlDocument => {
                "this is an XML document, not a key; extract the text of the element that contains the key with \
                 `xmllint --xpath 'string(//ELEMENT)' FILE > key.txt`"
            }
            Self::ZeroBytes => {
                "the file contains only zero bytes, so its content is lost; copy it again from its source"
            }
            Self::Path => {
                "this is the path of a file, but the key itself is expected; pass the path as a key file instead"
            }
            Self::Placeholder => "this is a placeholder that was not replaced with the key",
        })
    }
}
