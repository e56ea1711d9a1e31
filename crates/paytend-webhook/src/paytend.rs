//! Paytend: the hardened envelope, and the notifications in it.

use std::time::SystemTime;

use http::HeaderMap;
use paytend_crypto::{Expected, Keyring};
use paytend_model::{BaasNotification, IssuingNotification, Notification, Product};

use crate::provider::Provider;
use crate::receiver::{Receiver, Rejection, check_body};
use crate::verified::{BusinessKey, Content, DedupKey, Verified};

/// Receives what one of Paytend's products notifies one partner of. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct PaytendReceiver {
    product: Product,
    partner_id: String,
    expected: Expected,
    keyring: Keyring,
}

impl PaytendReceiver {
    /// A receiver for what `product` notifies `partner_id` of. Both belong to the route; a message that says otherwise is refused.
    pub fn new(product: Product, partner_id: impl Into<String>, keyring: Keyring) -> Self {
        let partner_id = partner_id.into();
        Self { product, expected: Expected::notification(partner_id.clone()), partner_id, keyring }
    }

    /// Sets the largest body that is looked at, in bytes (default 64 KiB).
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.expected = self.expected.max_bytes(bytes);
        self
    }

    /// The product, as it was told.
    pub fn product(&self) -> Product {
        self.product
    }
}

impl Receiver for PaytendReceiver {
    type Notification = Notification;

    fn provider(&self) -> Provider {
        Provider::Paytend
    }

    fn limit(&self) -> usize {
        self.expected.limit()
    }

    /// Paytend's notifications say no time: `now` plays no part. One that is played again has the same dedup key.
    fn receive(&self, headers: &HeaderMap, body: &[u8], _: SystemTime) -> Result<Verified<Notification>, Rejection> {
        check_body(Provider::Paytend, headers, body, self.limit())?;
        let opened = self.keyring.open(body, &self.expected).map_err(|e| Rejection::of(Provider::Paytend, e))?;
        let notify_type = opened.field("notifyType").unwrap_or_default();
        let content = opened.payload_text();
        let notification = Notification::read(self.product, notify_type, content);
        let parts = [self.product.as_str(), self.partner_id.as_str(), notify_type, content].map(str::as_bytes);
        Ok(Verified {
            provider: Provider::Paytend,
            business_key: business_key(&notification),
            notification,
            verified_by: opened.verified_by(),
            sent_at: None,
            dedup_key: DedupKey::of(Provider::Paytend, &parts),
            content: Content::Envelope(Box::new(opened)),
        })
    }
}

/// The fields that tell it are inferred but for the deposit's: without them there is no key.
fn business_key(notification: &Notification) -> Option<BusinessKey> {
    let new = BusinessKey::new;
    match notification {
        Notification::Baas(notification) => match notification {
            BaasNotification::AccountOpening(n) => new("account", n.user_id.as_deref(), n.status.as_deref()),
            BaasNotification::FundDeposit(n) => {
                let id = n.transaction_id.as_deref().or(n.order_no.as_deref());
                new("deposit", id, n.trade_status.as_deref())
            }
            BaasNotification::UserStatusChange(n) => new("user", n.user_id.as_deref(), n.user_status.as_deref()),
            BaasNotification::PaymentFailure(n) => {
                new("payment", n.order_no.as_deref().or(n.transaction_id.as_deref()), Some("failed"))
            }
            BaasNotification::UserUpgrade(n) => new("user-level", n.user_id.as_deref(), Some("standard")),
            BaasNotification::TransferOrder(n) => new("transfer-order", n.order_no.as_deref(), n.status.as_deref()),
            _ => None,
        },
        Notification::Issuing(notification) => match notification {
            IssuingNotification::CardTransaction(n) => {
                new("card-transaction", n.transaction_id.as_deref(), n.transaction_status.as_deref())
            }
            IssuingNotification::CardholderAudit(n) => new("cardholder", n.holder_id.as_deref(), n.status.as_deref()),
            IssuingNotification::ApplyCardResult(n) => {
                new("card-application", n.order_no.as_deref(), n.status.as_deref())
            }
            _ => None,
        },
        _ => None,
    }
}
