//! PayerMax's balance change notifications.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use paytend_crypto::rsa::RsaPublic;
use paytend_model::payermax::{self, BalanceChangeNotification};
use paytend_model::{Amount, Content};
use serde_json::Value;

use crate::dedup_key::DedupKey;
use crate::detached::{Authentic, DetachedReceiver, Facts, Scheme};
use crate::error::{ConfigError, Reason};
use crate::keys::{ScheduledKey, checked};
use crate::members::{Identity, Members, at_millis, text};
use crate::provider::Provider;
use crate::verified::BusinessKey;

/// Default maximum age of a notification.
const MAX_AGE: Duration = Duration::from_secs(3 * 24 * 3600);

/// A receiver for PayerMax's balance change notifications to the configured merchants. Cloning is cheap.
///
/// Each merchant has its own keys. The signature is checked against all configured keys. Then the merchant is read from
/// the body; the key that verified the signature must be one of the merchant's keys.
///
/// PayerMax's retry schedule is not documented; the default maximum age is three days. The merchant and the time are
/// each read from the raw body, so an unreadable member cannot bypass these checks. Every `merchantNo` in the body must
/// belong to the key. If there are several times, the oldest is used. An object without a merchant is accepted. A body
/// that is not an object is rejected as if its merchant were unknown.
pub type PayerMaxReceiver = DetachedReceiver<PayerMax>;

/// PayerMax's signature scheme, with the signature in a header.
#[derive(Clone, Debug)]
pub struct PayerMax {
    /// Each merchant's keys.
    merchants: Arc<BTreeMap<String, Vec<ScheduledKey<dyn RsaPublic>>>>,
    /// Whether the check of the merchant in the body is skipped.
    any_merchant: bool,
}

impl PayerMaxReceiver {
    /// Creates a receiver for these merchants, each paired with PayerMax's key for that merchant, on the default
    /// backend.
    ///
    /// ```no_run
    /// use paytend_crypto::PublicKey;
    /// use paytend_webhook::PayerMaxReceiver;
    /// let receiver = PayerMaxReceiver::from_keys([("010213834784554", PublicKey::from_file("payermax.pem")?)])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`ConfigError`] if there is no key, or if a key is invalid.
    #[cfg(feature = "rustcrypto")]
    pub fn from_keys<M: Into<String>>(
        merchants: impl IntoIterator<Item = (M, impl std::borrow::Borrow<paytend_crypto::PublicKey>)>,
    ) -> Result<Self, ConfigError> {
        let (names, keys): (Vec<M>, Vec<_>) = merchants.into_iter().unzip();
        Self::new(names.into_iter().zip(crate::keys::public(keys)?))
    }

    /// Creates a receiver for these merchants, each paired with PayerMax's key for that merchant. During a key
    /// rotation, list a merchant once for each of its keys.
    ///
    /// # Errors
    /// Returns [`ConfigError`] if there is no key, or if a key is invalid or has an empty validity period.
    pub fn new<M: Into<String>>(
        merchants: impl IntoIterator<Item = (M, impl Into<ScheduledKey<dyn RsaPublic>>)>,
    ) -> Result<Self, ConfigError> {
        let (names, keys): (Vec<String>, Vec<ScheduledKey<dyn RsaPublic>>) =
            merchants.into_iter().map(|(merchant, key)| (merchant.into(), key.into())).unzip();
        let keys = checked(keys)?;
        let mut merchants: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (name, key) in names.into_iter().zip(&keys) {
            merchants.entry(name).or_default().push(key.clone());
        }
        Self::with(PayerMax { merchants: Arc::new(merchants), any_merchant: false }, &keys, MAX_AGE)
    }

    /// Creates a receiver that **does not check the merchant**: it accepts every notification that one of these keys
    /// has signed. PayerMax has separate keys for each merchant, so this is sufficient if all keys belong to merchants
    /// with the same owner.
    ///
    /// # Errors
    /// Returns [`ConfigError`] if there is no key, or if a key is invalid or has an empty validity period.
    pub fn danger_any_merchant(
        keys: impl IntoIterator<Item: Into<ScheduledKey<dyn RsaPublic>>>,
    ) -> Result<Self, ConfigError> {
        Self::with(PayerMax { merchants: Arc::default(), any_merchant: true }, &checked(keys)?, MAX_AGE)
    }
}

impl PayerMax {
    /// Checks that the key that verified the signature belongs to the merchant and is valid now.
    fn check_merchant(&self, merchant: &str, authentic: &Authentic<'_>) -> Result<(), Reason> {
        if self.any_merchant {
            return Ok(());
        }
        let keys = self.merchants.get(merchant).into_iter().flatten();
        let has = keys.filter(|key| key.covers(Some(authentic.now))).any(|key| key.fingerprint() == authentic.key);
        if has { Ok(()) } else { Err(Reason::OtherMerchant) }
    }
}

impl Scheme for PayerMax {
    type Body = BalanceChangeNotification;
    const PROVIDER: Provider = Provider::PayerMax;

    fn read(body: &[u8]) -> Content<BalanceChangeNotification> {
        BalanceChangeNotification::read(body)
    }

    fn facts(&self, authentic: &Authentic<'_>) -> Result<Facts, Reason> {
        let members = Members::of(authentic.body).ok_or(Reason::OtherMerchant)?;
        for merchant in members.all("merchantNo") {
            self.check_merchant(&text(merchant).ok_or(Reason::OtherMerchant)?, authentic)?;
        }
        let change = members.object("data");
        let change_field = |name| change.as_ref().and_then(|change| change.identity(name));
        let (number, direction) = (change_field("relatedTradeNo"), change_field("direction"));
        let dedup_key = if number.is_some() {
            let [code, app, merchant, kind] = ["code", "appId", "merchantNo", "notifyType"]
                .map(|name| Identity::part(members.identity(name).as_ref()));
            let (number, direction) = (Identity::part(number.as_ref()), Identity::part(direction.as_ref()));
            let amount = change.as_ref().map(amount).unwrap_or_default();
            let parts: [&[u8]; 8] = [b"change", &code, &app, &merchant, &number, &kind, &direction, &amount];
            DedupKey::of(Self::PROVIDER, &parts)
        } else {
            DedupKey::of(Self::PROVIDER, &[b"body", authentic.body])
        };
        Ok(Facts {
            // If there are several times, use the oldest.
            sent_at: members.all("notifyTime").filter_map(|time| at_time(&text(time)?)).min(),
            dedup_key,
            business_key: BusinessKey::new(
                "balance-change",
                Identity::text(number.as_ref()),
                Identity::text(direction.as_ref()),
            ),
        })
    }
}

/// Returns the amount and currency as a part of a dedup key. `1.0` and `1.00` are the same amount.
fn amount(change: &Members<'_>) -> Vec<u8> {
    let Some(money) = change.object("amount") else { return Identity::part(change.identity("amount").as_ref()) };
    let value = money.identity("value");
    let exact = Identity::text(value.as_ref())
        .and_then(|value| serde_json::from_str::<Amount>(&Value::from(value).to_string()).ok())
        .map(|amount| amount.value().normalize().to_string().into_bytes());
    let value = exact.unwrap_or_else(|| Identity::part(value.as_ref()));
    [value, Identity::part(money.identity("currency").as_ref())].join(&b' ')
}

/// Parses a time in PayerMax's format. A time before 1970 is clamped to the Unix epoch.
fn at_time(text: &str) -> Option<SystemTime> {
    payermax::millis(text).map(|millis| at_millis(u64::try_from(millis).unwrap_or_default()))
}
