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

/// The facts about a notification that a store keeps in plain form. They include the object's number, which can be
/// personal data; `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// The key by which duplicates are recognized.
    pub dedup: Mac,
    /// Equal for deliveries with equal content.
    pub content_tag: Mac,
    /// The provider and product.
    pub route: Route,
    /// The kind.
    pub kind: Kind,
    /// Paytend's `notifyType`; empty for the other providers.
    pub notify_type: String,
    /// The kind of object that the notification is about, such as `deposit`.
    pub business_kind: Option<String>,
    /// The object's number.
    pub business_id: Option<String>,
    /// The object's state in the provider's notation.
    pub business_state: Option<String>,
    /// Notifications with equal keys are processed one after the other. `None` is processed in any order.
    pub order_key: Option<Mac>,
    /// The fingerprint of the key that verified the signature.
    pub verified_by: String,
    /// The W3C trace context of the request.
    pub traceparent: Option<String>,
    /// The provider's time of sending, in milliseconds since the Unix epoch.
    pub sent_at: Option<i64>,
}

impl Facts {
    /// Creates facts with the required values, for a store that reads them back. The other values are empty.
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
        // A store can replace U+0000 in facts.
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

/// A payload that is encrypted once the store has assigned the notification's number.
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

    /// Encrypts the payload for the notification with this number.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the system has no randomness.
    pub fn seal(&self, id: Id) -> Result<SealedPayload, StoreError> {
        self.keys.seal(Some(id), &self.binding, &self.content)
    }

    /// Encrypts the payload for a store that assigns the number in the same write. The payload is bound to the
    /// notification by its dedup key, which is unique in a store. Return it as [`StoredPayload::SealedWithoutId`].
    ///
    /// # Errors
    /// Returns [`StoreError`] if the system has no randomness.
    pub fn seal_without_id(&self) -> Result<SealedPayload, StoreError> {
        self.keys.seal(None, &self.binding, &self.content)
    }
}

impl fmt::Debug for UnsealedPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsealedPayload").field("bytes", &self.content.len()).finish_non_exhaustive()
    }
}

/// A notification to be stored.
#[derive(Clone, Debug)]
pub struct NewNotification {
    /// The facts.
    pub facts: Facts,
    /// The content.
    pub payload: UnsealedPayload,
    /// Whether a duplicate causes another run of the handler, as a sighting.
    pub requeue_sighting: bool,
    /// Which duplicates are stored durably before they are acknowledged, if they cause no run. A store may store more
    /// of them than the policy requires.
    pub sightings: SightingPolicy,
}

/// Which duplicates are stored durably as sightings before they are acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SightingPolicy {
    /// The duplicates that may report a change, and the duplicates of kinds in
    /// [`requeue_sightings`](crate::Inbox::requeue_sightings). A duplicate may report a change
    ///
    /// - if its content differs from the stored one,
    /// - if a later notification about the same object is stored: the object may be in its earlier state again,
    /// - or if the notification does not identify an object.
    ///
    /// Every other duplicate repeats the last stored state of its object. A store may only count it and write the count
    /// later: SQLite writes it about a second later. A crash can lose the count, but no notification and no run of a
    /// handler.
    #[default]
    PossibleChanges,
    /// All duplicates. A duplicate then costs as much as a new notification.
    All,
}

/// The result of storing a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The notification was not known and is stored durably.
    New(Id),
    /// The notification was known. This arrival is a sighting, which is stored as the [`SightingPolicy`] requires.
    Duplicate {
        /// The known notification.
        id: Id,
        /// The number of sightings so far, including this one. It is approximate while several arrive.
        sighting: u64,
    },
}

impl Accepted {
    /// Returns the number of the notification.
    pub fn id(self) -> Id {
        match self {
            Self::New(id) | Self::Duplicate { id, .. } => id,
        }
    }
}

/// A stored payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredPayload {
    /// The encrypted content, from [`UnsealedPayload::seal`].
    Sealed(SealedPayload),
    /// The encrypted content, from [`UnsealedPayload::seal_without_id`].
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
    /// The right to process the notification.
    pub lease: Lease,
    /// The number of attempts, including this one.
    pub tries: u32,
    /// Whether the notification was processed before, and is claimed because it was sent again.
    pub is_sighting: bool,
    /// How often the notification was completed before. It is 0 unless this is a sighting.
    pub completed_runs: u64,
    /// The number of sightings.
    pub sightings: u64,
    /// The time of receipt, by the store's clock.
    pub received_at: SystemTime,
    /// The facts.
    pub facts: Facts,
    /// The content.
    pub payload: StoredPayload,
}

/// Which notifications to claim.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// The maximum number of notifications.
    pub limit: usize,
    /// The length of the lease.
    pub lease: Duration,
    /// A random number that the leases of this claim contain, different for each claim.
    pub holder: u64,
    /// Kinds of which fewer than `limit` may be claimed, each with its maximum number.
    pub kind_limits: Vec<(Kind, usize)>,
}

/// The result of an attempt that does not complete the notification.
#[derive(Clone, Debug)]
pub enum Release {
    /// The next attempt is due after this time.
    Retry {
        /// The delay, at most 24 hours.
        after: Duration,
        /// The cause of the failure.
        cause: String,
    },
    /// The attempt does not count, and the notification is due at once. The fence is kept.
    GiveBack,
    /// The notification becomes a dead letter.
    DeadLetter {
        /// The cause of the failure.
        cause: String,
    },
}

/// A notification as shown to an operator.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The store's number.
    pub id: Id,
    /// The facts.
    pub facts: Facts,
    /// The state.
    pub state: State,
    /// The number of attempts that count towards the limit.
    pub tries: u32,
    /// The number of sightings.
    pub sightings: u64,
    /// The time of receipt, by the store's clock.
    pub received_at: SystemTime,
    /// The cause of the last failure, or of the dead letter.
    pub cause: Option<String>,
    /// The content; `None` in lists.
    pub payload: Option<StoredPayload>,
}

/// Selects notifications for [`list`](crate::StoreAdmin::list).
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Only this state.
    pub state: Option<State>,
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Only notifications that were received at this time or later.
    pub since: Option<SystemTime>,
    /// Only notifications with a larger number, for the next page.
    pub after: Option<Id>,
    /// The maximum number of notifications.
    pub limit: usize,
}

/// Selects the notifications about one object to [erase](crate::StoreAdmin::erase). A text converts into an erasure of
/// all notifications whose object has this number.
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
    /// Selects the notifications of all routes and kinds whose object has this number.
    pub fn new(business_id: impl Into<String>) -> Self {
        Self { business_id: business_id.into(), routes: Vec::new(), kinds: Vec::new() }
    }

    /// Selects only this route, in addition to other routes that are set. Numbers of different providers can be equal.
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Selects only the routes of this provider, in addition to other routes that are set.
    pub fn provider(mut self, provider: Provider) -> Self {
        self.routes.extend(Route::ALL.into_iter().filter(|route| route.provider() == provider));
        self
    }

    /// Selects only this kind, in addition to other kinds that are set.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Returns the object's number.
    pub fn business_id(&self) -> &str {
        &self.business_id
    }

    /// Returns whether every notification about the object is selected.
    pub fn selects_all(&self) -> bool {
        self.routes.is_empty() && self.kinds.is_empty()
    }

    /// Returns whether a notification about the object is selected.
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

/// Counts of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Notifications that wait for a first attempt.
    pub ready: u64,
    /// Notifications that a worker has claimed.
    pub leased: u64,
    /// Notifications that wait for another attempt.
    pub backoff: u64,
    /// Processed notifications.
    pub done: u64,
    /// Dead letters.
    pub dead: u64,
    /// Sightings of all notifications.
    pub sightings: u64,
    /// How long the oldest notification that is due has been due. Notifications in backoff are not due before their
    /// next attempt. Those that wait behind a different one of their order key are not counted.
    pub oldest_ready: Option<Duration>,
}
