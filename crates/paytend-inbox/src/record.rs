//! The stored data of a notification.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use paytend_webhook::Provider;

use crate::error::StoreError;
use crate::keys::{Binding, SealedPayload, StoreKeys};
use crate::kind::Kind;
use crate::route::Route;
use crate::terms::{Id, Lease, Mac, State};

/// The values of a notification that a store keeps as plaintext. They include the business ID, which can be personal
/// data. `Debug` output does not contain the business ID.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// The key by which duplicates are recognized.
    pub dedup: Mac,
    /// An HMAC of the content. It is equal for deliveries with equal content.
    pub content_tag: Mac,
    /// The provider and product.
    pub route: Route,
    /// The kind, such as `fund-deposit`.
    pub kind: Kind,
    /// The `notifyType` of a Paytend notification. Empty for other providers.
    pub notify_type: String,
    /// The kind of object, such as `deposit`, that the notification is about.
    pub business_kind: Option<String>,
    /// The business ID, such as an order number. It identifies the object that the notification is about.
    pub business_id: Option<String>,
    /// The state of the object, as named by the provider.
    pub business_state: Option<String>,
    /// The order key. Notifications with equal keys are processed one after the other. Notifications without a key are
    /// processed in any order.
    pub order_key: Option<Mac>,
    /// The fingerprint of the key that verified the signature.
    pub verified_by: String,
    /// The W3C trace context of the request.
    pub traceparent: Option<String>,
    /// The send time reported by the provider, in milliseconds since the Unix epoch.
    pub sent_at: Option<i64>,
}

impl Facts {
    /// Creates facts from the required values. All other values are empty. A store uses this function when it reads
    /// facts.
    pub fn new(dedup: Mac, content_tag: Mac, route: Route, kind: Kind, notify_type: String) -> Self {
        Self {
            dedup,
            content_tag,
            route,
            kind,
            notify_type,
            business_kind: None,
            business_id: None,
            business_state: None,
            order_key: None,
            verified_by: String::new(),
            traceparent: None,
            sent_at: None,
        }
    }

    pub(crate) fn binding(&self) -> Binding {
        // A store may replace U+0000 in facts, because PostgreSQL cannot store it in text.
        let notify_type = self.notify_type.replace('\0', "\u{fffd}");
        Binding { dedup: self.dedup, route: self.route, kind: self.kind.clone(), notify_type }
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("dedup", &self.dedup)
            .field("route", &self.route)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A payload that is encrypted after the store has assigned an ID to the notification.
#[derive(Clone)]
pub struct UnsealedPayload {
    keys: Arc<StoreKeys>,
    binding: Binding,
    content: Vec<u8>,
}

impl UnsealedPayload {
    pub(crate) fn new(keys: Arc<StoreKeys>, facts: &Facts, content: Vec<u8>) -> Self {
        Self { keys, binding: facts.binding(), content }
    }

    /// Encrypts the payload for the notification with this ID.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the operating system cannot generate random numbers.
    pub fn seal(&self, id: Id) -> Result<SealedPayload, StoreError> {
        self.keys.seal(Some(id), &self.binding, &self.content)
    }

    /// Encrypts the payload for a store that assigns the ID in the same write. The payload is bound to the
    /// notification's dedup key, which is unique in a store. The store must return the payload as
    /// [`StoredPayload::SealedWithoutId`].
    ///
    /// # Errors
    /// Returns [`StoreError`] if the operating system cannot generate random numbers.
    pub fn seal_without_id(&self) -> Result<SealedPayload, StoreError> {
        self.keys.seal(None, &self.binding, &self.content)
    }
}

impl fmt::Debug for UnsealedPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsealedPayload").field("bytes", &self.content.len()).finish_non_exhaustive()
    }
}

/// A notification for [`Store::accept`](crate::Store::accept).
#[derive(Clone, Debug)]
pub struct NewNotification {
    /// The facts.
    pub facts: Facts,
    /// The content.
    pub payload: UnsealedPayload,
    /// Whether a duplicate causes another run of the handler.
    pub requeue_sighting: bool,
    /// The policy that determines which duplicates must be stored durably even if they cause no run. A store may also
    /// store other duplicates durably.
    pub sightings: SightingPolicy,
}

/// The policy that selects which duplicates are stored durably before they are acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SightingPolicy {
    /// The duplicates that may report a change, and the duplicates of kinds in
    /// [`requeue_sightings`](crate::Inbox::requeue_sightings). A duplicate may report a change
    ///
    /// - if its content differs from the stored content,
    /// - if a later notification about the same object is stored, because the object may have returned to an earlier
    ///   state,
    /// - or if the notification does not identify an object.
    ///
    /// Every other duplicate repeats the last stored state of its object. A store may count these duplicates in memory
    /// and write the count later. The SQLite store writes the count about a second later. A crash can lose the count,
    /// but not a notification or a handler run.
    #[default]
    PossibleChanges,
    /// All duplicates are stored durably. Storing a duplicate takes as long as storing a new notification.
    All,
}

/// The result of storing a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The notification is new, and is stored durably.
    New(Id),
    /// The notification is a duplicate. It is recorded as a sighting, according to the [`SightingPolicy`].
    Duplicate {
        /// The ID of the stored notification.
        id: Id,
        /// The number of sightings so far, including this one. The number is approximate if several duplicates arrive
        /// at the same time.
        sighting: u64,
    },
}

impl Accepted {
    /// Returns the ID of the notification.
    pub fn id(self) -> Id {
        match self {
            Self::New(id) | Self::Duplicate { id, .. } => id,
        }
    }
}

/// A stored payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredPayload {
    /// The encrypted content, as returned by [`UnsealedPayload::seal`].
    Sealed(SealedPayload),
    /// The encrypted content, as returned by [`UnsealedPayload::seal_without_id`].
    SealedWithoutId(SealedPayload),
    /// The content was removed after its retention, or erased.
    Dropped,
}

impl StoredPayload {
    /// Returns whether the content is stored.
    pub fn has_content(&self) -> bool {
        !matches!(self, Self::Dropped)
    }
}

/// A notification that a worker has claimed.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The lease. It is required to complete or release the notification, or to extend the lease.
    pub lease: Lease,
    /// The number of attempts, including this one.
    pub tries: u32,
    /// Whether the notification was processed before and is claimed again because a duplicate arrived.
    pub is_sighting: bool,
    /// How many times the notification has been completed before. It is 0 unless this is a sighting.
    pub completed_runs: u64,
    /// The number of sightings (recorded duplicates).
    pub sightings: u64,
    /// The time of receipt, by the store's clock.
    pub received_at: SystemTime,
    /// The facts.
    pub facts: Facts,
    /// The content.
    pub payload: StoredPayload,
}

/// A request to claim due notifications.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// The maximum number of notifications to claim.
    pub limit: usize,
    /// The length of the lease.
    pub lease: Duration,
    /// A random number that differs for each claim. All leases from the claim contain it.
    pub holder: u64,
    /// The kinds of which fewer than `limit` notifications can be claimed, each with its maximum number.
    pub kind_limits: Vec<(Kind, usize)>,
}

/// The result of an attempt that does not complete the notification.
#[derive(Clone, Debug)]
pub enum Release {
    /// The notification is attempted again after a delay.
    Retry {
        /// The delay, at most 24 hours.
        after: Duration,
        /// The cause of the failure.
        cause: String,
    },
    /// The attempt does not count towards the retry limit, and the notification is due immediately. The fence keeps
    /// its value.
    GiveBack,
    /// The notification becomes a dead letter.
    DeadLetter {
        /// The cause of the failure.
        cause: String,
    },
}

/// A notification in a listing for operators.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The ID in the store.
    pub id: Id,
    /// The facts.
    pub facts: Facts,
    /// The processing state.
    pub state: State,
    /// The number of attempts that count towards the limit.
    pub tries: u32,
    /// The number of sightings (recorded duplicates).
    pub sightings: u64,
    /// The time of receipt, by the store's clock.
    pub received_at: SystemTime,
    /// The cause of the last failure, or the reason why the notification became a dead letter.
    pub cause: Option<String>,
    /// The content; `None` in lists.
    pub payload: Option<StoredPayload>,
}

/// Selects notifications for [`list`](crate::StoreAdmin::list).
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Selects only notifications in this state.
    pub state: Option<State>,
    /// Selects only notifications of this kind.
    pub kind: Option<Kind>,
    /// Selects only notifications that were received at this time or later.
    pub since: Option<SystemTime>,
    /// Selects only notifications with a larger ID, to request the next page.
    pub after: Option<Id>,
    /// The maximum number of notifications to return.
    pub limit: usize,
}

/// Selects the notifications about one object for [`erase`](crate::StoreAdmin::erase). A string can be converted to an
/// `Erasure`, which then selects all notifications with this business ID.
///
/// ```
/// use paytend_inbox::{Erasure, Kind, Route};
/// let erasure = Erasure::new("T1").route(Route::PaytendBaas).kind(Kind::named("fund-deposit"));
/// assert!(erasure.selects(Route::PaytendBaas, &Kind::named("fund-deposit")));
/// assert!(!erasure.selects(Route::PayBy, &Kind::named("fund-deposit")));
/// ```
#[derive(Clone)]
#[must_use]
pub struct Erasure {
    business_id: String,
    routes: Vec<Route>,
    kinds: Vec<Kind>,
}

impl Erasure {
    /// Selects all notifications with this business ID, on all routes and of all kinds.
    pub fn new(business_id: impl Into<String>) -> Self {
        Self { business_id: business_id.into(), routes: Vec::new(), kinds: Vec::new() }
    }

    /// Adds a route to the selected routes. By default, all routes are selected. Different providers can use the same
    /// business ID.
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Adds the routes of a provider to the selected routes.
    pub fn provider(mut self, provider: Provider) -> Self {
        self.routes.extend(Route::ALL.into_iter().filter(|route| route.provider() == provider));
        self
    }

    /// Adds a kind to the selected kinds. By default, all kinds are selected.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Returns the business ID.
    pub fn business_id(&self) -> &str {
        &self.business_id
    }

    /// Returns whether the selection includes all routes and kinds.
    pub fn selects_all(&self) -> bool {
        self.routes.is_empty() && self.kinds.is_empty()
    }

    /// Returns whether the selection includes this route and kind.
    pub fn selects(&self, route: Route, kind: &Kind) -> bool {
        (self.routes.is_empty() || self.routes.contains(&route)) && (self.kinds.is_empty() || self.kinds.contains(kind))
    }
}

impl fmt::Debug for Erasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Erasure").field("routes", &self.routes).field("kinds", &self.kinds).finish_non_exhaustive()
    }
}

impl From<String> for Erasure {
    fn from(business_id: String) -> Self {
        Self::new(business_id)
    }
}

impl From<&str> for Erasure {
    fn from(business_id: &str) -> Self {
        Self::new(business_id)
    }
}

/// The time of a store's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreClock {
    /// The current time.
    pub now: SystemTime,
    /// The time at which the last notification was received, by the same clock.
    pub last_received: Option<SystemTime>,
}

/// Counts of the notifications in a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The number of notifications that are waiting for their first attempt.
    pub ready: u64,
    /// The number of notifications that a worker has claimed.
    pub leased: u64,
    /// The number of notifications that are waiting for another attempt.
    pub backoff: u64,
    /// The number of processed notifications.
    pub done: u64,
    /// The number of dead letters.
    pub dead: u64,
    /// The total number of sightings.
    pub sightings: u64,
    /// How long the oldest due notification has been due. A notification is not due while it is in backoff, or while
    /// it waits for an earlier notification with the same order key.
    pub oldest_ready: Option<Duration>,
}
