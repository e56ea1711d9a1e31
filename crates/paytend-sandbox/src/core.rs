//! What the server, the deliveries and the control interface share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use paytend_crypto::{Keyring, OsRandom, PrivateKey, PublicKey, rustcrypto};
use tokio::sync::Notify;

use crate::clock::{Clock, Pace};
use crate::failure::Refusal;
use crate::faults::Faults;
use crate::folder::KeyFolder;
use crate::log::Log;
use crate::start_error::StartError;
#[cfg(feature = "persist")]
use crate::store::Store;
use crate::world::{Event, Millis, World};

/// What is kept on disk, if anything is.
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
            return Err(Lost("the sandbox has ended".into()));
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
            // The events are all there; the next time it is tried again.
            tracing::warn!(%error, "the data file cannot be tidied");
        }
        let _ = world;
    }
}

/// An event could not be written, so it did not happen.
#[derive(Debug, thiserror::Error)]
#[error("the data file cannot be written: {0}")]
pub(crate) struct Lost(String);

/// Paytend's keys towards a partner.
pub(crate) struct Seals {
    pub(crate) current: Keyring,
    /// Before the last rotation; a stranger's, if there was none.
    pub(crate) stale: Keyring,
}

pub(crate) struct Keys {
    pub(crate) paytend: PrivateKey,
    pub(crate) partners: BTreeMap<String, PublicKey>,
    seals: BTreeMap<String, Seals>,
    rotated: bool,
    bits: usize,
    /// Where PayBy's and PayerMax's are kept.
    pub(crate) folder: Option<KeyFolder>,
    /// Those that were needed.
    providers: BTreeMap<&'static str, PrivateKey>,
}

impl Keys {
    pub(crate) fn new(
        paytend: PrivateKey,
        partners: BTreeMap<String, PublicKey>,
        bits: usize,
    ) -> Result<Self, paytend_crypto::Error> {
        let mut keys = Self {
            paytend,
            partners,
            seals: BTreeMap::new(),
            rotated: false,
            bits,
            folder: None,
            providers: BTreeMap::new(),
        };
        keys.seals = keys.make(None)?;
        Ok(keys)
    }

    fn make(&self, stale: Option<&PrivateKey>) -> Result<BTreeMap<String, Seals>, paytend_crypto::Error> {
        let seals = |(id, public): (&String, &PublicKey)| {
            let current = Keyring::from_keys(&self.paytend, public)?;
            let stale = stale.map_or_else(|| Ok(current.clone()), |key| Keyring::from_keys(key, public))?;
            Ok((id.clone(), Seals { current, stale }))
        };
        self.partners.iter().map(seals).collect()
    }

    pub(crate) fn rotated(&self) -> bool {
        self.rotated
    }

    pub(crate) fn seals(&self, partner: &str) -> Option<&Seals> {
        self.seals.get(partner)
    }

    /// A keyring of somebody whom nobody knows, towards a partner: made anew, for faults.
    pub(crate) fn stranger(&self, partner: &str) -> Option<Keyring> {
        let key = rustcrypto::generate(self.bits, &OsRandom).ok()?;
        Keyring::from_keys(&key, self.partners.get(partner)?).ok()
    }

    /// Gives Paytend a new key; the old one is stale.
    pub(crate) fn rotate(&mut self) -> Result<PublicKey, paytend_crypto::Error> {
        let old = std::mem::replace(&mut self.paytend, rustcrypto::generate(self.bits, &OsRandom)?);
        self.seals = self.make(Some(&old))?;
        self.rotated = true;
        Ok(self.paytend.public_key().clone())
    }

    /// PayBy's or PayerMax's key: made, or read, when it is first needed. Theirs have 2048 bits, as documented.
    pub(crate) fn provider(&mut self, name: &'static str) -> Result<&PrivateKey, paytend_crypto::Error> {
        if !self.providers.contains_key(name) {
            let key = match &self.folder {
                Some(folder) => folder.provider(name).map_err(|error| {
                    tracing::error!(%error, "a provider's key");
                    paytend_crypto::Error::Random
                })?,
                None => rustcrypto::generate(2048, &OsRandom)?,
            };
            self.providers.insert(name, key);
        }
        self.providers.get(name).ok_or(paytend_crypto::Error::Random)
    }
}

/// The world and its file: one lock, so that what is written is what happens.
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
    /// Something may be due earlier than was thought.
    pub(crate) wake: Notify,
    /// Held by whoever runs what is due.
    pub(crate) driving: tokio::sync::Mutex<()>,
    /// The sandbox is gone: nothing is run any more.
    pub(crate) stopped: AtomicBool,
    http: reqwest::Client,
    /// Does not verify certificates: for receivers that are allowed by name.
    http_unverified: reqwest::Client,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Changes are made at the ends of operations, so a panic elsewhere leaves them whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    pub(crate) fn new(world: World, kept: Kept, clock: Clock, keys: Keys) -> Result<Self, StartError> {
        // A sandbox is asked to post to the machine itself; a proxy would only be in the way.
        let http = |verified: bool| {
            reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .timeout(std::time::Duration::from_secs(10))
                .danger_accept_invalid_certs(!verified)
                .build()
                .map_err(StartError::Http)
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
            http: http(true)?,
            http_unverified: http(false)?,
        })
    }

    /// Returns the client for a receiver: the one that verifies no certificate if its host is allowed by name.
    pub(crate) fn http_for(&self, url: &str, self_signed_hosts: &[String]) -> &reqwest::Client {
        let uri = url.parse::<http::Uri>().ok();
        let host = uri.as_ref().and_then(http::Uri::host).map(|host| host.trim_matches(['[', ']']));
        let allowed = host.is_some_and(|host| self_signed_hosts.iter().any(|name| name.eq_ignore_ascii_case(host)));
        if allowed { &self.http_unverified } else { &self.http }
    }

    /// Ends: nothing happens any more, and the file is free.
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

    /// Looks at the world.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&World) -> T) -> T {
        at(&locked(&self.state).world)
    }

    /// Makes something happen: written first, if it is kept, then done.
    pub(crate) fn happen(&self, event: impl FnOnce(Millis) -> Event) -> Result<Result<String, Refusal>, Lost> {
        let now = self.now();
        let mut state = locked(&self.state);
        // The world never goes back, even if the machine's time does.
        let event = event(now.max(state.world.now));
        // Refusals and questions too: they use up a `requestId`, and let time pass.
        state.kept.append(&event)?;
        let answer = state.world.apply(event);
        let State { world, kept } = &mut *state;
        kept.tidy(world);
        Ok(answer)
    }
}
