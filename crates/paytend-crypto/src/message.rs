//! The three shapes of the envelope, the fields to seal, and what a receiver expects.

use std::fmt;

/// The three shapes of one envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// From a partner to Paytend; the payload is `bizData`.
    Request,
    /// Paytend's answer; the payload is `respData`.
    Response,
    /// From Paytend to a partner's callback URL; the payload is `content`.
    Notification,
}

impl Kind {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Request, Self::Response, Self::Notification];

    /// The name of the payload's field: `bizData`, `respData` or `content`.
    pub const fn payload_field(self) -> &'static str {
        match self {
            Self::Request => "bizData",
            Self::Response => "respData",
            Self::Notification => "content",
        }
    }

    /// Fields that every message of this kind has, besides payload, `randomKey` and `signature`.
    pub(crate) const fn required_fields(self) -> &'static [&'static str] {
        match self {
            Self::Request => &["requestId", "partnerId", "signType", "version"],
            Self::Response => &["respCode", "signType"],
            Self::Notification => &["partnerId", "notifyType", "signType", "version"],
        }
    }

    /// Fields that must be strings when they are there, and may be absent.
    pub(crate) const fn optional_fields(self) -> &'static [&'static str] {
        match self {
            Self::Response => &["respMsg"],
            Self::Request | Self::Notification => &[],
        }
    }

    /// The largest document accepted by default, in bytes. A request may carry a file of 2 MiB, twice in base64.
    pub const fn default_max_bytes(self) -> usize {
        match self {
            Self::Request => 8 << 20,
            Self::Response => 4 << 20,
            Self::Notification => 64 << 10,
        }
    }
}

/// The plain top-level fields of a message to seal: all but the payload, `randomKey` and `signature`.
///
/// `signType` (`RSA`) and, where the kind has it, `version` (`2.0`) are set already. Further fields are signed too.
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
    /// A request's fields.
    pub fn request(partner_id: &str, request_id: &str) -> Self {
        Self::new(Kind::Request).with("requestId", request_id).with("partnerId", partner_id)
    }

    /// A response's fields. `resp_code` `"00"` is success, anything else a failure.
    pub fn response(resp_code: &str, resp_msg: &str) -> Self {
        Self::new(Kind::Response).with("respCode", resp_code).with("respMsg", resp_msg)
    }

    /// A notification's fields.
    pub fn notification(partner_id: &str, notify_type: &str) -> Self {
        Self::new(Kind::Notification).with("partnerId", partner_id).with("notifyType", notify_type)
    }

    /// Only the fields that the protocol fixes, for a caller who sets the others with [`with`](Self::with).
    pub fn new(kind: Kind) -> Self {
        let fields = Self { kind, entries: Vec::with_capacity(6) }.with("signType", "RSA");
        if kind == Kind::Response { fields } else { fields.with("version", "2.0") }
    }

    /// Sets a field, replacing an earlier value. Whether it may be sealed is decided by sealing.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        match self.entries.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.entries.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// A field's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Names and values, in the order in which they were set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The kind of message.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields").field("kind", &self.kind).field("count", &self.entries.len()).finish()
    }
}

/// What a receiver expects of a message: decided by the route or the configuration, never by the message.
///
/// ```
/// use paytend_crypto::Expected;
/// let hook = Expected::notification("888666000100260").max_bytes(16 * 1024);
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
    /// A request of this partner (Paytend's side).
    pub fn request(partner_id: impl Into<String>) -> Self {
        Self { partner_id: Some(partner_id.into()), ..Self::danger_any_partner(Kind::Request) }
    }

    /// A response (a partner's side). It names no partner; the keys alone tie it to one.
    pub fn response() -> Self {
        Self::danger_any_partner(Kind::Response)
    }

    /// A notification to this partner (a partner's side).
    pub fn notification(partner_id: impl Into<String>) -> Self {
        Self { partner_id: Some(partner_id.into()), ..Self::danger_any_partner(Kind::Notification) }
    }

    /// A message in which `partnerId` may be anything. For tools that look at messages; a server that uses it will take one
    /// partner's notifications for another's if they share keys.
    pub fn danger_any_partner(kind: Kind) -> Self {
        Self { kind, partner_id: None, max_bytes: kind.default_max_bytes(), payload_signed: true }
    }

    /// Sets the largest document accepted, in bytes (default: [`Kind::default_max_bytes`]).
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The largest document accepted, in bytes.
    pub fn limit(&self) -> usize {
        self.max_bytes
    }

    /// The payload is encrypted but not signed, as in the upload endpoints of the IBAN product. Whoever can change the
    /// message on its way can change such a payload.
    #[must_use]
    pub fn unsigned_payload(mut self) -> Self {
        self.payload_signed = false;
        self
    }
}
