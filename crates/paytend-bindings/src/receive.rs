//! Receiving the notifications of the three providers.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use paytend_crypto::{Keyring, PublicKey};
use paytend_model::{Problem, Product};
use paytend_webhook::{
    BusinessKey, ConfigError, Content, Dated, PayByReceiver, PayerMaxReceiver, PaytendReceiver, Provider, Reason,
    Receiver as _, Rejection, Verified,
};

use crate::{Code, Failure, backend, guard, message};

/// A receiver of one route.
#[derive(Clone, Debug)]
pub enum Receiver {
    /// Of Paytend's notifications.
    Paytend(PaytendReceiver),
    /// Of PayBy's.
    PayBy(PayByReceiver),
    /// Of PayerMax's.
    PayerMax(PayerMaxReceiver),
}

/// A provider's key, and when it is used, in milliseconds since 1970.
#[derive(Clone, Debug)]
pub struct DatedKey {
    /// The key.
    pub key: PublicKey,
    /// The first moment at which it is used.
    pub not_before: Option<u64>,
    /// The first moment at which it is no longer used.
    pub retire_at: Option<u64>,
}

impl From<PublicKey> for DatedKey {
    fn from(key: PublicKey) -> Self {
        Self { key, not_before: None, retire_at: None }
    }
}

impl DatedKey {
    fn load(self) -> Result<Dated<dyn paytend_crypto::rsa::RsaPublic>, Failure> {
        let mut dated = Dated::from(backend::public(&self.key)?);
        if let Some(millis) = self.not_before {
            dated = dated.not_before(moment(millis));
        }
        if let Some(millis) = self.retire_at {
            dated = dated.retire_at(moment(millis));
        }
        Ok(dated)
    }
}

/// A verified notification, in plain types.
pub struct Notification {
    /// `paytend`, `payby` or `payermax`.
    pub provider: &'static str,
    /// `baas` or `issuing` (Paytend's products); empty for the others.
    pub product: String,
    /// Paytend's `notifyType`; empty for the others.
    pub notify_type: String,
    /// What was signed: Paytend's content, PayBy's and PayerMax's body.
    pub content: Vec<u8>,
    /// `typed`, `unreadable` (of a documented type, and not to be read as one) or `unknown` (of no type that is known).
    /// What is not `typed` must be stored with its content, and not be acknowledged as handled.
    pub reading: &'static str,
    /// What could not be read, if anything: a `typed` notification may have fields that cannot be read.
    pub problem: Option<String>,
    /// Equal for the same notification, however often and however sealed it comes: 64 hexadecimal digits. Store it in
    /// the transaction of the effect. A known key may be an update all the same (Paytend's notifications have no
    /// number): store the arrival, and query the state of what the business key names.
    pub dedup_key: String,
    /// What it is about, and the state that it reports.
    pub business_key: Option<BusinessKey>,
    /// The fingerprint of the key that the signature is by.
    pub verified_by: String,
    /// When it was sent, in milliseconds since 1970, if the provider says so.
    pub sent_at: Option<u64>,
}

impl Notification {
    /// All but the content, as a JSON object. What there is none of is null.
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

/// What to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl From<http::Response<Bytes>> for Answer {
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

/// A notification that is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// Why: for the operator.
    pub failure: Failure,
    /// What to answer: for the sender.
    pub answer: Answer,
}

/// What a handler made of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is durable.
    Accepted,
    /// It was durable before.
    Duplicate,
    /// It could not be stored now.
    TryAgainLater,
}

impl Reply {
    /// The reply of that name: `accepted`, `duplicate` or `try_again_later`.
    ///
    /// # Errors
    /// [`Code::Usage`] for another one.
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
    /// Of what a product (`baas` or `issuing`) of Paytend's notifies a partner of.
    ///
    /// # Errors
    /// [`Code::Usage`] for another product, [`Code::Key`] for a keyring that cannot open.
    pub fn paytend(product: &str, partner_id: &str, keyring: Keyring) -> Result<Self, Failure> {
        let product = match product {
            "baas" => Product::Baas,
            "issuing" => Product::Issuing,
            _ => return Err(Failure::new(Code::Usage, "`product` must be baas or issuing")),
        };
        if partner_id.is_empty() {
            return Err(Failure::new(
                Code::Usage,
                "the partner ID is missing: a receiver takes the notifications of one partner",
            ));
        }
        if !keyring.can_open() {
            return Err(Failure::new(
                Code::Key,
                "the keyring cannot open notifications: it needs a private key of yours and a public key of Paytend",
            ));
        }
        Ok(Self::Paytend(PaytendReceiver::new(product, partner_id, keyring)))
    }

    /// Of PayBy's.
    ///
    /// # Errors
    /// [`Code::Key`] without a key, [`Code::Usage`] for one that is never used.
    pub fn payby(keys: Vec<DatedKey>) -> Result<Self, Failure> {
        let keys = keys.into_iter().map(DatedKey::load).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::PayBy(PayByReceiver::new(keys).map_err(refused)?))
    }

    /// Of PayerMax's, of these merchants.
    ///
    /// # Errors
    /// As [`payby`](Self::payby), and [`Code::Usage`] for a merchant without a number.
    pub fn payermax(merchants: Vec<(String, DatedKey)>) -> Result<Self, Failure> {
        if merchants.iter().any(|(merchant, _)| merchant.is_empty()) {
            return Err(Failure::new(Code::Usage, "a key of PayerMax has no merchant number"));
        }
        let load = |(merchant, key): (String, DatedKey)| Ok((merchant, key.load()?));
        let merchants = merchants.into_iter().map(load).collect::<Result<Vec<_>, Failure>>()?;
        Ok(Self::PayerMax(PayerMaxReceiver::new(merchants).map_err(refused)?))
    }

    /// Sets the largest body in bytes, and the greatest age of a notification from PayBy or PayerMax in milliseconds.
    /// `None` keeps the default. Paytend's notifications have no time.
    ///
    /// # Errors
    /// [`Code::Usage`] for a limit of nothing.
    pub fn limited(self, max_bytes: Option<usize>, max_age: Option<u64>) -> Result<Self, Failure> {
        let max_bytes = message::limit(max_bytes)?;
        if max_age == Some(0) {
            return Err(Failure::new(Code::Usage, "`max_age` is 0 ms, which would refuse every dated notification"));
        }
        let receiver = match max_bytes {
            Some(bytes) => self.max_bytes(bytes),
            None => self,
        };
        Ok(match max_age {
            Some(millis) => receiver.max_age(Duration::from_millis(millis)),
            None => receiver,
        })
    }

    fn max_age(self, age: Duration) -> Self {
        match self {
            Self::PayBy(receiver) => Self::PayBy(receiver.max_age(age)),
            Self::PayerMax(receiver) => Self::PayerMax(receiver.max_age(age)),
            paytend @ Self::Paytend(_) => paytend,
        }
    }

    fn max_bytes(self, bytes: usize) -> Self {
        match self {
            Self::Paytend(receiver) => Self::Paytend(receiver.max_bytes(bytes)),
            Self::PayBy(receiver) => Self::PayBy(receiver.max_bytes(bytes)),
            Self::PayerMax(receiver) => Self::PayerMax(receiver.max_bytes(bytes)),
        }
    }

    fn provider(&self) -> Provider {
        match self {
            Self::Paytend(receiver) => receiver.provider(),
            Self::PayBy(receiver) => receiver.provider(),
            Self::PayerMax(receiver) => receiver.provider(),
        }
    }

    /// What to answer a notification that was received.
    pub fn answer(&self, reply: Reply) -> Answer {
        let reply = match reply {
            Reply::Accepted => paytend_webhook::Reply::Accepted,
            Reply::Duplicate => paytend_webhook::Reply::Duplicate,
            Reply::TryAgainLater => paytend_webhook::Reply::TryAgainLater,
        };
        self.provider().answer(reply).into()
    }

    /// Verifies a notification. `now` is in milliseconds since 1970; without it, it is the system's time.
    ///
    /// # Errors
    /// Why not, and what to answer.
    pub fn receive<'a>(
        &self,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        body: &[u8],
        now: Option<u64>,
    ) -> Result<Notification, Box<NotTaken>> {
        let taken = guard::caught(|| self.take(headers, body, now));
        // A defect is no fault of the sender's, who may try again.
        let defect = || NotTaken { failure: guard::defect(), answer: self.answer(Reply::TryAgainLater) };
        taken.unwrap_or_else(|| Err(Box::new(defect())))
    }

    fn take<'a>(
        &self,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        body: &[u8],
        now: Option<u64>,
    ) -> Result<Notification, Box<NotTaken>> {
        let now = now.map_or_else(SystemTime::now, moment);
        let headers = header_map(headers)
            .map_err(|failure| Box::new(NotTaken { failure, answer: self.provider().refuse().into() }))?;
        match self {
            Self::Paytend(receiver) => {
                let verified = receiver.receive(&headers, body, now).map_err(rejected)?;
                let notify_type = verified.opened().and_then(|opened| opened.field("notifyType")).unwrap_or_default();
                let names = ("paytend", receiver.product().as_str(), notify_type);
                Ok(plain(names, &verified, paytend_model::Notification::problems))
            }
            Self::PayBy(receiver) => {
                let verified = receiver.receive(&headers, body, now).map_err(rejected)?;
                Ok(plain(("payby", "", ""), &verified, |typed| typed.problems.as_slice()))
            }
            Self::PayerMax(receiver) => {
                let verified = receiver.receive(&headers, body, now).map_err(rejected)?;
                Ok(plain(("payermax", "", ""), &verified, |typed| typed.problems.as_slice()))
            }
        }
    }
}

/// The headers that a receiver reads; all others are the server's business, however many and however odd they are.
fn header_map<'a>(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<HeaderMap, Failure> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let Some(name) = READ.into_iter().find(|read| read.eq_ignore_ascii_case(name)) else { continue };
        let value = HeaderValue::from_bytes(value).map_err(|_| {
            Failure::new(
                Code::Malformed,
                format!("the value of the header `{name}` has bytes that HTTP does not allow"),
            )
        })?;
        // No map is large enough for all that an attacker may send; a receiver tries fewer signatures than this.
        if map.get_all(name).iter().count() < 16 {
            map.append(HeaderName::from_static(name), value);
        }
    }
    Ok(map)
}

const READ: [&str; 2] = ["sign", "content-encoding"];

/// `names` are provider, product and `notifyType`.
fn plain<T>(
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

fn rejected(rejection: Rejection) -> Box<NotTaken> {
    let failure = match rejection.reason() {
        // The code of what is inside, in the words of the whole.
        reason @ (Reason::Refused(error) | Reason::Unavailable(error)) => {
            Failure::from(error.clone()).with_message(reason)
        }
        Reason::Encoded(_) | Reason::TooLarge { .. } | Reason::Unsigned | Reason::TooManySignatures { .. } => {
            Failure::new(Code::Malformed, rejection.reason())
        }
        reason => Failure::new(Code::Rejected, reason),
    };
    Box::new(NotTaken { failure, answer: rejection.response().into() })
}

fn refused(error: ConfigError) -> Failure {
    match error {
        ConfigError::NoKey => Failure::new(Code::Key, error),
        ConfigError::Crypto(error) => Failure::from(error),
        error => Failure::new(Code::Usage, error),
    }
}

/// What is beyond the year 9999, which not every system can tell, is its end.
fn moment(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis.min(253_402_300_799_999))
}
