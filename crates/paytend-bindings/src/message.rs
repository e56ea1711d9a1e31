//! Sealing and opening messages.

use std::fmt;
use std::sync::OnceLock;

use paytend_crypto::{Expected, Fields, Keyring, Kind, Outgoing, PayloadProblem, RequestId};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::{Code, Failure};

/// Parses a message kind: `request`, `response` or `notification`.
///
/// # Errors
/// Returns [`Code::Usage`] for any other name.
pub fn kind(name: &str) -> Result<Kind, Failure> {
    match name {
        "request" => Ok(Kind::Request),
        "response" => Ok(Kind::Response),
        "notification" => Ok(Kind::Notification),
        _ => Err(Failure::new(Code::Usage, "`kind` must be request, response or notification")),
    }
}

/// Seals a message. `fields` are the unencrypted fields except `signType` and `version`, which sealing adds. An empty
/// payload is treated like `None`.
///
/// Adds a 32-character `requestId` to a request that does not contain one. An existing `requestId` is kept.
///
/// # Errors
/// - Returns [`Code::Unsealable`] if a field or the payload cannot be sealed; for example, if `requestId` is empty.
/// - Returns [`Code::Key`] if the keyring has no key to sign or encrypt with.
/// - Returns [`Code::Unavailable`] if a key's backend or the random source fails.
pub fn seal<'a>(
    keyring: &Keyring,
    kind: Kind,
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    payload: Option<&str>,
    payload_signed: bool,
) -> Result<String, Failure> {
    let mut fields = fields.into_iter().fold(Fields::new(kind), |fields, (name, value)| fields.with(name, value));
    if kind == Kind::Request && fields.get("requestId").is_none() {
        fields = fields.with("requestId", RequestId::generate()?.as_str());
    }
    let mut outgoing = Outgoing::new(&fields).payload(payload.unwrap_or_default());
    if !payload_signed {
        outgoing = outgoing.unsigned_payload();
    }
    Ok(keyring.seal(&outgoing)?.into_document())
}

/// The contents of an authentic message.
pub struct Opened {
    opened: paytend_crypto::Opened,
    verified_by: OnceLock<String>,
    decrypted_by: OnceLock<Option<String>>,
}

impl Opened {
    /// Returns the names and values of the unencrypted fields, sorted by name.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.opened.fields()
    }

    /// Returns the fingerprint of the key that verified the signature.
    pub fn verified_by(&self) -> &str {
        self.verified_by.get_or_init(|| self.opened.verified_by().to_string())
    }

    /// Returns the fingerprint of the key that decrypted the message, or `None` if nothing in the message was
    /// encrypted.
    pub fn decrypted_by(&self) -> Option<&str> {
        self.decrypted_by.get_or_init(|| self.opened.decrypted_by().map(|key| key.to_string())).as_deref()
    }

    /// Returns the signed bytes. They are secret, since they contain the session key and the payload.
    pub fn canonical(&self) -> Zeroizing<Vec<u8>> {
        self.opened.canonical()
    }

    /// Returns the signed bytes as text. Like [`canonical`](Self::canonical), the result is secret.
    ///
    /// # Errors
    /// Returns [`Code::Payload`] if the payload is not UTF-8.
    pub fn canonical_text(&self) -> Result<Zeroizing<String>, Failure> {
        let text = self.canonical();
        Ok(Zeroizing::new(std::str::from_utf8(&text).map_err(|_| not_utf8())?.to_owned()))
    }

    /// Returns the payload bytes exactly as signed. The slice is empty for a message without a payload.
    pub fn payload(&self) -> &[u8] {
        self.opened.payload_bytes()
    }

    /// Returns the payload as text.
    ///
    /// # Errors
    /// Returns [`Code::Payload`] if the payload is not UTF-8.
    pub fn payload_text(&self) -> Result<&str, Failure> {
        self.opened.payload_text().ok_or_else(not_utf8)
    }

    /// Returns a description of the problem if the payload is not a single strict JSON object, and `None` otherwise.
    /// The bytes are authentic in both cases.
    pub fn payload_problem(&self) -> Option<String> {
        self.opened.payload_problem().map(|problem| format!("the payload {problem}"))
    }

    /// Returns the unencrypted fields as a JSON object.
    pub fn fields_json(&self) -> String {
        let fields: Map<String, Value> = self.fields().map(|(name, value)| (name.to_owned(), value.into())).collect();
        Value::from(fields).to_string()
    }
}

fn not_utf8() -> Failure {
    paytend_crypto::Error::Payload(PayloadProblem::NotUtf8).into()
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("verified_by", &self.verified_by()).finish_non_exhaustive()
    }
}

/// Opens a message. For a request or notification, `partner_id` is the expected partner's ID. For a response, it must
/// be `None` or empty, because a response contains no partner ID.
///
/// # Errors
/// - Returns [`Code::NotAuthentic`] if the message was not sent by the expected sender to the expected receiver, or was
///   modified.
/// - Returns [`Code::Malformed`] if the document breaks a format rule.
/// - Returns [`Code::UnsignedFailure`] if the document is an error response without a signature.
/// - Returns [`Code::Usage`] if `partner_id` or `max_bytes` is invalid.
pub fn open(
    keyring: &Keyring,
    kind: Kind,
    partner_id: Option<&str>,
    document: &[u8],
    payload_signed: bool,
    max_bytes: Option<usize>,
) -> Result<Opened, Failure> {
    let mut expected = match (kind, partner_id.filter(|id| !id.is_empty())) {
        (Kind::Request, Some(id)) => Expected::request(id),
        (Kind::Notification, Some(id)) => Expected::notification(id),
        (Kind::Response, None) => Expected::response(),
        (Kind::Response, Some(_)) => {
            return Err(Failure::new(Code::Usage, "unexpected partner ID; a response contains none, so omit it"));
        }
        (_, None) => {
            return Err(Failure::new(
                Code::Usage,
                "missing partner ID; it is required to open a request or notification",
            ));
        }
    };
    if !payload_signed {
        expected = expected.unsigned_payload();
    }
    if let Some(bytes) = limit(max_bytes)? {
        expected = expected.with_max_bytes(bytes);
    }
    let opened = keyring.open(document, &expected)?;
    Ok(Opened { opened, verified_by: OnceLock::new(), decrypted_by: OnceLock::new() })
}

/// Checks that a size limit is not zero.
pub(crate) fn limit(max_bytes: Option<usize>) -> Result<Option<usize>, Failure> {
    match max_bytes {
        Some(0) => Err(Failure::new(Code::Usage, "`max_bytes` is 0; it must be greater than 0")),
        limit => Ok(limit),
    }
}
