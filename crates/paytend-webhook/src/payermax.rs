//! PayerMax: balance change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use paytend_crypto::rsa::RsaPublic;
use paytend_model::payermax::{self, BalanceChangeNotification};
use serde_json::Value;

use crate::config_error::ConfigError;
use crate::detached::{Authentic, DetachedReceiver, Facts, Remains, Scheme, at_millis};
use crate::keys::{Dated, checked};
use crate::provider::Provider;
use crate::receiver::Reason;
use crate::verified::{BusinessKey, DedupKey};

/// Receives PayerMax's balance change notifications, of the merchants that it is configured with. Cloning is cheap.
///
/// Each merchant has its keys. A signature is held against all keys that are configured, and the merchant in the body, which is read only
/// then, must be one of those that have the key which it is by.
///
/// When PayerMax tries again is not documented; the default takes what is up to three days old. A body of another shape than documented is
/// held against merchants and time as far as it names them at its top, however often and in whatever form; one that names none is taken.
pub type PayerMaxReceiver = DetachedReceiver<PayerMax>;

/// PayerMax's way of signing in a header.
#[derive(Clone, Debug)]
pub struct PayerMax {
    /// Each merchant's keys.
    merchants: Arc<BTreeMap<String, Vec<Dated<dyn RsaPublic>>>>,
}

impl PayerMaxReceiver {
    /// A receiver for these merchants, each with PayerMax's key for it. A merchant may be there several times, while keys are rotated.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn new<M: Into<String>>(
        merchants: impl IntoIterator<Item = (M, impl Into<Dated<dyn RsaPublic>>)>,
    ) -> Result<Self, ConfigError> {
        let (names, keys): (Vec<String>, Vec<Dated<dyn RsaPublic>>) =
            merchants.into_iter().map(|(merchant, key)| (merchant.into(), key.into())).unzip();
        let keys = checked(keys)?;
        let mut merchants: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (name, key) in names.into_iter().zip(&keys) {
            merchants.entry(name).or_default().push(key.clone());
        }
        Self::with(PayerMax { merchants: Arc::new(merchants) }, &keys, Duration::from_secs(3 * 24 * 3600))
    }
}

impl PayerMax {
    /// The merchant has the key, now.
    fn check_merchant<T>(&self, merchant: &str, authentic: &Authentic<'_, T>) -> Result<(), Reason> {
        let keys = self.merchants.get(merchant).into_iter().flatten();
        let has = keys.filter(|key| key.covers(Some(authentic.now))).any(|key| key.fingerprint() == authentic.key);
        if has { Ok(()) } else { Err(Reason::OtherMerchant) }
    }
}

impl Scheme for PayerMax {
    type Body = BalanceChangeNotification;
    const PROVIDER: Provider = Provider::PayerMax;

    fn facts(&self, authentic: &Authentic<'_, Self::Body>) -> Result<Facts, Reason> {
        let Some(typed) = authentic.read.typed() else {
            // It is by a key of ours, and nothing of it is lost; but what it says of merchant and time must hold all the same.
            let remains = Remains::of(authentic.body);
            for merchant in remains.all("merchantNo") {
                match merchant {
                    Value::String(merchant) => self.check_merchant(merchant, authentic)?,
                    Value::Number(merchant) => self.check_merchant(&merchant.to_string(), authentic)?,
                    Value::Null => {}
                    _ => return Err(Reason::OtherMerchant),
                }
            }
            return Ok(Facts {
                // Of several, the oldest.
                sent_at: remains.all("notifyTime").filter_map(|time| at_time(time.as_str()?)).min(),
                dedup_key: DedupKey::of(Self::PROVIDER, &[b"body", authentic.body]),
                business_key: None,
            });
        };
        self.check_merchant(&typed.merchant_no, authentic)?;
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
        let state = Some(change.direction.as_str());
        Ok(Facts {
            sent_at: at_time(&typed.notify_time),
            dedup_key: DedupKey::of(Self::PROVIDER, &parts.map(str::as_bytes)),
            business_key: BusinessKey::new("balance-change", Some(&change.related_trade_no), state),
        })
    }
}

/// A time as PayerMax writes it. One before 1970 is as old as can be.
fn at_time(text: &str) -> Option<SystemTime> {
    payermax::millis(text).map(|millis| at_millis(u64::try_from(millis).unwrap_or_default()))
}
