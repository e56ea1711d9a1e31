//! Test senders that seal or sign any notification as the provider would, and return the request that the provider
//! would send. Create keys with [`paytend_crypto::rustcrypto::generate`].
//!
//! ```
//! use std::time::SystemTime;
//! use paytend_crypto::{Keyring, OsRandom, rustcrypto};
//! use paytend_model::iban::IbanTransaction;
//! use paytend_model::{BaasNotification, Product};
//! use paytend_webhook::testing::PaytendSender;
//! use paytend_webhook::{PaytendReceiver, Receiver};
//!
//! let [paytend, own] = [(); 2].map(|()| rustcrypto::generate(1024, &OsRandom).unwrap());
//! let sender = PaytendSender::new("888666000100260", &paytend, own.public_key())?;
//! let mut deposit = IbanTransaction::new();
//! deposit.order_no = Some("F1".into());
//! let request = sender.notification(&BaasNotification::FundDeposit(Box::new(deposit)).into())?;
//!
//! let keyring = Keyring::from_keys(&own, paytend.public_key())?;
//! let receiver = PaytendReceiver::new(Product::Baas, "888666000100260", keyring);
//! let verified = receiver.receive(request.headers(), request.body(), SystemTime::now())?;
//! assert_eq!(verified.business_key().unwrap().id, "F1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use paytend_crypto::rsa::RsaPrivate;
use paytend_crypto::{Fields, Fingerprint, Keyring, Outgoing, PrivateKey, PublicKey, detached, rustcrypto};
use paytend_model::Notification;
use serde::Serialize;

use crate::dedup_key::DedupKey;
use crate::provider::Provider;
use crate::verified::{Signed, Verified};

/// An error while creating a notification.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The notification cannot be sealed or signed.
    #[error(transparent)]
    Crypto(#[from] paytend_crypto::Error),
    /// The notification cannot be serialized as JSON.
    #[error("cannot serialize the notification as JSON")]
    Json(#[from] serde_json::Error),
}

/// A sender that seals notifications as Paytend does.
#[derive(Clone, Debug)]
pub struct PaytendSender {
    partner_id: String,
    keyring: Keyring,
}

impl PaytendSender {
    /// Creates a sender with a partner identifier, Paytend's private key and the partner's public key.
    ///
    /// # Errors
    /// Returns [`SendError`] if the numbers in a key are inconsistent.
    pub fn new(partner_id: impl Into<String>, own: &PrivateKey, partner: &PublicKey) -> Result<Self, SendError> {
        Ok(Self { partner_id: partner_id.into(), keyring: Keyring::from_keys(own, partner)? })
    }

    /// Creates the request for a typed notification.
    ///
    /// # Errors
    /// Returns [`SendError`] if the notification cannot be serialized or sealed.
    pub fn notification(&self, notification: &Notification) -> Result<Request<Bytes>, SendError> {
        let content = match notification {
            Notification::Baas(notification) => notification.content()?,
            Notification::Issuing(notification) => notification.content()?,
            other => return self.raw(other.notify_type(), ""),
        };
        self.raw(notification.notify_type(), &content)
    }

    /// Creates the request for a notification with any type and content. The content is a JSON object, or empty.
    ///
    /// # Errors
    /// Returns [`SendError`] if the notification cannot be sealed.
    pub fn raw(&self, notify_type: &str, content: &str) -> Result<Request<Bytes>, SendError> {
        let fields = Fields::notification(&self.partner_id, notify_type);
        let sealed = self.keyring.seal(&Outgoing::new(&fields).payload(content))?;
        Ok(post(sealed.into_document().into()))
    }
}

/// A sender that signs notifications as PayBy and PayerMax do.
#[derive(Clone)]
pub struct DetachedSender {
    key: Arc<dyn RsaPrivate>,
}

impl DetachedSender {
    /// Creates a sender with the provider's private key.
    ///
    /// # Errors
    /// Returns [`SendError`] if the numbers in the key are inconsistent.
    pub fn new(key: &PrivateKey) -> Result<Self, SendError> {
        Ok(Self { key: rustcrypto::private(key).map_err(paytend_crypto::Error::from)? })
    }

    /// Creates the request for a typed notification:
    /// [`TransferToBankNotification`](paytend_model::payby::TransferToBankNotification) or
    /// [`BalanceChangeNotification`](paytend_model::payermax::BalanceChangeNotification).
    ///
    /// # Errors
    /// Returns [`SendError`] if the notification cannot be serialized or signed.
    pub fn notification(&self, notification: &impl Serialize) -> Result<Request<Bytes>, SendError> {
        self.raw(serde_json::to_vec(notification)?)
    }

    /// Creates the request for any body, valid or invalid.
    ///
    /// # Errors
    /// Returns [`SendError`] if the body cannot be signed.
    pub fn raw(&self, body: impl Into<Bytes>) -> Result<Request<Bytes>, SendError> {
        let body = body.into();
        let sign = detached::sign(&*self.key, &body)?;
        let mut request = post(body);
        // This conversion always succeeds, because base64 consists of characters that are valid in a header.
        if let Ok(sign) = HeaderValue::from_str(&sign) {
            request.headers_mut().insert(HeaderName::from_static("sign"), sign);
        }
        Ok(request)
    }
}

impl std::fmt::Debug for DetachedSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("DetachedSender").field(&self.key.public_key().fingerprint()).finish()
    }
}

fn post(body: Bytes) -> Request<Bytes> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request
}

impl<N> Verified<N> {
    /// Creates a verified notification **without verifying anything**, so that a handler can be tested in isolation.
    /// `verified_by` is the key fingerprint that the notification reports. The notification's dedup key is derived from
    /// `content` alone, and its time of receipt is the Unix epoch.
    pub fn danger_unverified(
        provider: Provider,
        notification: N,
        content: impl Into<Vec<u8>>,
        verified_by: Fingerprint,
    ) -> Self {
        let content = content.into();
        let dedup_key = DedupKey::of(provider, &[b"unverified", &content]);
        Self {
            provider,
            product: None,
            notification,
            signed: Signed::Body(content),
            verified_by,
            received_at: SystemTime::UNIX_EPOCH,
            sent_at: None,
            dedup_key,
            business_key: None,
            _slot: None,
        }
    }
}
