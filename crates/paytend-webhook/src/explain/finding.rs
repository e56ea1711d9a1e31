//! Findings with their locations and fixes.

use paytend_crypto::Malformed;
use paytend_crypto::hazmat::DigestAlgorithm;

use super::body_kind::BodyKind;
use super::change::Change;
use super::change::Wrapping;
use super::trace::Trace;

/// The certainty of a finding: proven, or only possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Certainty {
    /// The finding is visible in the message, or proven by the signature.
    Proven,
    /// A possible explanation; there may be other explanations.
    Possible,
}

/// A reason why a message fails, or another problem with it. Contains names and positions, never a payload or a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// The PEM label of a key does not match the key format.
    #[error(
        "the key {key:?} is labelled {label:?} but contains {content}: other libraries may reject it; change its label \
         to -----BEGIN {correct}-----"
    )]
    KeyLabel {
        /// The name of the key, as specified when it was added to the known keys.
        key: String,
        /// The label in the first line of the PEM file.
        label: String,
        /// The actual key format: PKCS#1, PKCS#8 or SubjectPublicKeyInfo.
        content: &'static str,
        /// The label that matches the key format.
        correct: &'static str,
    },
    /// A key is in PKCS#1 format, but the other side's library may require PKCS#8 or SubjectPublicKeyInfo.
    #[error(
        "the key {key:?} is PKCS#1, which is supported here; if the other side's library rejects it (Java, Go), \
        convert it to {instead}"
    )]
    KeyPkcs1 {
        /// The name of the key, as specified when it was added to the known keys.
        key: String,
        /// The alternative format.
        instead: &'static str,
    },
    /// The recipient's key and the sender's key belong to the same key pair.
    #[error(
        "{own:?} and {sender:?} belong to the same key pair: one of them is the wrong side's key (only the public demo \
        uses one pair for both sides)"
    )]
    SamePair {
        /// The name of the recipient's key.
        own: String,
        /// The name of the sender's key.
        sender: String,
    },
    /// The body is compressed.
    #[error("the body has a Content-Encoding: the proxy or server in front of the receiver must decompress the body")]
    Compressed,
    /// The `sign` header is missing.
    #[error("the sign header is missing: a proxy may have removed it, or the message is from another provider")]
    NoSign,
    /// There are several `sign` headers.
    #[error("there is more than one sign header")]
    SeveralSigns,
    /// The document is malformed, which can be detected without any key.
    #[error("{0}")]
    Malformed(Malformed),
    /// The body is larger than the receiver's limit.
    #[error("the body has {bytes} bytes; the receiver's limit is {limit}")]
    TooLarge {
        /// The size of the body in bytes.
        bytes: usize,
        /// The receiver's limit in bytes.
        limit: usize,
    },
    /// The document could be read only after it was unwrapped. All other findings refer to the unwrapped document.
    #[error("the document was received {0}")]
    Wrapped(Wrapping),
    /// The body is not a JSON object.
    #[error("the body is {0}")]
    NotJson(BodyKind),
    /// An authentic body is not valid UTF-8.
    #[error(
        "the body is not UTF-8 at byte {at}: it was signed that way, but JSON parsers reject it or replace characters"
    )]
    NotUtf8 {
        /// The offset of the first invalid byte in the body.
        at: usize,
    },
    /// An authentic body starts with a byte order mark.
    #[error("the body starts with a byte order mark: it was signed that way, but JSON parsers may reject it")]
    ByteOrderMark,
    /// An authentic body has an unpaired surrogate or a number that is too large.
    #[error(
        "the body is JSON that strict parsers reject: it has an escape for an unpaired surrogate, or a number that is \
         too large"
    )]
    LoneSurrogate,
    /// A required field is missing.
    #[error("the {0} field is missing: this is a different kind of message, or not a Paytend message")]
    Absent(&'static str),
    /// A field's base64 is not in the standard form.
    #[error("{field} is base64, but {flaw}")]
    Base64 {
        /// The name of the field, or `sign`.
        field: &'static str,
        /// How the base64 deviates from the standard form.
        flaw: Base64Flaw,
    },
    /// A base64 field's value is not base64.
    #[error("{0} is not base64")]
    NotBase64(&'static str),
    /// The session key is encrypted for a known key, but not for the recipient's key.
    #[error(
        "randomKey is encrypted for {0:?}, which is not the key that should decrypt it: the sender uses a public \
        key that is not ours (sandbox and production mixed up, or a rotated key)"
    )]
    EncryptedForOther(String),
    /// The session key is encrypted for an unknown key.
    #[error(
        "no known key decrypts randomKey ({bytes} bytes; our keys have {expected} bytes): the sender encrypts with a \
        public key that is not ours"
    )]
    EncryptedForUnknown {
        /// The encrypted session key's length in bytes.
        bytes: usize,
        /// The lengths of the keys that should decrypt it, in bytes.
        expected: String,
    },
    /// The session key is not a base64 string of 24 characters.
    #[error(
        "the session key has {0} bytes, but must be 24 characters of base64: the sender must encrypt the base64 text, \
        not the decoded bytes"
    )]
    SessionKey(usize),
    /// The session key is base64 text of the wrong length, or hexadecimal digits.
    #[error(
        "the session key is {chars} characters of {form}; it must be 24 characters: the base64 text of 16 random bytes"
    )]
    SessionKeyText {
        /// The session key's length in characters.
        chars: usize,
        /// The session key's encoding: base64 or hexadecimal.
        form: &'static str,
    },
    /// The payload is encrypted with the decoded session key, whose length is not 16 bytes.
    #[error(
        "the payload is encrypted under the {0} decoded bytes of the session key; the AES-192 key must be the session \
         key's 24 base64 characters themselves"
    )]
    DecodedKey(usize),
    /// The payload is encrypted with the decoded session key.
    #[error(
        "the payload is encrypted with AES-128 under the 16 decoded bytes of the session key; the AES-192 key must be \
        the session key's 24 base64 characters themselves"
    )]
    Aes128,
    /// The payload is encrypted with the first part of the session key's text.
    #[error(
        "the payload is encrypted with AES-128 under the first 16 characters of the session key's text; the key must \
         be the whole text: 24 characters of base64, with AES-192"
    )]
    Aes128Truncated,
    /// The payload is encrypted with the session key's text, padded with zero bytes.
    #[error(
        "the payload is encrypted with AES-256 under the session key's text and 8 zero bytes; the key must be the 24 \
        characters alone, with AES-192"
    )]
    Aes256Padded,
    /// The session key does not decrypt the payload.
    #[error(
        "the payload cannot be decrypted with the session key: it was encrypted with a different key, was not \
        encrypted with AES-192-ECB and PKCS#5 padding, or was changed in transit"
    )]
    Payload,
    /// The payload is not a single strict JSON object.
    #[error("the payload {0}")]
    PayloadJson(String),
    /// A field has an unexpected value.
    #[error("{0} has an unexpected value{why}", why = other_value(.0))]
    OtherValue(&'static str),
    /// The signature's length does not match any key that should verify it.
    #[error("the signature has {bytes} bytes; signatures made with the expected keys have {expected}")]
    SignatureLength {
        /// The signature's length in bytes.
        bytes: usize,
        /// The signature lengths of the keys that should verify it, in bytes.
        expected: String,
    },
    /// The signature was made with a known key, but not with the sender's key.
    #[error(
        "the signature was made with {0:?}, which is not the key that should verify it (from the other environment, \
        another provider, or the wrong side)"
    )]
    SignedByOther(String),
    /// The signature was made with an unknown key, or it is damaged.
    #[error(
        "the signature was not made with any known key, or was damaged in transit: ask the sender for its current \
        public key"
    )]
    SignedByUnknown,
    /// The signature uses a hash function other than SHA-256.
    #[error("the signature uses {0:?}; it must be SHA256withRSA")]
    Digest(DigestAlgorithm),
    /// The signed text differs from the received text in a known way.
    #[error(
        "the signed text differs from the received text{}: {}",
        location(*.at, .field.as_deref()),
        joined(.changes)
    )]
    Text {
        /// The differences from the signed text.
        changes: Vec<TextChange>,
        /// The position of the first byte that differs.
        at: usize,
        /// The field that contains this position.
        field: Option<String>,
    },
    /// The signed text differs from the received text in an unknown way.
    #[error(
        "the signature was made with the right key, but over different text, and undoing the usual changes did not \
        restore the signed text: compare the text that the sender signed with the expected text"
    )]
    TextUnknown,
    /// The signed text differs from the received text, and the search ended early.
    #[error(
        "the signature was made with the right key, but over different text; there are too many possible \
        serializations to try all of them: compare the text that the sender signed with the expected text"
    )]
    TextTooLarge,
    /// The received text shows signs of a change that cannot be undone. Such a change is a possible cause, not a proven
    /// cause.
    #[error("{0}")]
    Trace(Trace),
    /// The signature was made with the right key, but the signed text cannot be reconstructed.
    #[error(
        "the signature was made with the right key; without the session key or the payload it cannot be checked \
        against this message"
    )]
    TextNotAtHand,
    /// An error response without a signature.
    #[error(
        "the message is an error response without a signature, as the provider sends for some errors: it cannot be \
         authenticated"
    )]
    UnsignedFailure,
}

/// A deviation from standard base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Base64Flaw {
    /// The text uses the URL alphabet, with `-` and `_`.
    #[error("it uses the URL alphabet (`-` and `_` for `+` and `/`)")]
    UrlAlphabet,
    /// The text has spaces in place of `+`.
    #[error("it has spaces in place of `+`: the value was sent in a form or a URL without percent-encoding")]
    Spaces,
    /// The text contains line breaks or other whitespace.
    #[error("it has line breaks or other whitespace: the sender's encoder inserts line breaks")]
    Lines,
    /// Percent-encoding.
    #[error("it is percent-encoded, which is allowed only for randomKey")]
    PercentEncoded,
    /// The padding `=` is missing, or unused bits are not zero.
    #[error("the `=` padding is missing, or the unused bits of the last character are not zero")]
    Padding,
}

/// A difference between the signed text and the text that should have been signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextChange {
    /// The body or the payload was changed in transit or before it was signed.
    #[error("{0}")]
    Bytes(Change),
    /// The payload was not signed.
    #[error("the sender did not sign the payload (as in the upload endpoints of the IBAN product)")]
    PayloadLeftOut,
    /// The payload was signed, although this kind of message excludes it from the signature.
    #[error("the sender signed the payload, although this kind of message excludes the payload from the signature")]
    PayloadSigned,
    /// The encrypted payload was signed.
    #[error("the sender signed the encrypted payload; it must sign the plaintext")]
    PayloadEncrypted,
    /// The encrypted session key was signed.
    #[error("the sender signed the encrypted randomKey; it must sign the plaintext")]
    KeyEncrypted,
    /// The encrypted payload and the encrypted session key were signed.
    #[error("the sender signed the encrypted payload and the encrypted randomKey; it must sign the plaintext of both")]
    BothEncrypted,
    /// The session key was not signed.
    #[error("the sender did not sign randomKey")]
    KeyLeftOut,
    /// Empty fields were signed.
    #[error("the sender signed empty fields as well")]
    EmptyFields,
    /// `encryptFlag` was signed.
    #[error("the sender signed encryptFlag as well")]
    EncryptFlag,
    /// The fields were not sorted by name in ASCII order before signing.
    #[error("the sender did not sort the fields by name in ASCII order")]
    FieldOrder,
    /// The signed text ends with `&`.
    #[error("the sender signed an `&` after the last field")]
    LastAmpersand,
    /// The signed text ends with a line break.
    #[error("the sender signed a line break after the last field")]
    LastNewline,
    /// The values were percent-encoded before signing.
    #[error("the sender percent-encoded the values before signing")]
    PercentEncoded,
    /// The payload was signed under the name that it has in a different kind of message.
    #[error("the sender signed the payload under the name {0}")]
    PayloadName(&'static str),
    /// The values of two fields are swapped.
    #[error("the values of {0:?} and {1:?} are swapped")]
    Swapped(String, String),
    /// A field's value differs from the signed value.
    #[error(
        "the value of {0:?} is not the signed value: it was changed after signing, or a different value was signed"
    )]
    OtherValue(String),
    /// A signed field is missing.
    #[error("{0:?} was signed, but is missing or empty in the document")]
    Missing(String),
    /// A field was added after signing.
    #[error("{0:?} was not signed")]
    NotSigned(String),
}

/// Returns why this field's value is unexpected, as text to append to a message. The text can be empty.
fn other_value(name: &str) -> &'static str {
    match name {
        "partnerId" => ": it belongs to a different partner or environment",
        "version" => "; the only known version is 2.0",
        "signType" => "; the only known signature type is RSA",
        _ => "",
    }
}

impl Finding {
    /// Returns the finding's certainty. Every finding except [`Finding::Trace`] is proven.
    pub fn certainty(&self) -> Certainty {
        if matches!(self, Self::Trace(_)) { Certainty::Possible } else { Certainty::Proven }
    }
}

fn location(at: usize, field: Option<&str>) -> String {
    match field {
        Some(field) => format!(" from byte {at}, in {}", field.escape_debug()),
        None => format!(" from byte {at}"),
    }
}

fn joined(changes: &[TextChange]) -> String {
    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Formats lengths for a finding, separated by commas.
pub(super) fn list(numbers: &[usize]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
