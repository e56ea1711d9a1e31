//! The inbox, which stores verified notifications.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use paytend_model::payby::TransferToBankNotification;
use paytend_model::payermax::BalanceChangeNotification;
use paytend_model::{Content, Notification};
use paytend_webhook::{Reply, Verified};

use crate::error::{StoreError, StoreErrorKind};
use crate::keys::StoreKeys;
use crate::kind::{Kind, NotificationType as _, documented_kind, paytend_kind, types};
use crate::record::{Accepted, Claimed, Facts, NewNotification, SightingPolicy, StoredPayload, UnsealedPayload};
use crate::route::Route;
use crate::store::Store;
use crate::terms::Id;
use crate::trace;

/// The default time limit for storing a notification.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(5);

type OrderBy = dyn Fn(&Facts) -> Option<String> + Send + Sync;

/// A durable inbox, which stores each verified notification once. Cloning is cheap.
///
/// Acknowledge a notification only after [`accept`](Self::accept) has returned `Ok`. The handler that
/// [`handler`](Self::handler) returns follows this rule. Pass it to a `paytend-webhook` adapter:
///
/// ```
/// use paytend_inbox::{Inbox, MemoryStore, StoreKeys};
/// use paytend_webhook::PaytendReceiver;
/// use paytend_webhook::server::Endpoint;
///
/// # async fn example(receiver: PaytendReceiver) -> Result<axum::Router, Box<dyn std::error::Error>> {
/// let inbox = Inbox::open(MemoryStore::new(), StoreKeys::generate()?).await?; // in production, a durable store
/// let route = paytend_webhook::axum::route(Endpoint::new(receiver), inbox.handler());
/// # Ok(axum::Router::new().route("/paytend/baas", route))
/// # }
/// ```
pub struct Inbox<S> {
    store: S,
    keys: Arc<StoreKeys>,
    accept_timeout: Duration,
    order_by: Option<Arc<OrderBy>>,
    requeued: Arc<HashSet<Kind>>,
    sightings: SightingPolicy,
}

impl<S: Store> Inbox<S> {
    /// Opens an inbox on a store. The deduplication key must be the key with which the store was first opened. Payload
    /// keys can be added later.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the store was created with a different deduplication key, or if the store fails.
    pub async fn open(store: S, keys: StoreKeys) -> Result<Self, StoreError> {
        store.bind_keys(keys.check_value()).await?;
        let keys = Arc::new(keys);
        Ok(Self {
            store,
            keys,
            accept_timeout: ACCEPT_TIMEOUT,
            order_by: None,
            requeued: Arc::default(),
            sightings: SightingPolicy::default(),
        })
    }

    /// Sets the time limit for [`accept`](Self::accept) (default 5 s). After this time, the sender is asked to retry.
    /// The write may still succeed later. If it does, the retry is recorded as a duplicate.
    #[must_use]
    pub fn accept_timeout(mut self, time: Duration) -> Self {
        self.accept_timeout = time;
        self
    }

    /// Sets the function that returns the order name of a notification. Notifications with the same order name are
    /// processed in the order in which they were accepted. Notifications for which the function returns `None` are
    /// processed in any order. Equal names on different routes are unrelated. The store contains an HMAC of each name,
    /// never the name itself. A dead letter does not block later notifications. If a notification is redriven, or
    /// requeued because a duplicate arrived, later notifications can be processed before it.
    ///
    /// ```
    /// # async fn example(store: paytend_inbox::MemoryStore) -> Result<(), paytend_inbox::StoreError> {
    /// use paytend_inbox::{Inbox, StoreKeys};
    /// let inbox = Inbox::open(store, StoreKeys::generate()?).await?.order_by(|facts| facts.business_id.clone());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn order_by(mut self, name: impl Fn(&Facts) -> Option<String> + Send + Sync + 'static) -> Self {
        self.order_by = Some(Arc::new(name));
        self
    }

    /// Runs the handler again if a notification of one of these kinds arrives again. In this run,
    /// [`is_sighting`](crate::Delivery::is_sighting) returns `true`. A duplicate may report that the object has
    /// returned to an earlier state, so the handler should query the state. One run can cover several duplicates. The
    /// run begins after the last of these duplicates has arrived.
    ///
    /// A duplicate that arrives before the first attempt causes no separate run. A duplicate that arrives later causes
    /// a run after the current run has completed. A duplicate of a dead letter is recorded but causes no run.
    ///
    /// Each run has a different [`Delivery::idempotency_key`](crate::Delivery::idempotency_key). If the content was
    /// erased or removed after its retention, only the handler set with
    /// [`on_sighting`](crate::WorkerBuilder::on_sighting) is called, without content.
    #[must_use]
    pub fn requeue_sightings(mut self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        self.requeued = Arc::new(kinds.into_iter().collect());
        self
    }

    /// Sets which duplicates are stored durably before they are acknowledged (default:
    /// [`SightingPolicy::PossibleChanges`]).
    #[must_use]
    pub fn sightings(mut self, policy: SightingPolicy) -> Self {
        self.sightings = policy;
        self
    }

    /// Returns the store.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Returns the keys.
    pub fn keys(&self) -> &StoreKeys {
        &self.keys
    }

    /// Stores a notification durably. If the notification is already stored, records the duplicate as a sighting
    /// instead. Acknowledge the notification only after this method has returned `Ok`.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the store fails or the time limit is reached. It is then unknown whether the
    /// notification is stored, so ask the sender to retry.
    pub async fn accept<N: Storable>(&self, verified: &Verified<N>) -> Result<Accepted, StoreError> {
        self.accept_traced(verified, None).await
    }

    /// Stores a notification like [`accept`](Self::accept), together with the `traceparent` header of its request. An
    /// invalid header is ignored. The tracing span in which the notification is processed has the fields `traceparent`,
    /// `trace_id` and `received_in_span_id`.
    ///
    /// # Errors
    /// Returns [`StoreError`] in the same cases as [`accept`](Self::accept).
    pub async fn accept_traced<N: Storable>(
        &self,
        verified: &Verified<N>,
        traceparent: Option<String>,
    ) -> Result<Accepted, StoreError> {
        let started = Instant::now();
        let notification = self.prepare(verified, traceparent)?;
        let (route, kind) = (notification.facts.route, notification.facts.kind.clone());
        let result = tokio::time::timeout(self.accept_timeout, self.store.accept(notification))
            .await
            .unwrap_or_else(|_| Err(StoreError::unavailable("the store did not respond in time")));
        let outcome = match &result {
            Ok(Accepted::New(_)) => "new",
            Ok(Accepted::Duplicate { .. }) => "duplicate",
            Err(_) => "failed",
        };
        metrics::counter!("paytend_inbox_accepted_total", "result" => outcome).increment(1);
        metrics::histogram!("paytend_inbox_accept_seconds").record(started.elapsed());
        match &result {
            Ok(accepted) => {
                tracing::debug!(id = accepted.id().get(), %route, %kind, outcome, "notification stored");
            }
            Err(error) => tracing::error!(%route, %kind, %error, "notification not stored and not acknowledged"),
        }
        result
    }

    /// Returns a handler for the `paytend-webhook` adapters. The handler stores each notification and then acknowledges
    /// it. If the store fails, the handler asks the sender to retry.
    pub fn handler<N: Storable>(
        &self,
    ) -> impl Fn(Verified<N>) -> futures_util::future::BoxFuture<'static, Reply> + Clone + Send + Sync + 'static {
        let inbox = self.clone();
        move |verified| {
            let inbox = inbox.clone();
            Box::pin(async move { inbox.reply(verified, None).await })
        }
    }

    pub(crate) async fn reply<N: Storable>(&self, verified: Verified<N>, traceparent: Option<String>) -> Reply {
        match self.accept_traced(&verified, traceparent).await {
            Ok(Accepted::New(_)) => Reply::Accepted,
            Ok(Accepted::Duplicate { .. }) => Reply::Duplicate,
            Err(_) => Reply::TryAgainLater,
        }
    }

    fn prepare<N: Storable>(
        &self,
        verified: &Verified<N>,
        traceparent: Option<String>,
    ) -> Result<NewNotification, StoreError> {
        let route = verified.notification().route(verified).ok_or_else(|| {
            StoreError::new(StoreErrorKind::Configuration, "the notification was not verified by a receiver")
        })?;
        let notify_type = verified.notification().notify_type().to_owned();
        let content = verified.content();
        let kind = verified.notification().kind(route);
        let mut facts = Facts::new(
            self.keys.dedup(&verified.dedup_key()),
            self.keys.content_tag(content),
            route,
            kind,
            notify_type,
        );
        if let Some(business) = verified.business_key() {
            facts.business_kind = Some(business.kind.to_owned());
            facts.business_id = Some(business.id.clone());
            facts.business_state = business.state.clone();
        }
        facts.verified_by = verified.verified_by().to_string();
        facts.sent_at = verified.sent_at().and_then(millis);
        facts.traceparent = traceparent.filter(|value| trace::parse(value).is_some());
        let name = self.order_by.as_ref().and_then(|order_by| order_by(&facts));
        facts.order_key = name.map(|name| self.keys.order_key(route, &name));
        let requeue_sighting = self.requeued.contains(&facts.kind);
        let payload = UnsealedPayload::new(Arc::clone(&self.keys), &facts, content.to_owned());
        Ok(NewNotification { facts, payload, requeue_sighting, sightings: self.sightings })
    }

    /// Decrypts the content of a claimed notification. Returns `None` if the content was removed.
    pub(crate) fn open_claimed(&self, claimed: &Claimed) -> Result<Option<Vec<u8>>, StoreError> {
        self.open_payload(claimed.lease.id, &claimed.facts, &claimed.payload)
    }

    /// Decrypts a stored payload. Returns `None` if the content was removed.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the key is missing, or if the payload was altered or belongs to a different
    /// notification.
    pub fn open_payload(&self, id: Id, facts: &Facts, payload: &StoredPayload) -> Result<Option<Vec<u8>>, StoreError> {
        match payload {
            StoredPayload::Sealed(sealed) => self.keys.open(id, Some(id), &facts.binding(), sealed).map(Some),
            StoredPayload::SealedWithoutId(sealed) => self.keys.open(id, None, &facts.binding(), sealed).map(Some),
            StoredPayload::Dropped => Ok(None),
        }
    }
}

impl<S: Clone> Clone for Inbox<S> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            keys: Arc::clone(&self.keys),
            accept_timeout: self.accept_timeout,
            order_by: self.order_by.clone(),
            requeued: Arc::clone(&self.requeued),
            sightings: self.sightings,
        }
    }
}

impl<S> fmt::Debug for Inbox<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// A notification that an inbox can store. This trait is sealed. It is implemented for the notification types of all
/// `paytend-webhook` receivers.
pub trait Storable: sealed::Sealed + Send + Sync + Sized + 'static {
    #[doc(hidden)]
    fn route(&self, verified: &Verified<Self>) -> Option<Route>;
    #[doc(hidden)]
    fn notify_type(&self) -> &str;
    #[doc(hidden)]
    fn kind(&self, route: Route) -> Kind;
}

impl Storable for Content<Notification> {
    fn route(&self, verified: &Verified<Self>) -> Option<Route> {
        verified.product().or_else(|| self.typed().map(Notification::product)).and_then(Route::of_product)
    }

    fn notify_type(&self) -> &str {
        match self {
            Self::Typed(typed) => typed.notify_type(),
            Self::Unreadable(raw) | Self::Unknown(raw) => &raw.notify_type,
        }
    }

    fn kind(&self, route: Route) -> Kind {
        paytend_kind(self, route)
    }
}

impl Storable for Content<TransferToBankNotification> {
    fn route(&self, _: &Verified<Self>) -> Option<Route> {
        Some(Route::PayBy)
    }

    fn notify_type(&self) -> &str {
        ""
    }

    fn kind(&self, _: Route) -> Kind {
        documented_kind(self, types::TransferToBank::KIND)
    }
}

impl Storable for Content<BalanceChangeNotification> {
    fn route(&self, _: &Verified<Self>) -> Option<Route> {
        Some(Route::PayerMax)
    }

    fn notify_type(&self) -> &str {
        ""
    }

    fn kind(&self, _: Route) -> Kind {
        documented_kind(self, types::BalanceChange::KIND)
    }
}

mod sealed {
    use super::*;

    pub trait Sealed {}
    impl Sealed for Content<Notification> {}
    impl Sealed for Content<TransferToBankNotification> {}
    impl Sealed for Content<BalanceChangeNotification> {}
}

/// Converts a time to milliseconds since the Unix epoch.
pub(crate) fn millis(time: SystemTime) -> Option<i64> {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).ok(),
        Err(before) => i64::try_from(before.duration().as_millis()).ok().map(|millis| -millis),
    }
}
