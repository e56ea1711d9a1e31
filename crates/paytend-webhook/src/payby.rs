//! PayBy's transfer-to-bank notifications.

use std::time::Duration;

use paytend_crypto::rsa::RsaPublic;
use paytend_model::Content;
use paytend_model::payby::TransferToBankNotification;

use crate::dedup_key::DedupKey;
use crate::detached::{Authentic, DetachedReceiver, Facts, Scheme};
use crate::error::{ConfigError, Reason};
use crate::keys::{ScheduledKey, checked};
use crate::members::{Identity, Members, at_millis, text};
use crate::provider::Provider;
use crate::verified::BusinessKey;

/// A receiver for PayBy's transfer-to-bank notifications. Cloning is cheap.
///
/// The documentation does not state whether `notify_timestamp` is the time of the notification or of the attempt.
/// According to its documentation, PayBy retries for 24 hours and 22 minutes. The default maximum age of 26 hours
/// accepts the last attempt in either case.
///
/// The sample in the documentation has no timestamp. Notifications without a timestamp, or with a timestamp that is not
/// a number, are accepted unless [`require_timestamp`](Self::require_timestamp) is set.
pub type PayByReceiver = DetachedReceiver<PayBy>;

/// PayBy's signature scheme, with the signature in a header.
#[derive(Clone, Debug)]
pub struct PayBy;

impl PayByReceiver {
    /// Creates a receiver with PayBy's key, or with several keys during a rotation, on the default backend.
    ///
    /// ```no_run
    /// use paytend_crypto::PublicKey;
    /// use paytend_webhook::PayByReceiver;
    /// let receiver = PayByReceiver::from_keys([PublicKey::from_file("payby.pem")?])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`ConfigError`] if there is no key, or if a key is invalid.
    #[cfg(feature = "rustcrypto")]
    pub fn from_keys(
        keys: impl IntoIterator<Item: std::borrow::Borrow<paytend_crypto::PublicKey>>,
    ) -> Result<Self, ConfigError> {
        Self::new(crate::keys::public(keys)?)
    }

    /// Creates a receiver with PayBy's key, or with several keys during a rotation.
    ///
    /// # Errors
    /// Returns [`ConfigError`] if there is no key, or if a key is invalid or has an empty validity period.
    pub fn new(keys: impl IntoIterator<Item: Into<ScheduledKey<dyn RsaPublic>>>) -> Result<Self, ConfigError> {
        Self::with(PayBy, &checked(keys)?, Duration::from_secs(26 * 3600))
    }
}

impl Scheme for PayBy {
    type Body = TransferToBankNotification;
    const PROVIDER: Provider = Provider::PayBy;

    fn read(body: &[u8]) -> Content<TransferToBankNotification> {
        TransferToBankNotification::read(body)
    }

    fn facts(&self, Authentic { body, .. }: &Authentic<'_>) -> Result<Facts, Reason> {
        let body_key = || DedupKey::of(Self::PROVIDER, &[b"body", body]);
        let Some(members) = Members::of(body) else {
            return Ok(Facts { sent_at: None, dedup_key: body_key(), business_key: None });
        };
        // If there are several timestamps, use the oldest.
        let sent_at = members.all("notify_timestamp").filter_map(|time| millis(&text(time)?)).min();
        let notify_id = members.identity("notify_id");
        let order = members.object("transferToBankOrder");
        let order_field = |name| order.as_ref().and_then(|order| order.identity(name));
        let (number, status) = (order_field("orderNo"), order_field("status"));
        let dedup_key = if order.is_some() && (notify_id.is_some() || number.is_some()) {
            let parts = [&notify_id, &number, &status].map(|part| Identity::part(part.as_ref()));
            DedupKey::of(Self::PROVIDER, &[b"order", &parts[0], &parts[1], &parts[2]])
        } else if notify_id.is_some() {
            // If the order is not an object, the key is derived from the order's raw value.
            let parts = [notify_id, members.identity("transferToBankOrder")].map(|part| Identity::part(part.as_ref()));
            DedupKey::of(Self::PROVIDER, &[b"notification", &parts[0], &parts[1]])
        } else {
            body_key()
        };
        let merchant_number = order_field("merchantOrderNo");
        Ok(Facts {
            sent_at: sent_at.map(at_millis),
            dedup_key,
            business_key: BusinessKey::new(
                "transfer-to-bank",
                Identity::text(merchant_number.as_ref()),
                Identity::text(status.as_ref()),
            ),
        })
    }
}

/// Parses a time in milliseconds. Any JSON number notation is accepted if the value is a whole number: `1700000000000`,
/// `1.7E12`, `1700000000000.0`.
fn millis(text: &str) -> Option<u64> {
    let exact = || {
        let number: paytend_model::Amount = serde_json::from_str(text).ok()?;
        number.value().normalize().to_string().parse().ok()
    };
    text.parse().ok().or_else(exact)
}

#[cfg(test)]
mod tests {
    use super::millis;

    #[test]
    fn time_is_parsed_from_every_notation_of_a_whole_number() {
        for text in ["1700000000000", "1.7E12", "1700000000000.0", "17e+11", "1700000000000.000"] {
            assert_eq!(millis(text), Some(1_700_000_000_000), "{text}");
        }
        assert_eq!(millis("18446744073709551615"), Some(u64::MAX));
        for text in ["", "soon", "1.5", "-1", "1e400", "NaN"] {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
