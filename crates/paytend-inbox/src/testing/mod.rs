//! A conformance suite for stores.
//!
//! Implement [`Harness`] for a store and call [`conformance`], [`random_history`] and [`state_machine`] in its tests.
//! All three panic with a message if the store breaks the contract of [`Store`](crate::Store).

mod case;
mod history;
mod machine;
mod model;
mod suite;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::error::HandlerError;
use crate::keys::StoreKeys;
use crate::kind::Kind;
use crate::record::{Facts, NewNotification, SightingPolicy, UnsealedPayload};
use crate::route::Route;
use crate::store::StoreAdmin;
use crate::{MemoryEffect, MemoryStore};

pub use history::random_history;
pub use machine::state_machine;
pub use suite::conformance;

/// Creates and controls a store under test.
pub trait Harness {
    /// The store.
    type Store: StoreAdmin;

    /// Whether the store supports effects, which are changes in the transaction that completes a notification. If
    /// `false`, the suite skips all effect checks and does not call [`effect`](Self::effect).
    const HAS_EFFECTS: bool = true;

    /// Creates an empty store.
    fn create(&self) -> impl Future<Output = Self::Store>;

    /// Closes a store and opens it again, as a restarted program does. The default implementation does nothing.
    fn reopen(&self, store: Self::Store) -> impl Future<Output = Self::Store> {
        async { store }
    }

    /// Moves the store's clock forward, or has the same effect by moving all stored times back.
    fn advance(&self, store: &Self::Store, time: Duration) -> impl Future<Output = ()>;

    /// Creates an effect that records a line in the store and then succeeds, returns an error or panics; see
    /// [`EffectEnd`].
    fn effect(&self, line: &str, end: EffectEnd) -> <Self::Store as crate::Store>::Effect;

    /// Returns the lines that committed effects have recorded, in any order.
    fn recorded(&self, store: &Self::Store) -> impl Future<Output = Vec<String>>;
}

/// How an effect from a [`Harness`] ends after it has recorded its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectEnd {
    /// The effect succeeds.
    Ok,
    /// The effect returns an error.
    Error,
    /// The effect panics.
    Panic,
}

impl EffectEnd {
    /// Ends the effect as specified: returns `Ok`, returns an error, or panics.
    ///
    /// # Errors
    /// Returns [`HandlerError`] if this is [`EffectEnd::Error`].
    ///
    /// # Panics
    /// Panics if this is [`EffectEnd::Panic`].
    #[expect(clippy::panic, reason = "the suite tests panicking effects")]
    pub fn apply(self) -> Result<(), HandlerError> {
        match self {
            Self::Ok => Ok(()),
            Self::Error => Err(HandlerError::retry("the effect failed as requested")),
            Self::Panic => panic!("the effect panicked as requested"),
        }
    }
}

/// The harness for the in-memory store.
#[derive(Debug, Default)]
pub struct MemoryHarness {
    clock: Arc<TestClock>,
}

/// A clock for stores under test. Only [`advance`](Self::advance) moves it.
#[derive(Debug)]
pub struct TestClock(std::sync::atomic::AtomicU64);

impl Default for TestClock {
    fn default() -> Self {
        Self(std::sync::atomic::AtomicU64::new(1_700_000_000_000))
    }
}

impl TestClock {
    /// Returns the time of the clock.
    pub fn now(&self) -> std::time::SystemTime {
        std::time::SystemTime::UNIX_EPOCH + Duration::from_millis(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }

    /// Moves the clock forward.
    pub fn advance(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_add(millis, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Harness for MemoryHarness {
    type Store = MemoryStore;

    async fn create(&self) -> MemoryStore {
        let clock = Arc::clone(&self.clock);
        MemoryStore::with_clock(move || clock.now())
    }

    async fn advance(&self, _: &MemoryStore, time: Duration) {
        self.clock.advance(time);
    }

    fn effect(&self, line: &str, end: EffectEnd) -> MemoryEffect {
        let line = line.to_owned();
        Box::new(move |transaction| {
            transaction.record(line);
            end.apply()
        })
    }

    async fn recorded(&self, store: &MemoryStore) -> Vec<String> {
        store.recorded()
    }
}

/// A notification for a store under test.
#[derive(Clone, Debug)]
pub struct TestNotification {
    /// The name, from which the dedup key is derived. Notifications with equal names are duplicates.
    pub name: String,
    /// The provider and product.
    pub route: Route,
    /// The kind, such as `fund-deposit`.
    pub kind: Kind,
    /// Notifications with equal order names are processed in order.
    pub order: Option<String>,
    /// The business ID, such as an order number.
    pub business_id: Option<String>,
    /// Whether a duplicate causes another run.
    pub requeue_sighting: bool,
}

impl TestNotification {
    /// Creates a notification without an order name and without a business ID.
    pub fn new(name: impl Into<String>) -> Self {
        let kind = Kind::named("fund-deposit");
        let route = Route::PaytendBaas;
        Self { name: name.into(), route, kind, order: None, business_id: None, requeue_sighting: false }
    }

    /// Returns the notification for [`Store::accept`](crate::Store::accept), encrypted with these keys.
    pub fn prepare(&self, keys: &Arc<StoreKeys>) -> NewNotification {
        let tag = keys.content_tag(self.name.as_bytes());
        let route = self.route;
        let mut facts = Facts::new(keys.order_key(route, &self.name), tag, route, self.kind.clone(), "2".into());
        facts.order_key = self.order.as_ref().map(|order| keys.order_key(route, order));
        facts.business_id.clone_from(&self.business_id);
        facts.business_kind = self.business_id.as_ref().map(|_| "deposit".into());
        facts.business_state = self.business_id.as_ref().map(|_| "2".into());
        facts.verified_by = "SHA256:0123".into();
        facts.sent_at = Some(1_700_000_000_123);
        let payload = UnsealedPayload::new(Arc::clone(keys), &facts, self.name.clone().into_bytes());
        NewNotification {
            facts,
            payload,
            requeue_sighting: self.requeue_sighting,
            sightings: SightingPolicy::default(),
        }
    }
}
