//! Receivers for notifications from Paytend, PayBy and PayerMax.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use paytend_crypto::Keyring;
use paytend_model::{Problem, Product};
use paytend_webhook::{
    BusinessKey, ConfigError, Content, PayByReceiver, PayerMaxReceiver, PaytendReceiver, Provider, Reason,
    Receiver as _, Rejection, Verified,
};

use crate::scheduled_key::{ScheduledKey, time_from_millis};
use crate::{Code, Failure, guard, message};

/// A receiver for the notifications that arrive at one HTTP route.
#[derive(Clone, Debug)]
pub enum Receiver {
    /// A receiver for notifications from Paytend.
    Paytend(PaytendReceiver),
    /// A receiver for notifications from PayBy.
    PayBy(PayByReceiver),
    /// A receiver for notifications from PayerMax.
    PayerMax(PayerMaxReceiver),
}

/// A verified notification.
pub struct Notification {
    /// The provider: `paytend`, `payby` or `payermax`.
    pub provider: &'static str,
    /// The Paytend product, `baas` or `issuing`; empty for PayBy and PayerMax.
    pub product: String,
    /// Paytend's `notifyType`; empty for PayBy and PayerMax.
    pub notify_type: String,
    /// The signed content: the decrypted `content` for Paytend, the body for PayBy and PayerMax.
    pub content: Vec<u8>,
    /// The result of parsing: `typed`, `unreadable` (a documented type that could not be parsed) or `unknown` (an
    /// undocumented type). If the result is not `typed`, store the notification with its content, and do not treat it
    /// as handled.
    pub reading: &'static str,
    /// A description of the parsing problems, if any. Even a `typed` notification can have fields that could not be
    /// parsed.
    pub problem: Option<String>,
    /// The deduplication key: 64 hexadecimal digits. It is the same for every delivery of a notification, even if the
    /// notification is sealed again. Store the key in the same transaction as the notification's effect.
    ///
    /// Notifications from Paytend have no sequence number, so a notification whose dedup key is already stored may
    /// still be an update. Store such a notification too, and query the current state of the object that the business
    /// key identifies.
    pub dedup_key: String,
    /// The object that the notification is about, and the reported state.
    pub business_key: Option<BusinessKey>,
    /// The fingerprint of the key that verified the signature.
    pub verified_by: String,
    /// The time at which the notification was sent, in milliseconds since the Unix epoch, if the provider reports it.
    pub sent_at: Option<u64>,
}

impl Notification {
    /// Returns all fields except the content as a JSON object. Absent values are null.
    pub fn summary(&self) -> String {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        serde_json::json!({
            "provider": self.provider,
            "product": some(&self.product),
            "notify_type": some(&self.notify_type),
            "reading": self.reading,
            "problem": self.problem,
            "dedup_key": self.dedup_key,
            "business_key": self.business_key.as_ref().map(|key| serde_json::json!({
                "kind": key.kind,
                "id": key.id,
                "state": key.state,
            })),
            "verified_by": self.verified_by,
            "sent_at": self.sent_at,
        })
        .to_string()
    }
}

impl fmt::Debug for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notification")
            .field("provider", &self.provider)
            .field("dedup_key", &self.dedup_key)
            .finish_non_exhaustive()
    }
}

/// The HTTP response to send to the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderResponse {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl From<http::Response<Bytes>> for ProviderResponse {
    fn from(response: http::Response<Bytes>) -> Self {
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Self {
            status: response.status().as_u16(),
            headers: response.headers().iter().map(header).collect(),
            body: response.body().to_vec(),
        }
    }
}

/// A rejected notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The reason for the rejection, for logs.
    pub failure: Failure,
    /// The response to send to the provider.
    pub response: ProviderResponse,
}

/// The result of handling a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The notification has been stored durably.
    Accepted,
    /// The notification had already been stored durably.
    Duplicate,
    /// The notification could not be stored; the provider should retry.
    TryAgainLater,
}

impl Reply {
    /// Parses a reply: `accepted`, `duplicate` or `try_again_later`.
    ///
    /// # Errors
    /// Returns [`Code::Usage`] for any other name.
    pub fn named(name: &str) -> Result<Self, Failure> {
        match name {
            "accepted" => Ok(Self::Accepted),
            "duplicate" => Ok(Self::Duplicate),
            "try_again_later" => Ok(Self::TryAgainLater),
            _ => Err(Failure::new(Code::Usage, "`reply` must be accepted, duplicate or try_again_later")),
        }
    }
}

impl Receiver {
    /// Creates a receiver for notifications from one Paytend product to one partner. `product` is `baas` or `issuing`.
    ///
    /// # Errors
    /// - Returns [`Code::Usage`] if the product is unknown or `partner_id` is empty.
    /// - Returns [`Code::Key`] if the keyring has no keys to open messages with.
    pub fn paytend(product: &str, partner_id: &str, keyring: Keyring) -> Result<Self, Failure> {
        let product = match product {
            "baas" => Product::Baas,
            "issuing" => Product::Issuing,
            _ => return Err(Failure::new(Code::Usage, "`product` must be baas or issuing")),
        };
        if partner_id.is_empty() {
            return Err(Failure::new(
                Code::Usage,
                "missing partner ID; a receiver accepts notifications for exactly one partner",
            ));
        }
        if !keyring.can_open() {
            return Err(Failure::new(
                Code::Key,
                "the keyring cannot open notifications; it needs your private key and Paytend's public key",
            ));
        }
        Ok(Self::Paytend(PaytendReceiver::new(product, partner_id, keyring)))
    }

    /// Creates a receiver for PayBy's notifications.
    ///
    /// # Errors
    /// - Returns [`Code::Key`] if `keys` is empty or a key cannot be used.
    /// - Returns [`Code::Usage`] if a key's validity period is empty.
    pub fn payby(keys: Vec<ScheduledKey>) -> Result<Self, Failure> {
        let keys = keys.into_iter().map(ScheduledKey::load).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::PayBy(PayByReceiver::new(keys).map_err(config_failure)?))
    }

    /// Creates a receiver for PayerMax's notifications to the given merchants.
    ///
    /// # Errors
    /// - Returns [`Code::Key`] if `merchants` is empty, or a key cannot be used.
    /// - Returns [`Code::Usage`] if a key's validity period is empty, or a merchant number is empty.
    pub fn payermax(merchants: Vec<(String, ScheduledKey)>) -> Result<Self, Failure> {
        if merchants.iter().any(|(merchant, _)| merchant.is_empty()) {
            return Err(Failure::new(Code::Usage, "missing merchant number; each PayerMax key needs one"));
        }
        let load = |(merchant, key): (String, ScheduledKey)| Ok((merchant, key.load()?));
        let merchants = merchants.into_iter().map(load).collect::<Result<Vec<_>, Failure>>()?;
        Ok(Self::PayerMax(PayerMaxReceiver::new(merchants).map_err(config_failure)?))
    }

    /// Sets the maximum size of a body in bytes, and the maximum age of a notification in milliseconds. `None` keeps
    /// the default. `max_age` does not apply to notifications from Paytend, which contain no timestamp.
    ///
    /// # Errors
    /// Returns [`Code::Usage`] if a limit is 0.
    pub fn limited(self, max_bytes: Option<usize>, max_age: Option<u64>) -> Result<Self, Failure> {
        let max_bytes = message::limit(max_bytes)?;
        if max_age == Some(0) {
            return Err(Failure::new(Code::Usage, "`max_age` is 0; it must be greater than 0"));
        }
        let receiver = match max_bytes {
            Some(bytes) => self.with_max_bytes(bytes),
            None => self,
        };
        Ok(match max_age {
            Some(millis) => receiver.with_max_age(Duration::from_millis(millis)),
            None => receiver,
        })
    }

    fn with_max_age(self, age: Duration) -> Self {
        match self {
            Self::PayBy(receiver) => Self::PayBy(receiver.with_max_age(age)),
            Self::PayerMax(receiver) => Self::PayerMax(receiver.with_max_age(age)),
            paytend @ Self::Paytend(_) => paytend,
        }
    }

    fn with_max_bytes(self, bytes: usize) -> Self {
        match self {
            Self::Paytend(receiver) => Self::Paytend(receiver.with_max_bytes(bytes)),
            Self::PayBy(receiver) => Self::PayBy(receiver.with_max_bytes(bytes)),
            Self::PayerMax(receiver) => Self::PayerMax(receiver.with_max_bytes(bytes)),
        }
    }

    fn provider(&self) -> Provider {
        match self {
            Self::Paytend(receiver) => receiver.provider(),
            Self::PayBy(receiver) => receiver.provider(),
            Self::PayerMax(receiver) => receiver.provider(),
        }
    }

    /// Returns the HTTP response for a received notification.
    pub fn respond(&self, reply: Reply) -> ProviderResponse {
        let reply = match reply {
            Reply::Accepted => paytend_webhook::Reply::Accepted,
            Reply::Duplicate => paytend_webhook::Reply::Duplicate,
            Reply::TryAgainLater => paytend_webhook::Reply::TryAgainLater,
        };
        self.provider().respond(reply).to_http().into()
    }

    /// Verifies a notification. `now` is in milliseconds since the Unix epoch; `None` selects the system time.
    ///
    /// # Errors
    /// Returns [`Rejected`], with the reason and the response to send, if the notification is rejected.
    pub fn receive<'a>(
        &self,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        body: &[u8],
        now: Option<u64>,
    ) -> Result<Notification, Box<Rejected>> {
        let result = guard::catch_panic(|| self.verify(headers, body, now));
        // After a panic, the sender should retry, because the notification may be valid.
        let internal = || Rejected { failure: guard::internal_failure(), response: self.respond(Reply::TryAgainLater) };
        result.unwrap_or_else(|| Err(Box::new(internal())))
    }

    fn verify<'a>(
        &self,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        body: &[u8],
        now: Option<u64>,
    ) -> Result<Notification, Box<Rejected>> {
        let now = now.map_or_else(SystemTime::now, time_from_millis);
        let headers = header_map(headers).map_err(|failure| {
            Box::new(Rejected {
                failure,
                response: self.provider().respond(paytend_webhook::Reply::Refused).to_http().into(),
            })
        })?;
        match self {
            Self::Paytend(receiver) => {
                let verified = receiver.receive(&headers, body, now).map_err(rejected)?;
                let notify_type = verified.opened().and_then(|opened| opened.field("notifyType")).unwrap_or_default();
                let names = ("paytend", receiver.product().as_str(), notify_type);
                Ok(convert(names, &verified, paytend_model::Notification::problems))
            }
            Self::PayBy(receiver) => {
                let verified = receiver.receive(&headers, body, now).map_err(rejected)?;
                Ok(convert(("payby", "", ""), &verified, |typed| typed.problems.as_slice()))
            }
            Self::PayerMax(receiver) => {
                let verified = receiver.receive(&headers, body, now).map_err(rejected)?;
                Ok(convert(("payermax", "", ""), &verified, |typed| typed.problems.as_slice()))
            }
        }
    }
}

/// Builds a map of the headers that receivers read. All other headers are ignored, even if they are invalid.
fn header_map<'a>(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<HeaderMap, Failure> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let Some(name) = HEADERS_READ.into_iter().find(|read| read.eq_ignore_ascii_case(name)) else { continue };
        let value = HeaderValue::from_bytes(value).map_err(|_| {
            Failure::new(
                Code::Malformed,
                format!("invalid value for the header `{name}`: it contains bytes that HTTP does not allow"),
            )
        })?;
        // At most 16 values of each header are kept, so that an attacker cannot fill the memory. No more are needed,
        // because receivers refuse a request with more than four signatures.
        if map.get_all(name).iter().count() < 16 {
            map.append(HeaderName::from_static(name), value);
        }
    }
    Ok(map)
}

const HEADERS_READ: [&str; 2] = ["sign", "content-encoding"];

/// Converts a verified notification. The first argument is a tuple of the provider, the product and the `notifyType`.
fn convert<T>(
    (provider, product, notify_type): (&'static str, &str, &str),
    verified: &Verified<Content<T>>,
    problems: impl Fn(&T) -> &[Problem],
) -> Notification {
    let (reading, problems) = match verified.notification() {
        Content::Typed(typed) => ("typed", problems(typed)),
        Content::Unreadable(raw) => ("unreadable", raw.problem.as_slice()),
        Content::Unknown(raw) => ("unknown", raw.problem.as_slice()),
    };
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let sent_at = verified.sent_at().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    Notification {
        provider,
        product: product.to_owned(),
        notify_type: notify_type.to_owned(),
        content: verified.content().to_owned(),
        reading,
        problem: (!problems.is_empty()).then(|| problems.join("; ")),
        dedup_key: verified.dedup_key().to_string(),
        business_key: verified.business_key().cloned(),
        verified_by: verified.verified_by().to_string(),
        sent_at: sent_at.and_then(|since| u64::try_from(since.as_millis()).ok()),
    }
}

fn rejected(rejection: Rejection) -> Box<Rejected> {
    let failure = match rejection.reason() {
        // Keeps the inner error's code, but uses a message that includes all causes.
        reason @ (Reason::Refused(error) | Reason::Unavailable(error)) => {
            Failure::from(error.clone()).with_message(reason)
        }
        Reason::Encoded(_) | Reason::TooLarge { .. } | Reason::Unsigned | Reason::TooManySignatures { .. } => {
            Failure::new(Code::Malformed, rejection.reason())
        }
        reason => Failure::new(Code::Rejected, reason),
    };
    Box::new(Rejected { failure, response: rejection.to_http().into() })
}

fn config_failure(error: ConfigError) -> Failure {
    match error {
        ConfigError::NoKey => Failure::new(Code::Key, error),
        ConfigError::Crypto(error) => Failure::from(error),
        error => Failure::new(Code::Usage, error),
    }
}
