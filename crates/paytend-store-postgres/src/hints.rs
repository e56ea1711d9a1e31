//! Hints that wake workers when a notification may have become ready. A lost hint only causes a delay, because workers
//! also poll.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::connect::Server;
use crate::error::describe;

/// The minimum time between two hints for other processes. Hints within this time are combined.
const INTERVAL: Duration = Duration::from_millis(20);
/// The first and the maximum pause before the store tries to listen again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Sends a hint without waiting for the disk. Hints are not sent in the transactions that store notifications, because
/// PostgreSQL commits transactions that contain a `NOTIFY` one after the other.
const NOTIFY: &str = "SELECT set_config('synchronous_commit', 'off', true), pg_notify('paytend_inbox', $1)";

/// Sends and receives a store's hints.
pub(crate) struct Hints {
    pool: Pool,
    /// The server for the connection that listens, or `None` if the store does not listen.
    server: Option<Server>,
    /// An identifier that distinguishes this process's hints from other processes' hints.
    sender: Arc<str>,
    changed: Arc<Notify>,
    to_send: Arc<Notify>,
    sending: Background,
    listening: Background,
}

/// A task that is started on demand. It is started again if its runtime has ended.
#[derive(Default)]
struct Background(Mutex<Option<AbortHandle>>);

impl Background {
    fn ensure(&self, start: impl FnOnce() -> AbortHandle) {
        let mut task = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(AbortHandle::is_finished) {
            *task = Some(start());
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let task = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task {
            task.abort();
        }
    }
}

impl Hints {
    pub(crate) fn new(pool: Pool, server: Option<Server>) -> Self {
        let sender = format!("{:016x}", random());
        let [sending, listening] = [(); 2].map(|()| Background::default());
        Self {
            pool,
            server,
            sender: sender.into(),
            changed: Arc::default(),
            to_send: Arc::default(),
            sending,
            listening,
        }
    }

    /// Wakes this process's workers immediately, and other processes' workers with a hint.
    pub(crate) fn notify(&self) {
        self.changed.notify_waiters();
        self.to_send.notify_one();
        self.sending.ensure(|| {
            let (pool, to_send, sender) = (self.pool.clone(), Arc::clone(&self.to_send), Arc::clone(&self.sender));
            tokio::spawn(send(pool, to_send, sender)).abort_handle()
        });
    }

    /// Waits until a notification may have become ready. The first call starts the listener.
    pub(crate) async fn changed(&self) {
        if let Some(server) = &self.server {
            self.listening.ensure(|| {
                let (server, changed, sender) = (server.clone(), Arc::clone(&self.changed), Arc::clone(&self.sender));
                tokio::spawn(listen(server, changed, sender)).abort_handle()
            });
        }
        self.changed.notified().await;
    }
}

async fn send(pool: Pool, to_send: Arc<Notify>, sender: Arc<str>) {
    loop {
        to_send.notified().await;
        // Errors are ignored, because workers find the notification at their next poll.
        if let Ok(client) = pool.get().await
            && let Ok(statement) = client.prepare_cached(NOTIFY).await
        {
            let _ = client.execute(&statement, &[&&*sender]).await;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn listen(server: Server, changed: Arc<Notify>, sender: Arc<str>) {
    let mut pause = PAUSES.0;
    loop {
        let wake = |from: Option<&str>| {
            if from != Some(&*sender) {
                changed.notify_waiters();
            }
        };
        let mut connected = false;
        let ended = server
            .listen(|from| {
                connected = true;
                wake(from);
            })
            .await;
        if connected {
            pause = PAUSES.0;
        }
        let reason = ended.err().map_or_else(|| "the connection was closed".to_owned(), |error| describe(&error));
        tracing::warn!(%reason, "cannot listen for hints from other processes; workers only poll");
        // The pause is random, so that many programs do not reconnect at the same time.
        let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        tokio::time::sleep(Duration::from_millis(millis / 2 + random() % millis.max(1))).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Returns a number that differs between processes.
fn random() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(std::time::Instant::now())
}
