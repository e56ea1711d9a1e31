//! The state shared by the server, the deliveries and the control interface.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::failure::Refusal;
use crate::faults::Faults;
use crate::keys::Keys;
use crate::runtime::clock::{Clock, Pace};
#[cfg(feature = "explain")]
use crate::runtime::explain_queue::ExplainQueue;
use crate::runtime::log::Log;
#[cfg(feature = "persist")]
use crate::runtime::store::Store;
use crate::world::time::Millis;
use crate::world::{Event, World};

/// The data file, if one is configured.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    #[cfg(feature = "persist")]
    pub(crate) store: Option<Store>,
    closed: bool,
}

impl Kept {
    #[cfg(feature = "persist")]
    pub(crate) fn of(store: Store) -> Self {
        Self { store: Some(store), closed: false }
    }

    fn append(&mut self, event: &Event) -> Result<(), Lost> {
        if self.closed {
            return Err(Lost("the sandbox has stopped".into()));
        }
        #[cfg(feature = "persist")]
        if let Some(store) = &mut self.store {
            return store.append(event).map_err(|error| Lost(error.to_string()));
        }
        let _ = event;
        Ok(())
    }

    fn tidy(&mut self, world: &World) {
        #[cfg(feature = "persist")]
        if let Some(store) = &mut self.store
            && let Err(error) = store.tidy(world)
        {
            // The error is only logged, because all events are in the file. The next event triggers another attempt to
            // write a snapshot.
            tracing::warn!(%error, "cannot write a snapshot to the data file");
        }
        let _ = world;
    }
}

/// The error returned if an event cannot be written. In that case, the event is not applied.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the data file: {0}")]
pub(crate) struct Lost(String);

/// The world (the sandbox's state) and its data file. They share one lock, so that events are applied in the order in
/// which they are written.
pub(crate) struct State {
    pub(crate) world: World,
    kept: Kept,
}

pub(crate) struct Core {
    state: Mutex<State>,
    clock: Mutex<Clock>,
    keys: Mutex<Keys>,
    faults: Mutex<Faults>,
    pub(crate) log: Log,
    /// Signals that the next due time may have changed.
    pub(crate) wake: Notify,
    /// A lock that is held while due tasks and deliveries run.
    pub(crate) driving: tokio::sync::Mutex<()>,
    /// Whether the sandbox has been dropped. Afterwards, no tasks or deliveries run.
    pub(crate) stopped: AtomicBool,
    #[cfg(feature = "explain")]
    pub(crate) explain_queue: ExplainQueue,
    http: reqwest::Client,
    /// A client that does not verify certificates, for hosts in `self_signed_hosts`.
    http_unverified: reqwest::Client,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock is still usable. Operations change the state as their last step, so a panic leaves the state
    // consistent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    pub(crate) fn new(world: World, kept: Kept, clock: Clock, keys: Keys) -> Result<Self, reqwest::Error> {
        // Proxies are not used, because receivers usually run on this machine, where a proxy could not reach them.
        let http = |verified: bool| {
            reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .timeout(std::time::Duration::from_secs(10))
                .danger_accept_invalid_certs(!verified)
                .build()
        };
        Ok(Self {
            state: Mutex::new(State { world, kept }),
            clock: Mutex::new(clock),
            keys: Mutex::new(keys),
            faults: Mutex::default(),
            log: Log::new(),
            wake: Notify::new(),
            driving: tokio::sync::Mutex::new(()),
            stopped: AtomicBool::new(false),
            #[cfg(feature = "explain")]
            explain_queue: ExplainQueue::new(),
            http: http(true)?,
            http_unverified: http(false)?,
        })
    }

    /// Returns the client for a receiver. Certificates are not verified if the host is in `self_signed_hosts`.
    pub(crate) fn http_for(&self, url: &str, self_signed_hosts: &[String]) -> &reqwest::Client {
        let uri = url.parse::<http::Uri>().ok();
        let host = uri.as_ref().and_then(http::Uri::host).map(|host| host.trim_matches(['[', ']']));
        let allowed = host.is_some_and(|host| self_signed_hosts.iter().any(|name| name.eq_ignore_ascii_case(host)));
        if allowed { &self.http_unverified } else { &self.http }
    }

    /// Stops the sandbox and releases the data file.
    pub(crate) fn close(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        let mut state = locked(&self.state);
        state.kept = Kept::default();
        state.kept.closed = true;
    }

    pub(crate) fn now(&self) -> Millis {
        locked(&self.clock).now()
    }

    pub(crate) fn clock(&self) -> Clock {
        *locked(&self.clock)
    }

    pub(crate) fn set_clock(&self, at: Millis, pace: Pace) {
        locked(&self.clock).set(at, pace);
        self.wake.notify_one();
    }

    pub(crate) fn keys(&self) -> MutexGuard<'_, Keys> {
        locked(&self.keys)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        locked(&self.faults)
    }

    /// Calls `at` with the current world, and returns the result.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&World) -> T) -> T {
        at(&locked(&self.state).world)
    }

    /// Writes an event to the data file, if one is configured, and then applies the event.
    pub(crate) fn happen(&self, event: impl FnOnce(Millis) -> Event) -> Result<Result<String, Refusal>, Lost> {
        let now = self.now();
        let mut state = locked(&self.state);
        // The sandbox's time never goes backwards, even if the machine's clock does.
        let event = event(now.max(state.world.now));
        // Refused requests and queries are written too, because they use up a `requestId` and advance time.
        state.kept.append(&event)?;
        let answer = state.world.apply(event);
        let State { world, kept } = &mut *state;
        kept.tidy(world);
        Ok(answer)
    }
}
