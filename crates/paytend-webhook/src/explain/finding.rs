//! What can be found out, in words: what, where, and what to do.

use paytend_crypto::Malformed;
use paytend_crypto::hazmat::DigestAlgorithm;

use super::body_kind::BodyKind;
use super::change::Change;
use super::result::Certainty;
use super::trace::Trace;
use super::wrapping::Wrapping;

/// Something that explains why a message fails, or that is wrong all the same. Names and positions, never a payload or
/// a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// A key's PEM has another label than its content.
    #[error(
        "the key {key:?} is labelled {label:?} and is {content}: other libraries refuse it; label it -----BEGIN \
        {correct}-----"
    )]
    KeyLabel {
        /// Whose key.
        key: String,
        /// The label.
        label: String,
        /// PKCS#1, PKCS#8 or SubjectPublicKeyInfo.
        content: &'static str,
        /// The label that fits.
        correct: &'static str,
    },
    /// A key is of PKCS#1 where the other side's library may want PKCS#8 or SubjectPublicKeyInfo.
    #[error(
        "the key {key:?} is PKCS#1, which is fine here; if the other side's library refuses it (Java, Go), give it \
        {instead}"
    )]
    KeyPkcs1 {
        /// Whose key.
        key: String,
        /// What to give instead.
        instead: &'static str,
    },
    /// One key pair is taken for both sides'.
    #[error(
        "{own:?} and {sender:?} are halves of one pair: one of them is the wrong side's key (the public demo alone \
        shares one pair)"
    )]
    SamePair {
        /// Our key.
        own: String,
        /// The sender's key.
        sender: String,
    },
    /// The body is compressed.
    #[error("the body has a Content-Encoding: whatever sits before the receiver must pass on the plain bytes")]
    Compressed,
    /// The header is missing.
    #[error("there is no sign header: a proxy may have dropped it, or the message is not this provider's")]
    NoSign,
    /// The header is there several times.
    #[error("there is more than one sign header")]
    SeveralSigns,
    /// The document breaks a rule that anybody can see.
    #[error("{0}")]
    Malformed(Malformed),
    /// The body is larger than a receiver takes.
    #[error("the body has {bytes} bytes; the receiver's limit is {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The document is readable only after a wrapping was undone. Everything else was found in what it held.
    #[error("the body is not the document itself but {0}; pass on the bytes as they arrive")]
    Wrapped(Wrapping),
    /// The body is not a JSON object.
    #[error("the body is {0}")]
    NotJson(BodyKind),
    /// An authentic body is not UTF-8.
    #[error(
        "the body is not UTF-8 at byte {at}: it was signed so, and a JSON reader refuses it or replaces characters"
    )]
    NotUtf8 {
        /// The first byte that is not.
        at: usize,
    },
    /// An authentic body starts with a byte order mark.
    #[error("the body starts with a byte order mark, which was signed, and which a JSON reader may refuse")]
    ByteOrderMark,
    /// An authentic body has half of a surrogate pair.
    #[error(
        "the body is JSON that strict readers refuse: an escape for half of a surrogate pair, or a number too large"
    )]
    LoneSurrogate,
    /// A field that a message of this kind has is absent.
    #[error("there is no {0}: this is a message of another kind, or not one of Paytend's")]
    Absent(&'static str),
    /// The base64 of a field is not the standard one.
    #[error("{field} is base64, but {flaw}")]
    Base64 {
        /// The field, or `sign`.
        field: &'static str,
        /// What is wrong with it.
        flaw: Base64Flaw,
    },
    /// Something that should be base64 is not.
    #[error("{0} is not base64 in any spelling")]
    NotBase64(&'static str),
    /// The session key is encrypted for another key.
    #[error(
        "randomKey is encrypted for {0:?}, which is not the key that should decrypt it: the sender encrypts with \
        another public key than ours (sandbox and production exchanged, or a key that was rotated)"
    )]
    EncryptedForOther(String),
    /// The session key is encrypted for a key that is not here.
    #[error(
        "randomKey ({bytes} bytes) is decrypted by no key here; ours have {expected} bytes: the sender encrypts with \
        another public key than ours"
    )]
    EncryptedForUnknown {
        /// Its length.
        bytes: usize,
        /// The lengths of the keys that should decrypt it.
        expected: String,
    },
    /// The session key is no base64 text of 24 characters.
    #[error(
        "the session key has {0} bytes and is not 24 characters of base64: the sender must encrypt the text itself, \
        not the bytes that it stands for"
    )]
    SessionKey(usize),
    /// The payload is encrypted with the decoded session key.
    #[error(
        "the payload is encrypted with AES-128 under the 16 bytes that the session key's base64 stands for; the 24 \
        characters themselves are the key, of AES-192"
    )]
    Aes128,
    /// The payload is encrypted with a part of the session key's text.
    #[error(
        "the payload is encrypted with AES-128 under the first 16 characters of the session key's text; all 24 \
        characters are the key, of AES-192"
    )]
    Aes128Truncated,
    /// The payload is encrypted with the session key's text, made longer with zeros.
    #[error(
        "the payload is encrypted with AES-256 under the session key's text and 8 zero bytes; the 24 characters \
        alone are the key, of AES-192"
    )]
    Aes256Padded,
    /// The payload is not what the session key decrypts.
    #[error(
        "the payload cannot be decrypted with the session key: it was made with another key or another mode \
        (AES-192, ECB, PKCS#5 padding), or changed on the way"
    )]
    Payload,
    /// The payload is not one strict JSON object.
    #[error("the payload {0}")]
    PayloadJson(String),
    /// A field has another value than expected.
    #[error("{0} is not what is expected here: the message is for another partner, or from another environment")]
    OtherValue(&'static str),
    /// The signature has a length that no expected key makes.
    #[error("the signature has {bytes} bytes; the expected keys make {expected}")]
    SignatureLength {
        /// Its length.
        bytes: usize,
        /// The lengths of the expected keys.
        expected: String,
    },
    /// Another key than the expected made the signature.
    #[error(
        "the signature is by {0:?}, which is not the key that should verify it (the other environment's, another \
        provider's, or the wrong side's)"
    )]
    SignedByOther(String),
    /// A key that is not here made the signature, or it is damaged.
    #[error(
        "the signature is by no key here, or was damaged on the way: ask the sender for the public key that it signs \
        with now"
    )]
    SignedByUnknown,
    /// Another hash function was used.
    #[error("the signature is made with {0:?}; it must be SHA256withRSA")]
    Digest(DigestAlgorithm),
    /// The signed text differs, and how it does is known.
    #[error("the signed text is another one{}: {}", place(*.at, .field.as_deref()), joined(.changes))]
    Text {
        /// How it differs from what was signed.
        changes: Vec<TextChange>,
        /// The first byte that differs.
        at: usize,
        /// The field in which that is.
        field: Option<String>,
    },
    /// The signed text differs, and no usual change explains how.
    #[error(
        "the signature is good and by the right key, but over another text than the one here, and no usual change \
        could be undone: compare the sender's signed text with ours"
    )]
    TextUnknown,
    /// The signed text differs, and not everything was tried.
    #[error(
        "the signature is good and by the right key, but over another text than the one here; there are so many ways \
        to write it that not all were tried: compare the sender's signed text with ours"
    )]
    TextTooLarge,
    /// The text here shows traces of a loss. A possibility.
    #[error("{0}")]
    Trace(Trace),
    /// The signature is by the right key, and what it is over cannot be put together.
    #[error(
        "the signature is by the right key; whether it is over this message cannot be told without the session key \
        and the payload"
    )]
    TextNotAtHand,
    /// A failure answer without signature.
    #[error(
        "it is a failure answer without a signature, as the provider sends for some errors: it authenticates nothing"
    )]
    UnsignedFailure,
}

/// What is wrong with a base64 text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Base64Flaw {
    /// `-` and `_`.
    #[error("in its URL alphabet (`-` and `_` for `+` and `/`)")]
    UrlAlphabet,
    /// Spaces for `+`.
    #[error("with spaces for `+`: it went through a form or a URL without being percent-encoded")]
    Spaces,
    /// Line ends, or other white space.
    #[error("with line ends or white space in it: the sender's encoder breaks lines")]
    Lines,
    /// Percent-encoded.
    #[error("percent-encoded (which only randomKey may be)")]
    PercentEncoded,
    /// Without `=`, or with bits that mean nothing.
    #[error("its `=` at the end are missing, or its last character has bits that mean nothing")]
    Padding,
}

/// How a signed text differs: as any text does, or as one of the envelope's can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextChange {
    /// The body, or the payload, was changed on its way, or before it was signed.
    #[error("{0}")]
    Bytes(Change),
    /// The payload is not signed.
    #[error(
        "the sender left the payload out (as for the upload endpoints of the IBAN product: open it with an unsigned \
        payload)"
    )]
    PayloadLeftOut,
    /// The payload is signed and should not be.
    #[error("the sender signed the payload, which is expected unsigned here")]
    PayloadSigned,
    /// The encrypted payload is signed.
    #[error("the sender signed the encrypted payload; it must be the plain one")]
    PayloadEncrypted,
    /// The encrypted session key is signed.
    #[error("the sender signed the encrypted randomKey; it must be the plain one")]
    KeyEncrypted,
    /// Both encrypted ones are signed.
    #[error("the sender signed the encrypted payload and the encrypted randomKey; both must be the plain ones")]
    BothEncrypted,
    /// The session key is not signed.
    #[error("the sender left randomKey out")]
    KeyLeftOut,
    /// Empty fields are signed.
    #[error("the sender signed fields that are empty, too")]
    EmptyFields,
    /// `encryptFlag` is signed.
    #[error("the sender signed encryptFlag, too")]
    EncryptFlag,
    /// The fields are in another order.
    #[error("the sender did not sort the fields by the ASCII order of their names")]
    FieldOrder,
    /// An `&` at the end.
    #[error("the sender left an `&` at the end")]
    LastAmpersand,
    /// A line's end at the end.
    #[error("the sender signed a line's end after the last field")]
    LastNewline,
    /// The values are percent-encoded.
    #[error("the sender percent-encoded the values")]
    PercentEncoded,
    /// The payload has the name of another kind's.
    #[error("the sender called the payload {0}")]
    PayloadName(&'static str),
    /// Two fields have each other's value.
    #[error("{0:?} and {1:?} have each other's value")]
    Swapped(String, String),
    /// A field was added after signing.
    #[error("{0:?} was not signed")]
    NotSigned(String),
}

impl Finding {
    /// Returns whether this is certain. A [`Finding::Trace`] is not.
    pub fn certainty(&self) -> Certainty {
        if matches!(self, Self::Trace(_)) { Certainty::Possible } else { Certainty::Proven }
    }

    /// Returns how to fix it, one line each.
    pub fn fixes(&self) -> Vec<&'static str> {
        match self {
            Self::Text { changes, .. } => {
                let of = |change: &TextChange| match change {
                    TextChange::Bytes(change) => Some(change.fix()),
                    _ => None,
                };
                changes.iter().filter_map(of).collect()
            }
            Self::Wrapped(wrapping) => vec![wrapping.fix()],
            Self::Trace(trace) => vec![trace.fix()],
            Self::Aes128 | Self::Aes128Truncated | Self::Aes256Padded => {
                vec![
                    "the sender: use the 24 characters of the session key as the bytes of an AES-192 key (ECB, PKCS#5)",
                ]
            }
            _ => Vec::new(),
        }
    }
}

fn place(at: usize, field: Option<&str>) -> String {
    match field {
        Some(field) => format!(" from byte {at} on, in {}", field.escape_debug()),
        None => format!(" from byte {at} on"),
    }
}

fn joined(changes: &[TextChange]) -> String {
    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
