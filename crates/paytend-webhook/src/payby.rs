//! PayBy: transfer to bank.

use std::time::Duration;

use paytend_crypto::rsa::RsaPublic;
use paytend_model::payby::TransferToBankNotification;
use serde_json::Value;

use crate::config_error::ConfigError;
use crate::detached::{Authentic, DetachedReceiver, Facts, Remains, Scheme, at_millis};
use crate::keys::{Dated, checked};
use crate::provider::Provider;
use crate::receiver::Reason;
use crate::verified::{BusinessKey, DedupKey};

/// Receives PayBy's transfer-to-bank notifications. Cloning is cheap.
///
/// What `notify_timestamp` is the time of, the notification or the attempt, is not documented; PayBy tries for 24 hours and 22 minutes
/// (documented). So the default takes what is up to 26 hours old, which accepts the last attempt either way. The documentation's own
/// sample has no timestamp: one without, or with one that is no number, is taken too, unless
/// [`require_timestamp`](Self::require_timestamp).
pub type PayByReceiver = DetachedReceiver<PayBy>;

/// PayBy's way of signing in a header.
#[derive(Clone, Debug)]
pub struct PayBy;

impl PayByReceiver {
    /// A receiver with PayBy's key, or several while they are rotated.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn new(keys: impl IntoIterator<Item: Into<Dated<dyn RsaPublic>>>) -> Result<Self, ConfigError> {
        Self::with(PayBy, &checked(keys)?, Duration::from_secs(26 * 3600))
    }
}

impl Scheme for PayBy {
    type Body = TransferToBankNotification;
    const PROVIDER: Provider = Provider::PayBy;

    fn facts(&self, Authentic { read, body, .. }: &Authentic<'_, Self::Body>) -> Result<Facts, Reason> {
        let typed = read.typed();
        let sent_at = match typed {
            Some(typed) => typed.sent_at_millis(),
            // Of several, the oldest.
            None => Remains::of(body).all("notify_timestamp").filter_map(Value::as_u64).min(),
        };
        let order = typed.and_then(|typed| typed.order.as_ref());
        let status = order.and_then(|order| order.status.as_ref()).map(|status| status.as_str());
        let dedup_key = match (typed, order) {
            (Some(typed), Some(order)) => {
                let parts = ["order", &typed.notify_id, &order.order_no, status.unwrap_or_default()];
                DedupKey::of(Self::PROVIDER, &parts.map(str::as_bytes))
            }
            (Some(typed), None) => DedupKey::of(Self::PROVIDER, &[b"notification", typed.notify_id.as_bytes()]),
            (None, _) => DedupKey::of(Self::PROVIDER, &[b"body", body]),
        };
        Ok(Facts {
            sent_at: sent_at.map(at_millis),
            dedup_key,
            business_key: order.and_then(|o| BusinessKey::new("transfer-to-bank", Some(&o.merchant_order_no), status)),
        })
    }
}
