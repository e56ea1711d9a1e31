//! The input and the result of a handler.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::record::{Claimed, Facts, StoredPayload};
use crate::terms::{Id, Mac};

/// A notification that is being processed.
pub struct Delivery<N> {
    notification: N,
    content: Arc<[u8]>,
    claimed: Arc<Claimed>,
}

impl<N> Delivery<N> {
    pub(super) fn new(notification: N, content: Arc<[u8]>, claimed: Arc<Claimed>) -> Self {
        Self { notification, content, claimed }
    }

    pub(super) fn map<M, E>(self, convert: impl FnOnce(N) -> Result<M, E>) -> Result<Delivery<M>, Delivery<E>> {
        let Self { notification, content, claimed } = self;
        match convert(notification) {
            Ok(notification) => Ok(Delivery { notification, content, claimed }),
            Err(notification) => Err(Delivery { notification, content, claimed }),
        }
    }

    /// Returns the notification.
    pub fn notification(&self) -> &N {
        &self.notification
    }

    /// Returns the notification by value.
    pub fn into_notification(self) -> N {
        self.notification
    }

    /// Returns the content, exactly as the provider signed it. It is empty if [`has_content`](Self::has_content)
    /// returns `false`.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Returns whether the content is still stored. Returns `false` only for sightings that are passed to the handler
    /// set with [`on_sighting`](crate::WorkerBuilder::on_sighting), if the content was erased or removed after its
    /// retention. The [facts](Self::facts) are still available, but an erasure removes their business ID.
    pub fn has_content(&self) -> bool {
        self.claimed.payload != StoredPayload::Dropped
    }

    /// Returns the ID that the store has assigned to the notification.
    pub fn id(&self) -> Id {
        self.claimed.lease.id
    }

    /// Returns the key by which duplicates are recognized. Sightings have the same key; see
    /// [`idempotency_key`](Self::idempotency_key).
    pub fn dedup(&self) -> Mac {
        self.claimed.facts.dedup
    }

    /// Returns a key that is the same for all attempts of one run. It is the [dedup key](Self::dedup), followed by `-`
    /// and the number of earlier completions if this is a sighting. Effects outside the store's transaction can happen
    /// more than once. Pass this key to the service that performs them, so that the service can recognize repetitions.
    pub fn idempotency_key(&self) -> String {
        match self.claimed.completed_runs {
            0 => self.claimed.facts.dedup.to_string(),
            runs => format!("{}-{runs}", self.claimed.facts.dedup),
        }
    }

    /// Returns the facts, such as the object that the notification is about.
    pub fn facts(&self) -> &Facts {
        &self.claimed.facts
    }

    /// Returns the number of this attempt, starting with 1. Attempts that were given back, for example by a stopping
    /// worker, do not count.
    pub fn attempt(&self) -> u32 {
        self.claimed.tries
    }

    /// Returns whether the notification was processed before and has arrived again. Query the state of the object,
    /// because the object may have returned to an earlier state. See
    /// [`Inbox::requeue_sightings`](crate::Inbox::requeue_sightings).
    pub fn is_sighting(&self) -> bool {
        self.claimed.is_sighting
    }

    /// Returns the number of duplicates that had arrived when the notification was claimed.
    pub fn sightings(&self) -> u64 {
        self.claimed.sightings
    }

    /// Returns the time of receipt, by the store's clock.
    pub fn received_at(&self) -> SystemTime {
        self.claimed.received_at
    }
}

impl<N> fmt::Debug for Delivery<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("id", &self.id())
            .field("facts", self.facts())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}

/// The result of a handler that has processed its notification.
///
/// An effect runs in the transaction that completes the notification. It is committed once, even if the handler runs
/// several times. An effect must not begin or end transactions. Each store crate has a function that creates an effect.
pub struct Completion<E> {
    effect: Option<E>,
}

impl<E> Completion<E> {
    /// Completes the notification without an effect in the store.
    pub fn without_effect() -> Self {
        Self { effect: None }
    }

    /// Completes the notification together with an effect.
    pub fn with_effect(effect: E) -> Self {
        Self { effect: Some(effect) }
    }

    /// Returns the effect, for a queue that runs effects in its transactions.
    pub fn into_effect(self) -> Option<E> {
        self.effect
    }
}

impl<E> fmt::Debug for Completion<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion").field("has_effect", &self.effect.is_some()).finish()
    }
}
