//! Recognizes keys in unsupported formats, and other files that are not keys.

use super::text::contains;
use crate::keys::foreign::{ForeignKey, KeyAlgorithm};

/// Recognizes binary files by their first bytes.
pub(super) fn in_binary(data: &[u8]) -> Option<ForeignKey> {
    match data {
        [0xfe, 0xed, 0xfe, 0xed, ..] | [0xce, 0xce, 0xce, 0xce, ..] => Some(ForeignKey::JavaKeyStore),
        [0x1f, 0x8b, ..] | [b'P', b'K', 3, 4, ..] => Some(ForeignKey::Compressed),
        [0x1e, 0xf1, 0xb5, 0xb0, ..] => Some(ForeignKey::MicrosoftPvk),
        [7, 2, 0, 0, ..] if data.get(8..12) == Some(b"RSA2") => Some(ForeignKey::MicrosoftBlob { private: true }),
        [6, 2, 0, 0, ..] if data.get(8..12) == Some(b"RSA1") => Some(ForeignKey::MicrosoftBlob { private: false }),
        // An SSH public key starts with the length of the algorithm name and the name itself.
        [0, 0, 0, 7, rest @ ..] if rest.starts_with(b"ssh-rsa") => Some(ForeignKey::OpenSshPublic { rsa: true }),
        [0, 0, 0, _, rest @ ..] if starts_as_ssh(rest) => Some(ForeignKey::OpenSshPublic { rsa: false }),
        _ if data.starts_with(b"age-encryption.org/v1") => Some(ForeignKey::AgeEncrypted),
        _ if data.len() >= 16 && data.iter().all(|byte| *byte == 0) => Some(ForeignKey::ZeroBytes),
        _ if data.starts_with(b"openssh-key-v1\0") => {
            Some(ForeignKey::OpenSshPrivate { rsa: contains(data, b"ssh-rsa") })
        }
        _ => None,
    }
}

fn starts_as_ssh(text: &[u8]) -> bool {
    [&b"ssh-"[..], b"ecdsa-sha2-", b"sk-"].iter().any(|name| text.starts_with(name))
}

/// Recognizes text that is not PEM or base64, by its first characters.
pub(super) fn in_text(text: &[u8]) -> Option<ForeignKey> {
    let text = text.trim_ascii();
    let starts = |start: &[u8]| text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start));
    let has = |part: &[u8]| contains(text, part);
    let found = match text.first()? {
        _ if starts(b"version https://git-lfs") => ForeignKey::GitLfsPointer,
        _ if starts(b"PuTTY-User-Key-File-") => ForeignKey::Putty,
        _ if starts(b"$ANSIBLE_VAULT;") => ForeignKey::AnsibleVault,
        _ if starts(b"untrusted comment:") => ForeignKey::Minisign,
        _ if has(b"AGE-SECRET-KEY-1") || starts(b"age1") => ForeignKey::AgeKey,
        b'<' if has(b"Modulus>") => ForeignKey::Xml,
        b'<' if is_web_page(text) => ForeignKey::WebPage,
        b'<' if has(b"</") || has(b"/>") || starts(b"<?xml") => ForeignKey::XmlDocument,
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
        // Options or a host name can precede the key.
        _ if starts(b"ssh-rsa ") || has(b"ssh-rsa AAAAB3NzaC1yc2E") => ForeignKey::OpenSshPublic { rsa: true },
        _ if starts_as_ssh(text) => ForeignKey::OpenSshPublic { rsa: false },
        _ if is_placeholder(text) => ForeignKey::Placeholder,
        _ if is_path(text) => ForeignKey::Path,
        _ => return None,
    };
    Some(found)
}

/// Recognizes a file encrypted with SOPS. A SOPS file's metadata can contain PEM in a different format.
pub(super) fn sops(text: &[u8]) -> Option<ForeignKey> {
    contains(text, b"ENC[AES256_GCM,").then_some(ForeignKey::Sops)
}

fn is_web_page(text: &[u8]) -> bool {
    let start = text[..text.len().min(1024)].to_ascii_lowercase();
    [&b"<!doctype html"[..], b"<html", b"<head", b"<body"].iter().any(|tag| contains(&start, tag))
}

fn is_placeholder(text: &[u8]) -> bool {
    const LONGEST: usize = 200;
    let enclosed = |start: &[u8], end: &[u8]| text.starts_with(start) && text.ends_with(end);
    let name = |text: &[u8]| text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    text.len() <= LONGEST
        && (enclosed(b"${", b"}")
            || enclosed(b"$(", b")")
            || enclosed(b"{{", b"}}")
            || (enclosed(b"<", b">") && !contains(text, b"</") && !contains(text, b"/>"))
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

/// Recognizes a PEM block by its label. A block with an unknown label may still contain a key.
pub(super) fn by_label(label: &[u8]) -> Option<ForeignKey> {
    let found = match label {
        b"SSH2 PUBLIC KEY" => ForeignKey::Ssh2Public,
        b"PKCS7" | b"CMS" => ForeignKey::Pkcs7,
        b"PKCS12" => ForeignKey::Pkcs12,
        b"CERTIFICATE REQUEST" | b"NEW CERTIFICATE REQUEST" => ForeignKey::CertificateRequest,
        b"AGE ENCRYPTED FILE" => ForeignKey::AgeEncrypted,
        b"RSA-PSS PRIVATE KEY" => KeyAlgorithm::RsaPss.into(),
        b"EC PRIVATE KEY" => KeyAlgorithm::Ec.into(),
        b"DSA PRIVATE KEY" => KeyAlgorithm::Dsa.into(),
        _ if label.starts_with(b"PGP ") => ForeignKey::Pgp,
        _ => return None,
    };
    Some(found)
}

/// Recognizes a PEM block that often occurs next to a key but contains no key itself.
pub(super) fn companion(label: &[u8]) -> Option<ForeignKey> {
    match label {
        b"X509 CRL" => Some(ForeignKey::RevocationList),
        _ if label.ends_with(b"PARAMETERS") => Some(ForeignKey::Parameters(text_of(label))),
        _ => None,
    }
}

/// Returns the name of a PEM block with unknown content.
pub(super) fn unknown_label(label: &[u8]) -> ForeignKey {
    ForeignKey::Label(text_of(label))
}

fn text_of(label: &[u8]) -> String {
    label.iter().map(|byte| char::from(*byte)).collect()
}
