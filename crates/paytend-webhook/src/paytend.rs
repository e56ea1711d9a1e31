//! The receiver for Paytend's notifications, which arrive in an encrypted envelope.

use std::fmt;
use std::time::SystemTime;

use http::HeaderMap;
use paytend_crypto::rsa::{RsaPrivate, RsaPublic};
use paytend_crypto::{Error, Expected, KeyError, Keyring};
use paytend_model::{BaasNotification, Content, IssuingNotification, Notification, Product};

use crate::dedup_key::DedupKey;
use crate::error::ConfigError;
use crate::keys::{KeyRole, KeyUsage, ScheduledKey, Timeline, UsageCounters, checked, used};
use crate::provider::Provider;
use crate::receiver::{Receiver, Rejection, check_body};
use crate::verified::{BusinessKey, Signed, Verified};

/// A receiver for one Paytend product's notifications to one partner. Cloning is cheap.
#[derive(Clone)]
pub struct PaytendReceiver {
    product: Product,
    partner_id: String,
    expected: Expected,
    keyrings: Timeline<Keyring>,
    uses: UsageCounters,
}

impl PaytendReceiver {
    /// Creates a receiver with the partner's private key and Paytend's public key, on the default backend. See
    /// [`new`](Self::new).
    ///
    /// ```no_run
    /// use paytend_crypto::{PrivateKey, PublicKey};
    /// use paytend_model::Product;
    /// use paytend_webhook::PaytendReceiver;
    /// let own = PrivateKey::from_file("partner-private.pem")?;
    /// let paytend = PublicKey::from_file("paytend-public.b64")?;
    /// let receiver = PaytendReceiver::from_keys(Product::Baas, "888666000100260", &own, &paytend)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`ConfigError`] if a key or the partner identifier is invalid.
    #[cfg(feature = "rustcrypto")]
    pub fn from_keys(
        product: Product,
        partner_id: impl Into<String>,
        own: &paytend_crypto::PrivateKey,
        paytend: &paytend_crypto::PublicKey,
    ) -> Result<Self, ConfigError> {
        Ok(Self::new(product, checked_partner(partner_id)?, Keyring::from_keys(own, paytend)?))
    }

    /// Creates a receiver for the notifications of `product` to `partner_id`. A message for a different partner is
    /// rejected. A message does not identify its product, so use a separate route for each product. `partner_id` is
    /// compared exactly. If it was read from a file, remove the trailing line break.
    pub fn new(product: Product, partner_id: impl Into<String>, keyring: Keyring) -> Self {
        let uses = UsageCounters::of_keyring(&keyring);
        Self::with(product, partner_id.into(), Timeline::constant(keyring), uses)
    }

    /// Creates a receiver with rotating keys: the partner's keys decrypt messages, and Paytend's keys verify them. A
    /// key in an [`Arc`](std::sync::Arc) is always valid. While either side has no valid key, the response asks the
    /// provider to retry later.
    ///
    /// # Errors
    /// Returns [`ConfigError`] if either list of keys is empty, if a key is invalid or has an empty validity period, or
    /// if the partner identifier is invalid.
    pub fn rotating(
        product: Product,
        partner_id: impl Into<String>,
        own: impl IntoIterator<Item: Into<ScheduledKey<dyn RsaPrivate>>>,
        paytend: impl IntoIterator<Item: Into<ScheduledKey<dyn RsaPublic>>>,
    ) -> Result<Self, ConfigError> {
        let partner_id = checked_partner(partner_id)?;
        let (own, paytend) = (checked(own)?, checked(paytend)?);
        let bounds = own.iter().flat_map(ScheduledKey::bounds).chain(paytend.iter().flat_map(ScheduledKey::bounds));
        let keyrings = Timeline::new(bounds, |from| {
            let (own, paytend) = (used(&own, from), used(&paytend, from));
            if own.is_empty() || paytend.is_empty() {
                return Ok(None);
            }
            let keyring = own.into_iter().fold(Keyring::builder(), |builder, key| builder.decryption_key(key));
            let keyring = paytend.into_iter().fold(keyring, |builder, key| builder.verification_key(key));
            Ok(Some(keyring.build()?))
        })?;
        let verifying = paytend.iter().map(|key| (key.fingerprint(), KeyRole::Verifies));
        let uses = UsageCounters::new(verifying.chain(own.iter().map(|key| (key.fingerprint(), KeyRole::Decrypts))));
        Ok(Self::with(product, partner_id, keyrings, uses))
    }

    fn with(product: Product, partner_id: String, keyrings: Timeline<Keyring>, uses: UsageCounters) -> Self {
        Self { product, expected: Expected::notification(partner_id.clone()), partner_id, keyrings, uses }
    }

    /// Sets the size limit for bodies, in bytes (default 64 KiB).
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.expected = self.expected.with_max_bytes(bytes);
        self
    }

    /// Returns the configured product.
    pub fn product(&self) -> Product {
        self.product
    }
}

/// Returns the partner identifier, or an error if no notification can contain it. Without this check, a trailing line
/// break would cause the rejection of every notification.
fn checked_partner(id: impl Into<String>) -> Result<String, ConfigError> {
    let id = id.into();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if id.is_empty() || !id.bytes().all(plain) { Err(ConfigError::PartnerId) } else { Ok(id) }
}

impl fmt::Debug for PaytendReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PaytendReceiver")
            .field("product", &self.product)
            .field("partner_id", &self.partner_id)
            .field("keys", &self.uses.list())
            .finish_non_exhaustive()
    }
}

impl Receiver for PaytendReceiver {
    type Notification = Content<Notification>;

    fn provider(&self) -> Provider {
        Provider::Paytend
    }

    fn max_bytes(&self) -> usize {
        self.expected.max_bytes()
    }

    fn key_usage(&self) -> Vec<KeyUsage> {
        self.uses.list()
    }

    /// Paytend's notifications have no timestamp; `now` only selects the keys. A replayed notification has the same
    /// dedup key.
    fn receive(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Verified<Content<Notification>>, Rejection> {
        const PAYTEND: Provider = Provider::Paytend;
        check_body(headers, body, self.max_bytes()).map_err(|reason| Rejection::new(PAYTEND, reason))?;
        let keyring = self.keyrings.at(now).ok_or(Error::Key(KeyError::Absent("open a notification at this time")));
        let opened = keyring
            .and_then(|keyring| keyring.open(body, &self.expected))
            .map_err(|error| Rejection::of(PAYTEND, error))?;
        self.uses.count(opened.verified_by(), KeyRole::Verifies, now);
        if let Some(key) = opened.decrypted_by() {
            self.uses.count(key, KeyRole::Decrypts, now);
        }
        let notify_type = opened.field("notifyType").unwrap_or_default();
        let content = opened.payload_bytes();
        let notification = Notification::read(self.product, notify_type, content);
        let [product, partner, kind] = [self.product.as_str(), &self.partner_id, notify_type].map(str::as_bytes);
        let dedup_key = DedupKey::of(PAYTEND, &[product, partner, kind, content]);
        Ok(Verified {
            provider: PAYTEND,
            product: Some(self.product),
            business_key: notification.typed().and_then(business_key),
            notification,
            verified_by: opened.verified_by(),
            received_at: now,
            sent_at: None,
            dedup_key,
            signed: Signed::Envelope(Box::new(opened)),
            _slot: None,
        })
    }
}

/// Returns the business key, or `None` if the identifying fields are missing. Except for deposits, these fields are
/// inferred. Each field is read separately, independently of errors in the other fields.
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
