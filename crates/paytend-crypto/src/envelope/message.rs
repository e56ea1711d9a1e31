//! The three kinds of messages, the fields of a message to seal, and the receiver's requirements for a message.

use std::fmt;

use crate::envelope::request_id::RequestId;

/// The kind of a message, which determines its envelope's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A request from a partner to Paytend. The payload field is `bizData`.
    Request,
    /// A response from Paytend. The payload field is `respData`.
    Response,
    /// A notification from Paytend to a partner's callback URL. The payload field is `content`.
    Notification,
}

impl Kind {
    /// All message kinds.
    pub const ALL: [Self; 3] = [Self::Request, Self::Response, Self::Notification];

    /// Returns the name of the payload field: `bizData`, `respData` or `content`.
    pub const fn payload_field(self) -> &'static str {
        match self {
            Self::Request => "bizData",
            Self::Response => "respData",
            Self::Notification => "content",
        }
    }

    /// Returns the fields that every message of this kind has, besides the payload, `randomKey` and `signature`.
    pub(crate) const fn required_fields(self) -> &'static [&'static str] {
        match self {
            Self::Request => &["requestId", "partnerId", "signType", "version"],
            Self::Response => &["respCode", "signType"],
            Self::Notification => &["partnerId", "notifyType", "signType", "version"],
        }
    }

    /// Returns the optional fields, which must be strings if present.
    pub(crate) const fn optional_fields(self) -> &'static [&'static str] {
        match self {
            Self::Response => &["respMsg"],
            Self::Request | Self::Notification => &[],
        }
    }

    /// Returns the default size limit of a document, in bytes. A request can contain a file of 2 MiB, which is encoded
    /// as base64 twice.
    pub const fn default_max_bytes(self) -> usize {
        match self {
            Self::Request => 8 << 20,
            Self::Response => 4 << 20,
            Self::Notification => 64 << 10,
        }
    }
}

/// The plain top-level fields of a message to seal: all fields except the payload, `randomKey` and `signature`.
///
/// `signType` (`RSA`) and, for kinds that have it, `version` (`2.0`) are set by default. Additional fields are signed
/// too.
///
/// ```
/// use paytend_crypto::Fields;
/// let fields = Fields::response("00", "success").with("traceId", "a1b2c3");
/// assert_eq!(fields.get("signType"), Some("RSA"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Fields {
    kind: Kind,
    entries: Vec<(String, String)>,
}

impl Fields {
    /// Creates the fields of a request.
    pub fn request(partner_id: &str, request_id: &RequestId) -> Self {
        Self::new(Kind::Request).with("requestId", request_id.as_str()).with("partnerId", partner_id)
    }

    /// Creates the fields of a response. A `resp_code` of `"00"` means success, and any other value means failure.
    pub fn response(resp_code: &str, resp_msg: &str) -> Self {
        Self::new(Kind::Response).with("respCode", resp_code).with("respMsg", resp_msg)
    }

    /// Creates the fields of a notification.
    pub fn notification(partner_id: &str, notify_type: &str) -> Self {
        Self::new(Kind::Notification).with("partnerId", partner_id).with("notifyType", notify_type)
    }

    /// Creates fields with only the fixed values. Set the other fields with [`with`](Self::with).
    pub fn new(kind: Kind) -> Self {
        let fields = Self { kind, entries: Vec::with_capacity(6) }.with("signType", "RSA");
        if kind == Kind::Response { fields } else { fields.with("version", "2.0") }
    }

    /// Sets a field, replacing an earlier value. [`Keyring::seal`](crate::Keyring::seal) checks names and values.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        match self.entries.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.entries.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Returns a field's value, or `None` if the field is not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Returns the names and values, in the order in which they were set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the message kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields").field("kind", &self.kind).field("count", &self.entries.len()).finish()
    }
}

/// The receiver's requirements for a message, set by the route or the configuration and never by the message.
///
/// ```
/// use paytend_crypto::Expected;
/// let hook = Expected::notification("888666000100260").with_max_bytes(16 * 1024);
/// # let _ = hook;
/// ```
#[derive(Clone, Debug)]
pub struct Expected {
    pub(crate) kind: Kind,
    pub(crate) partner_id: Option<String>,
    pub(crate) max_bytes: usize,
    pub(crate) payload_signed: bool,
}

impl Expected {
    /// Expects a request from this partner. Used on Paytend's side.
    pub fn request(partner_id: impl Into<String>) -> Self {
        Self { partner_id: Some(partner_id.into()), ..Self::danger_any_partner(Kind::Request) }
    }

    /// Expects a response. Used on a partner's side. Responses contain no partner ID; only the keys tie a response to a
    /// partner.
    pub fn response() -> Self {
        Self::danger_any_partner(Kind::Response)
    }

    /// Expects a notification to this partner. Used on a partner's side.
    pub fn notification(partner_id: impl Into<String>) -> Self {
        Self { partner_id: Some(partner_id.into()), ..Self::danger_any_partner(Kind::Notification) }
    }

    /// Expects a message with any `partnerId`.
    ///
    /// Intended for tools that inspect messages. If several partners share keys, a server that uses this function
    /// accepts the other partners' notifications.
    pub fn danger_any_partner(kind: Kind) -> Self {
        Self { kind, partner_id: None, max_bytes: kind.default_max_bytes(), payload_signed: true }
    }

    /// Sets the size limit of the document, in bytes (default: [`Kind::default_max_bytes`]).
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Returns the size limit of the document, in bytes.
    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Expects a payload that is encrypted but not signed, as used by the upload endpoints of the IBAN product. An
    /// attacker who can change the message in transit can change such a payload without being detected.
    #[must_use]
    pub fn unsigned_payload(mut self) -> Self {
        self.payload_signed = false;
        self
    }
}
