//! Keeps the index up to date.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use paytend_inbox::{ClaimRequest, Mac, StoreError};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use crate::clock::stored_at;
use crate::error::too_slow;
use crate::index::{Candidate, Index};
use crate::message::{Headers, corrupt, dedup_of};
use crate::record::Record;
use crate::remove::FORGOTTEN;
use crate::scan::{MAX_SILENCES, Scan, Scanned};
use crate::streams::{Log, Streams};

const RETRY: Duration = Duration::from_millis(100);
/// How long to wait for a message before the stream is checked again.
const PATIENCE: Duration = Duration::from_secs(2);
const LOAD_TIMEOUT: Duration = Duration::from_secs(50);
/// How long a consumer can be silent before its position is compared with the stream.
const RECHECK_INTERVAL: Duration = Duration::from_secs(5);
/// How long to wait for a message that was not found before it is considered missing. A server that is no longer the
/// leader, and may lack the message, stops responding within this time.
pub(crate) const MISSING_TIME: Duration = Duration::from_secs(15);

/// An index, and the tasks that update it from the streams. The tasks end when this value is dropped.
pub(crate) struct Watched {
    index: Arc<Indexed>,
    tasks: [AbortHandle; 2],
}

struct Indexed {
    index: Mutex<Index>,
    inbox: Position,
    work: Position,
    changed: Notify,
}

/// The progress of reading a stream.
struct Position {
    /// The sequence number of the last message that was read, and whether the stream has been read to its end at least
    /// once.
    read: watch::Sender<(u64, bool)>,
    /// Notifies the task that it must read the stream again from this position.
    again: Notify,
}

impl Position {
    fn new() -> Self {
        Self { read: watch::Sender::new((0, false)), again: Notify::new() }
    }

    fn advance(&self, position: u64, is_loaded: bool) {
        self.read.send_modify(|(read, loaded)| {
            *read = position.max(*read);
            *loaded |= is_loaded;
        });
    }

    async fn wait(&self, wanted: impl Fn(u64, bool) -> bool, time: Duration) -> bool {
        let mut read = self.read.subscribe();
        let reached = read.wait_for(|(position, loaded)| wanted(*position, *loaded));
        matches!(tokio::time::timeout(time, reached).await, Ok(Ok(_)))
    }
}

impl Watched {
    pub(crate) fn start(streams: &Streams) -> Self {
        let indexed =
            Indexed { index: Mutex::default(), inbox: Position::new(), work: Position::new(), changed: Notify::new() };
        let index = Arc::new(indexed);
        let follow = |log| tokio::spawn(follow(streams.clone(), Arc::clone(&index), log)).abort_handle();
        let tasks = [follow(Log::Inbox), follow(Log::Work)];
        Self { index, tasks }
    }

    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.index()
    }

    /// Returns the notifications to claim. See [`Index::candidates`].
    pub(crate) fn candidates(&self, now: i64, request: &ClaimRequest, skip: usize) -> Vec<Candidate> {
        self.settled_index().candidates(now, request, skip)
    }

    /// Returns whether a notification is the claimable notification of its order key.
    pub(crate) fn is_current(&self, key: Mac, id: i64) -> bool {
        self.settled_index().is_current(key, id)
    }

    fn settled_index(&self) -> MutexGuard<'_, Index> {
        let position = self.index.inbox.read.borrow().0;
        let mut index = self.index();
        index.settle_awaited(position);
        index
    }

    /// Waits until both streams have been read to their ends at least once.
    pub(crate) async fn loaded(&self) -> Result<(), StoreError> {
        for log in [Log::Inbox, Log::Work] {
            if !self.index.position(log).wait(|_, loaded| loaded, LOAD_TIMEOUT).await {
                return Err(too_slow("read the streams"));
            }
        }
        Ok(())
    }

    /// Waits until the message with this sequence number has been read.
    pub(crate) async fn reached(&self, streams: &Streams, log: Log, sequence: u64) -> Result<(), StoreError> {
        let position = self.index.position(log);
        let mut wanted = sequence;
        for _ in 0..3 {
            if position.wait(|read, _| read >= wanted, PATIENCE).await {
                return Ok(());
            }
            // The message may have been deleted, or replaced by a later message.
            wanted = sequence.min(streams.last_sequence(log).await?);
            position.again.notify_one();
        }
        Err(too_slow("read the stream"))
    }

    /// Waits until all currently stored messages have been read.
    pub(crate) async fn synchronize(&self, streams: &Streams) -> Result<(), StoreError> {
        self.loaded().await?;
        for log in [Log::Inbox, Log::Work] {
            self.reached(streams, log, streams.last_sequence(log).await?).await?;
        }
        Ok(())
    }

    /// Waits until a notification may have become ready.
    pub(crate) async fn changed(&self) {
        self.index.changed.notified().await;
    }

    pub(crate) fn notify(&self) {
        self.index.changed.notify_waiters();
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Indexed {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn position(&self, log: Log) -> &Position {
        if log == Log::Inbox { &self.inbox } else { &self.work }
    }

    fn apply(&self, log: Log, scanned: &Scanned) -> Result<(), StoreError> {
        let message = &scanned.message.message;
        let mut parts = message.subject.split('.').skip(1);
        let (class, name, dedup) = (parts.next(), parts.next(), dedup_of(&message.subject));
        match (log, class, dedup) {
            (Log::Inbox, Some("inbox"), Some(dedup)) => {
                let id = i64::try_from(scanned.sequence).map_err(|_| corrupt())?;
                let stored_at = scanned.message.info().map_or(0, |info| stored_at(info.published));
                self.index().add(dedup, Headers::first_record(message.headers.as_ref(), dedup, id, stored_at));
            }
            (Log::Work, Some("work"), Some(dedup)) => {
                self.index().apply(dedup, scanned.sequence, Record::read(&message.payload)?);
            }
            (Log::Work, Some("order"), Some(key)) => {
                let current = serde_json::from_slice(&message.payload).ok();
                self.index().apply_order(key, scanned.sequence, current);
            }
            (Log::Work, Some("meta"), _) if name.is_some_and(|name| name.starts_with(FORGOTTEN)) => {
                let forgotten: Vec<(i64, u64)> = serde_json::from_slice(&message.payload).map_err(|_| corrupt())?;
                let mut index = self.index();
                forgotten.into_iter().for_each(|(id, sequence)| index.forget(id, sequence));
            }
            (Log::Work, Some("meta" | "audit"), _) => {}
            _ => return Err(corrupt()),
        }
        Ok(())
    }
}

async fn follow(streams: Streams, index: Arc<Indexed>, log: Log) {
    loop {
        let position = index.position(log);
        tokio::select! {
            result = read(&streams, &index, log) => {
                let Err(error) = result;
                tracing::warn!(stream = streams.names.stream(log), %error, "cannot read the stream; reading it again");
            }
            () = position.again.notified() => {}
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Reads a stream from its position until an error occurs.
async fn read(streams: &Streams, index: &Indexed, log: Log) -> Result<std::convert::Infallible, StoreError> {
    let position = index.position(log);
    let from = position.read.borrow().0;
    let mut scan = Scan::open(streams, log, from).await?;
    position.advance(from, scan.is_complete());
    let mut silences = 0;
    loop {
        let patience = if scan.is_complete() { RECHECK_INTERVAL } else { PATIENCE };
        let Ok(scanned) = tokio::time::timeout(patience, scan.next()).await else {
            // The last message of the stream may have been deleted, or the consumer may have stopped delivering
            // messages.
            scan.refresh_target(streams).await?;
            position.advance(from, scan.is_complete());
            silences = if scan.is_complete() { 0 } else { silences + 1 };
            if scan.is_complete() && log == Log::Inbox {
                index.index().settle_missing(MISSING_TIME);
            }
            if silences >= MAX_SILENCES {
                return Err(StoreError::unavailable("the consumer does not deliver messages: creating a new consumer"));
            }
            continue;
        };
        silences = 0;
        let scanned = scanned?;
        if let Err(error) = index.apply(log, &scanned) {
            let sequence = scanned.sequence;
            tracing::error!(stream = streams.names.stream(log), sequence, %error, "an unreadable message is skipped");
        }
        position.advance(scanned.sequence, scan.is_complete());
        if scan.is_complete() {
            index.changed.notify_waiters();
        }
    }
}
