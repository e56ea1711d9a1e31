//! The queue of notifications to store. Waiting notifications are committed together.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use paytend_inbox::{Accepted, NewNotification, StoreError};
use tokio::sync::{Notify, oneshot};
use tokio_postgres::error::SqlState;

use crate::accept::{Stored, accept, accept_known};
use crate::error::OpError;
use crate::lanes::{self, Lane, Lanes};
use crate::store::PostgresStore;
use crate::{batch, payloads};

/// The maximum number of notifications in one transaction.
const MAX_BATCH: usize = 64;
/// The maximum number of waiting notifications. Additional notifications are refused, and their senders are asked to
/// retry.
const MAX_WAITING: usize = 4096;
/// The number of concurrent transactions. While they commit, new notifications wait in the queue.
const LANES: usize = 2;

/// The maximum number of attempts to store a notification that concurrent transactions also store, or whose partition
/// is added at the same time.
const ATTEMPTS: usize = 3;

const DOING: &str = "store a notification";

type Reply = Result<Accepted, StoreError>;

pub(crate) struct Waiting {
    notification: NewNotification,
    caller: oneshot::Sender<Reply>,
}

/// The queue of a store.
pub(crate) struct Queue {
    lanes: Arc<Lanes<Waiting>>,
    interrupted: Arc<Notify>,
    /// The last day for which partitions were added.
    day: Mutex<String>,
}

impl Default for Queue {
    fn default() -> Self {
        let interrupted = Arc::<Notify>::default();
        Self { lanes: Lanes::new(Arc::clone(&interrupted)), interrupted, day: Mutex::default() }
    }
}

impl Queue {
    /// Returns whether partitions must be added because the first notification of a day was stored.
    fn is_new_day(&self, day: &str) -> bool {
        let mut last = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = day > last.as_str();
        if is_new {
            day.clone_into(&mut last);
        }
        is_new
    }
}

/// Takes the notifications that can be stored together. It takes at most one for each order key, because the IDs must
/// be in the order of arrival.
fn take_together(waiting: &mut VecDeque<Waiting>) -> Vec<Waiting> {
    let (mut keys, mut batch, mut left) = (HashSet::new(), Vec::new(), VecDeque::new());
    while batch.len() < MAX_BATCH
        && let Some(next) = waiting.pop_front()
    {
        if next.notification.facts.order_key.is_none_or(|key| keys.insert(key)) {
            batch.push(next);
        } else {
            left.push_back(next);
        }
    }
    left.append(waiting);
    *waiting = left;
    batch
}

impl PostgresStore {
    /// Stores a notification, together with other waiting notifications. The commit continues if the caller stops
    /// waiting.
    pub(crate) async fn store(&self, notification: NewNotification) -> Reply {
        let (caller, reply) = oneshot::channel();
        let queue = self.queue();
        if queue.lanes.push(Waiting { notification, caller }, MAX_WAITING).is_err() {
            return Err(StoreError::unavailable("the store is overloaded"));
        }
        let start = || {
            if let Some(lane) = queue.lanes.start(LANES) {
                tokio::spawn(run_lane(self.clone(), lane));
            }
        };
        let reply = lanes::reply(&queue.interrupted, reply, start).await;
        reply.unwrap_or_else(|| Err(StoreError::unavailable("the operation did not complete")))
    }

    /// Adds the partitions for the next days after the first notification of a day was stored. Without a partition,
    /// content is stored in the default partition.
    pub(crate) async fn add_days(&self) {
        let added = self.write("add partitions", |transaction| Box::pin(payloads::add_days(transaction)));
        if let Err(error) = added.await {
            tracing::warn!(%error, "failed to create a partition; content will be stored in the default partition");
        }
    }

    fn stored(&self, day: Option<&str>) {
        self.notify();
        if day.is_some_and(|day| self.queue().is_new_day(day)) {
            let store = self.clone();
            tokio::spawn(async move { store.add_days().await });
        }
    }
}

/// Stores batches until the queue is empty.
async fn run_lane(store: PostgresStore, mut lane: Lane<Waiting>) {
    while let Some(batch) = lane.take(take_together) {
        // The batch is stored in a separate task, so that a panic causes only this batch to fail.
        let _ = tokio::spawn(store_batch(store.clone(), batch)).await;
    }
}

async fn store_batch(store: PostgresStore, batch: Vec<Waiting>) {
    metrics::histogram!("paytend_postgres_batch_operations").record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
    if batch.len() == 1 {
        return store_each(&store, batch).await;
    }
    let (notifications, callers): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|waiting| (waiting.notification, waiting.caller)).unzip();
    let notifications = Arc::new(notifications);
    let new = Arc::clone(&notifications);
    let (inserted, _) =
        store.attempt(DOING, move |transaction| Box::pin(async move { batch::insert(transaction, &new).await })).await;
    let waiting = |notifications: Arc<Vec<NewNotification>>, callers: Vec<oneshot::Sender<Reply>>| {
        let notifications = Arc::unwrap_or_clone(notifications);
        let both = notifications.into_iter().zip(callers);
        both.map(|(notification, caller)| Waiting { notification, caller }).collect::<Vec<_>>()
    };
    let inserted = match inserted {
        Ok(inserted) => inserted,
        // The database refuses a value in one of the notifications, so each notification is stored separately.
        Err(OpError::Sql(error) | OpError::Commit(error)) if is_refused(&error) => {
            return store_each(&store, waiting(notifications, callers)).await;
        }
        Err(error) => {
            let error = StoreError::from(error.into_finish(DOING));
            callers.into_iter().for_each(|caller| drop(caller.send(Err(error.clone()))));
            return;
        }
    };
    let day = inserted.iter().flatten().map(|(_, day)| day.as_str()).max();
    if day.is_some() {
        store.stored(day);
    }
    let mut known = Vec::new();
    for (waiting, inserted) in waiting(notifications, callers).into_iter().zip(inserted) {
        match inserted {
            Some((id, _)) => drop(waiting.caller.send(Ok(Accepted::New(id)))),
            // This duplicate is stored separately, because it may have to wait for an effect in progress.
            None if waiting.notification.requeue_sighting => {
                let store = store.clone();
                tokio::spawn(async move { store_each(&store, vec![waiting]).await });
            }
            None => known.push(waiting),
        }
    }
    if !known.is_empty() {
        store_known(&store, known).await;
    }
}

/// Records duplicates as sightings, in one transaction.
async fn store_known(store: &PostgresStore, known: Vec<Waiting>) {
    let (notifications, callers): (Vec<_>, Vec<_>) =
        known.into_iter().map(|waiting| (waiting.notification, waiting.caller)).unzip();
    let stored = store.write(DOING, move |transaction| {
        Box::pin(async move {
            let again: Vec<_> = notifications.iter().collect();
            accept_known(transaction, &again).await
        })
    });
    let stored = stored.await;
    let unknown = || StoreError::unavailable("a concurrent delivery was rolled back");
    for (index, caller) in callers.into_iter().enumerate() {
        let reply = match &stored {
            Ok(stored) => stored.get(index).copied().flatten().ok_or_else(unknown),
            Err(error) => Err(error.clone()),
        };
        drop(caller.send(reply));
    }
}

/// Stores each notification in a separate transaction.
async fn store_each(store: &PostgresStore, batch: Vec<Waiting>) {
    for Waiting { notification, caller } in batch {
        let stored = store_one(store, notification).await;
        let reply = stored.map(|stored| {
            store.stored(stored.day.as_deref());
            stored.accepted
        });
        drop(caller.send(reply));
    }
}

async fn store_one(store: &PostgresStore, notification: NewNotification) -> Result<Stored, StoreError> {
    let notification = Arc::new(notification);
    let mut failed = StoreError::unavailable("a concurrent delivery was rolled back");
    for _ in 0..ATTEMPTS {
        let new = Arc::clone(&notification);
        let (stored, _) =
            store.attempt(DOING, move |transaction| Box::pin(async move { accept(transaction, &new).await })).await;
        match stored {
            Ok(Some(stored)) => return Ok(stored),
            Ok(None) => {}
            // A partition was added after the statement had chosen the default partition for the content.
            Err(OpError::Sql(error)) if error.code() == Some(&SqlState::CHECK_VIOLATION) => {
                failed = OpError::Sql(error).into_finish(DOING).into();
            }
            Err(error) => return Err(error.into_finish(DOING).into()),
        }
    }
    Err(failed)
}

/// Returns whether an error was caused by a value: invalid data, a violated constraint, or a row that is too large.
fn is_refused(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.code().starts_with(class)))
}
