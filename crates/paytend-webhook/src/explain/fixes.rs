//! The fixes for findings, worded for the person who can apply them.

use paytend_crypto::Kind;

use super::finding::{Finding, TextChange};

/// The kind of message. It determines who the explanation is for and which changes are possible.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// A notification whose signature is in a header. The explanation is for the receiver.
    Body,
    /// A notification or a response in Paytend's envelope. The explanation is for the receiver.
    Received,
    /// A request in Paytend's envelope. The explanation is for its sender.
    Request,
}

/// The fix for a payload that differs from the signed payload. The payload is encrypted, so only the sender can have
/// caused the difference.
const SIGN_SAME_BYTES: &str = "serialize the payload once, as UTF-8, and both sign and encrypt exactly these bytes";
const SENDER_SIGNS_SAME_BYTES: &str =
    "inform the sender: it must serialize the payload once, and both sign and encrypt exactly these bytes";

impl Subject {
    pub(super) fn of(kind: Kind) -> Self {
        if kind == Kind::Request { Self::Request } else { Self::Received }
    }

    /// Returns the fix for this finding. For a request, the sender must apply it; for any other message, the receiver.
    fn choose(self, receiver: &'static str, sender: &'static str) -> &'static str {
        if self == Self::Request { sender } else { receiver }
    }

    fn same_bytes(self, body: &'static str) -> &'static str {
        if self == Self::Body { body } else { self.choose(SENDER_SIGNS_SAME_BYTES, SIGN_SAME_BYTES) }
    }
}

impl Finding {
    /// Returns one-line fixes for the receiver of a notification whose signature is in a header. For the message that
    /// was explained, use [`Explanation::fixes`](super::Explanation::fixes).
    pub fn fixes(&self) -> Vec<&'static str> {
        self.fixes_for(Subject::Body)
    }

    pub(super) fn fixes_for(&self, subject: Subject) -> Vec<&'static str> {
        match self {
            Self::Text { changes, .. } => changes.iter().filter_map(|change| change.fix(subject)).collect(),
            Self::Wrapped(wrapping) => {
                vec![subject.choose(wrapping.fix(), "send the JSON document itself as the body, in UTF-8")]
            }
            Self::NotJson(kind) => {
                let sender = "send the JSON document of the envelope as the body";
                if subject == Subject::Request { vec![sender] } else { kind.fix().into_iter().collect() }
            }
            Self::Trace(trace) => vec![if trace.is_of_fields() {
                subject.choose(
                    "compare each field with the value that the sender signed",
                    "sign each field with exactly the value that is sent, after all fields have been set",
                )
            } else {
                subject.same_bytes(trace.fix())
            }],
            Self::Aes128 | Self::Aes128Truncated | Self::Aes256Padded | Self::DecodedKey(_) => vec![subject.choose(
                "the sender must use the session key's 24 characters as the bytes of an AES-192 key (ECB, PKCS#5)",
                "use the session key's 24 characters as the bytes of an AES-192 key (ECB, PKCS#5)",
            )],
            Self::SessionKey(_) | Self::SessionKeyText { .. } => vec![subject.choose(
                "the sender must encrypt the base64 text of 16 random bytes as randomKey",
                "encrypt the base64 text of 16 random bytes as randomKey",
            )],
            Self::SignedByUnknown => vec![subject.choose(
                "ask the sender for its current public key",
                "sign with the private key whose public key Paytend has on file for this partner",
            )],
            Self::EncryptedForOther(_) | Self::EncryptedForUnknown { .. } if subject == Subject::Request => {
                vec!["encrypt randomKey with the public key that Paytend has published for this environment"]
            }
            _ => Vec::new(),
        }
    }
}

impl TextChange {
    fn fix(&self, subject: Subject) -> Option<&'static str> {
        match self {
            Self::Bytes(change) => Some(subject.same_bytes(change.fix())),
            Self::PayloadLeftOut => Some(subject.choose(
                "for the upload endpoints of the IBAN product, open the message with `unsigned_payload`",
                "sign the payload too, except in requests to the upload endpoints of the IBAN product",
            )),
            Self::OtherValue(_) | Self::Missing(_) | Self::NotSigned(_) => Some(subject.choose(
                "verify the document as received; the sender must sign each field with exactly the value that it sends",
                "sign each field with exactly the value that is sent, after all fields have been set",
            )),
            _ => None,
        }
    }
}
