//! PayBy and PayerMax: a signature in a header, over the body's bytes as they arrived.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use paytend_crypto::detached::Verifier;
use paytend_crypto::rsa::RsaPublic;
use paytend_crypto::{Error, Fingerprint};
use paytend_model::payby::TransferToBankNotification;
use paytend_model::payermax::{self, BalanceChangeNotification};
use serde::de::DeserializeOwned;

use crate::provider::Provider;
use crate::receiver::{Reason, Receiver, Rejection, check_body};
use crate::verified::{BusinessKey, Content, DedupKey, Verified};

/// The largest body that is looked at by default, in bytes.
const MAX_BYTES: usize = 64 << 10;

/// An authentic body: of its documented type, or, if it has another shape, with what is in the way. Nothing of it is lost: see
/// [`Verified::content`].
#[derive(Clone, Debug, PartialEq)]
pub enum Read<T> {
    /// Of its type.
    Typed(Box<T>),
    /// Of another shape. Names a field at most, never a value.
    Untyped(String),
}

impl<T> Read<T> {
    /// The typed notification, if it is one.
    pub fn typed(&self) -> Option<&T> {
        match self {
            Self::Typed(typed) => Some(typed),
            Self::Untyped(_) => None,
        }
    }
}

/// How old, and how far ahead, an authentic notification may be.
#[derive(Clone, Copy, Debug)]
struct Window {
    max_age: Duration,
    max_ahead: Duration,
    undated: bool,
}

impl Window {
    fn check(self, provider: Provider, sent_at: Option<SystemTime>, now: SystemTime) -> Result<(), Rejection> {
        let Some(sent_at) = sent_at else {
            let reason = Rejection::new(provider, Reason::Undated);
            return if self.undated { Ok(()) } else { Err(reason) };
        };
        match now.duration_since(sent_at) {
            Ok(age) if age > self.max_age => Err(Rejection::new(provider, Reason::TooOld)),
            Err(ahead) if ahead.duration() > self.max_ahead => Err(Rejection::new(provider, Reason::Ahead)),
            _ => Ok(()),
        }
    }
}

/// Verifies the bytes, before anything of them is read.
fn verify(
    provider: Provider,
    keys: &Verifier,
    headers: &HeaderMap,
    body: &[u8],
    limit: usize,
) -> Result<Fingerprint, Rejection> {
    check_body(provider, headers, body, limit)?;
    let mut signs = headers.get_all("sign").iter();
    let (Some(sign), None) = (signs.next(), signs.next()) else {
        return Err(Rejection::new(provider, Reason::Unsigned));
    };
    let sign = sign.to_str().map_err(|_| Rejection::of(provider, Error::NotAuthentic))?;
    keys.verify(body, sign).map_err(|error| Rejection::of(provider, error))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Read<T> {
    match serde_json::from_slice(body) {
        Ok(typed) => Read::Typed(Box::new(typed)),
        // The message names a place, never a value: the payload types see to that.
        Err(error) => Read::Untyped(error.to_string()),
    }
}

/// What a body says besides, when it is not of its type.
#[derive(Default, serde::Deserialize)]
struct Remains {
    notify_timestamp: Option<serde_json::Value>,
    #[serde(rename = "notifyTime")]
    notify_time: Option<serde_json::Value>,
    #[serde(rename = "merchantNo")]
    merchant_no: Option<serde_json::Value>,
}

impl Remains {
    fn of(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }
}

/// The time; what is beyond the year 9999, which not every system can tell, is its end.
fn at_millis(millis: u64) -> SystemTime {
    const END: u64 = 253_402_300_799_999;
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis.min(END))
}

/// A time as PayerMax writes it. One before 1970 is as old as can be.
fn at_time(text: &str) -> Option<SystemTime> {
    payermax::millis(text).map(|millis| at_millis(u64::try_from(millis).unwrap_or_default()))
}

/// Receives PayBy's transfer-to-bank notifications. Cloning is cheap.
///
/// What `notify_timestamp` is the time of, the notification or the attempt, is not documented; PayBy tries for 24 hours and 22 minutes
/// (documented). So the default takes what is up to 26 hours old, which accepts the last attempt either way. The documentation's own
/// sample has no timestamp: one without, or with one that is no number, is taken too, unless
/// [`require_timestamp`](Self::require_timestamp).
#[derive(Clone, Debug)]
pub struct PayByReceiver {
    keys: Verifier,
    window: Window,
    max_bytes: usize,
}

impl PayByReceiver {
    /// A receiver with PayBy's key, or several while they are rotated.
    ///
    /// # Errors
    /// When there is no key.
    pub fn new(keys: impl IntoIterator<Item = Arc<dyn RsaPublic>>) -> Result<Self, Error> {
        let window =
            Window { max_age: Duration::from_secs(26 * 3600), max_ahead: Duration::from_secs(300), undated: true };
        Ok(Self { keys: Verifier::new(keys)?, window, max_bytes: MAX_BYTES })
    }

    /// How old a notification may be (default 26 hours).
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.window.max_age = age;
        self
    }

    /// How far in the future its time may be (default 5 minutes).
    #[must_use]
    pub fn max_ahead(mut self, time: Duration) -> Self {
        self.window.max_ahead = time;
        self
    }

    /// Refuses notifications that do not say when they were sent.
    #[must_use]
    pub fn require_timestamp(mut self) -> Self {
        self.window.undated = false;
        self
    }

    /// Sets the largest body that is looked at, in bytes (default 64 KiB).
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }
}

impl Receiver for PayByReceiver {
    type Notification = Read<TransferToBankNotification>;

    fn provider(&self) -> Provider {
        Provider::PayBy
    }

    fn limit(&self) -> usize {
        self.max_bytes
    }

    fn receive(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Verified<Self::Notification>, Rejection> {
        const PAYBY: Provider = Provider::PayBy;
        let verified_by = verify(PAYBY, &self.keys, headers, body, self.max_bytes)?;
        let notification: Read<TransferToBankNotification> = read(body);
        let typed = notification.typed();
        let sent_at = match typed {
            Some(typed) => typed.sent_at_millis(),
            None => Remains::of(body).notify_timestamp.and_then(|time| time.as_u64()),
        };
        let sent_at = sent_at.map(at_millis);
        self.window.check(PAYBY, sent_at, now)?;
        let order = typed.and_then(|typed| typed.order.as_ref());
        let status = order.and_then(|order| order.status.as_ref()).map(|status| status.as_str());
        let dedup_key = match (typed, order) {
            (Some(typed), Some(order)) => {
                let parts = ["order", &typed.notify_id, &order.order_no, status.unwrap_or_default()];
                DedupKey::of(PAYBY, &parts.map(str::as_bytes))
            }
            (Some(typed), None) => DedupKey::of(PAYBY, &[b"notification", typed.notify_id.as_bytes()]),
            (None, _) => DedupKey::of(PAYBY, &[b"body", body]),
        };
        let business_key = order.and_then(|o| BusinessKey::new("transfer-to-bank", Some(&o.merchant_order_no), status));
        Ok(Verified {
            provider: PAYBY,
            notification,
            content: Content::Body(body.to_owned()),
            verified_by,
            sent_at,
            dedup_key,
            business_key,
        })
    }
}

/// Receives PayerMax's balance change notifications, of the merchants that it is configured with. Cloning is cheap.
///
/// Each merchant has its keys. A signature is held against all keys that are configured, and the merchant in the body, which is read only
/// then, must be one of those that have the key which it is by.
///
/// When PayerMax tries again is not documented; the default takes what is up to three days old. A body of another shape than documented is
/// held against merchants and time as far as it says them.
#[derive(Clone, Debug)]
pub struct PayerMaxReceiver {
    keys: Verifier,
    merchants: Arc<BTreeSet<(String, String)>>,
    window: Window,
    max_bytes: usize,
}

impl PayerMaxReceiver {
    /// A receiver for these merchants, each with PayerMax's key for it. A merchant may be there several times, while keys are rotated.
    ///
    /// # Errors
    /// When there is none.
    pub fn new<M: Into<String>>(merchants: impl IntoIterator<Item = (M, Arc<dyn RsaPublic>)>) -> Result<Self, Error> {
        let mut distinct: Vec<Arc<dyn RsaPublic>> = Vec::new();
        let mut pairs = BTreeSet::new();
        for (merchant, key) in merchants {
            let fingerprint = key.public_key().fingerprint();
            pairs.insert((fingerprint.to_string(), merchant.into()));
            if distinct.iter().all(|known| known.public_key().fingerprint() != fingerprint) {
                distinct.push(key);
            }
        }
        let window =
            Window { max_age: Duration::from_secs(3 * 24 * 3600), max_ahead: Duration::from_secs(300), undated: false };
        Ok(Self { keys: Verifier::new(distinct)?, merchants: Arc::new(pairs), window, max_bytes: MAX_BYTES })
    }

    /// How old a notification may be (default 3 days).
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.window.max_age = age;
        self
    }

    /// How far in the future its time may be (default 5 minutes).
    #[must_use]
    pub fn max_ahead(mut self, time: Duration) -> Self {
        self.window.max_ahead = time;
        self
    }

    /// Sets the largest body that is looked at, in bytes (default 64 KiB).
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }
}

impl PayerMaxReceiver {
    fn check_merchant(&self, key: Fingerprint, merchant: &str) -> Result<(), Rejection> {
        let known = self.merchants.contains(&(key.to_string(), merchant.to_owned()));
        if known { Ok(()) } else { Err(Rejection::new(Provider::PayerMax, Reason::OtherMerchant)) }
    }
}

impl Receiver for PayerMaxReceiver {
    type Notification = Read<BalanceChangeNotification>;

    fn provider(&self) -> Provider {
        Provider::PayerMax
    }

    fn limit(&self) -> usize {
        self.max_bytes
    }

    fn receive(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Verified<Self::Notification>, Rejection> {
        const PAYERMAX: Provider = Provider::PayerMax;
        let verified_by = verify(PAYERMAX, &self.keys, headers, body, self.max_bytes)?;
        let notification: Read<BalanceChangeNotification> = read(body);
        let Some(typed) = notification.typed() else {
            // It is by a key of ours, and nothing of it is lost; but what it says of merchant and time must hold all the same.
            let remains = Remains::of(body);
            if let Some(merchant) = remains.merchant_no.as_ref().and_then(serde_json::Value::as_str) {
                self.check_merchant(verified_by, merchant)?;
            }
            let sent_at = remains.notify_time.as_ref().and_then(serde_json::Value::as_str).and_then(at_time);
            if sent_at.is_some() {
                self.window.check(PAYERMAX, sent_at, now)?;
            }
            return Ok(Verified {
                provider: PAYERMAX,
                notification,
                content: Content::Body(body.to_owned()),
                verified_by,
                sent_at,
                dedup_key: DedupKey::of(PAYERMAX, &[b"body", body]),
                business_key: None,
            });
        };
        self.check_merchant(verified_by, &typed.merchant_no)?;
        let sent_at = at_time(&typed.notify_time);
        self.window.check(PAYERMAX, sent_at, now)?;
        let change = &typed.data;
        let amount = change.amount.value.value().normalize().to_string();
        let parts = [
            "change",
            typed.code.as_str(),
            &typed.app_id,
            &typed.merchant_no,
            &change.related_trade_no,
            typed.notify_type.as_str(),
            change.direction.as_str(),
            &amount,
            &change.amount.currency,
        ];
        let dedup_key = DedupKey::of(PAYERMAX, &parts.map(str::as_bytes));
        let business_key =
            BusinessKey::new("balance-change", Some(&change.related_trade_no), Some(change.direction.as_str()));
        Ok(Verified {
            provider: PAYERMAX,
            notification,
            content: Content::Body(body.to_owned()),
            verified_by,
            sent_at,
            dedup_key,
            business_key,
        })
    }
}
