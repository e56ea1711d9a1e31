//! The store.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_nats::Client;
use async_nats::jetstream::message::PublishMessage;
use paytend_inbox::{
    Accepted, ClaimRequest, Claimed, FinishError, Lease, Mac, NewNotification, Release, Store, StoreError,
    StoreErrorKind,
};

use crate::clock::{Clock, ClockTask};
use crate::envelope::{
    self, ask_servers, holders, neighbours, refuse, server_problems, stream_problems, sync_setting, version_problem,
};
use crate::options::NatsOptions;
use crate::streams::{Log, Streams, Written};
use crate::watch::Watched;
use crate::{accept, claim, finish, format};

/// How long to wait for reports from servers that do not hold a stream.
const SILENCE: Duration = Duration::from_millis(200);

/// The maximum number of attempts to bind the keys. An attempt fails if another program deletes the message with the
/// keys' check value.
const BIND_ROUNDS: usize = 5;

/// The effect type of this store. It has no values, because JetStream has no transactions that could contain a
/// handler's change.
///
/// A handler returns `Completion::without_effect()`. It can run more than once, so it must recognize repetitions. For
/// example, insert [`Delivery::idempotency_key`](paytend_inbox::Delivery::idempotency_key) into a unique column of your
/// database, in the same transaction as the change.
pub type NatsEffect = std::convert::Infallible;

/// A store of notifications in replicated JetStream streams. Cloning is cheap, and the clones share the connection.
///
/// Any number of processes can use one store. Open a store with [`NatsOptions`].
#[derive(Clone)]
pub struct NatsStore {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    client: Client,
    system: Option<Client>,
    danger_any_settings: bool,
    pub(crate) streams: Streams,
    pub(crate) clock: Clock,
    /// The ID of the last notification that this process has stored.
    pub(crate) last_accepted: AtomicU64,
    /// The index, which is started by the first operation that needs it. A process that only receives notifications
    /// does not need the index.
    watched: OnceLock<Watched>,
    /// The task that reads the server's time. It also runs in processes without an index, because they store times of
    /// receipt.
    _clock_task: ClockTask,
}

/// The settings of the servers and the streams.
pub(crate) struct Settings {
    pub(crate) problems: Vec<String>,
    /// The smaller number of replicas of the two streams.
    pub(crate) replicas: usize,
    /// Whether all servers that hold the streams sync each write. `None` if they did not report it.
    pub(crate) syncs_always: Option<bool>,
}

impl NatsStore {
    pub(crate) async fn open(options: NatsOptions) -> Result<Self, StoreError> {
        let client = options.connect().await?;
        let info = client.server_info();
        if !options.danger_any_settings {
            let problem = version_problem(&info.server_name, &info.version);
            refuse(problem.as_slice())?;
        }
        let system = options.connect_system().await?;
        if !options.danger_any_settings {
            // The options are checked before the store creates streams.
            refuse(&options.problems())?;
            let reports = reports(system.as_ref(), std::slice::from_ref(&info.server_name)).await?;
            refuse(&server_problems(&reports, &neighbours(&reports, &info.server_name)))?;
        }
        let streams = Streams::open(client.clone(), &options).await?;
        let clock_task = ClockTask::start(&streams, &options.clock);
        let shared = Shared {
            client,
            system,
            danger_any_settings: options.danger_any_settings,
            streams,
            clock: options.clock,
            last_accepted: AtomicU64::new(0),
            watched: OnceLock::new(),
            _clock_task: clock_task,
        };
        if !shared.danger_any_settings {
            shared.check_settings().await?;
        }
        format::check(&shared.streams).await?;
        shared.follow_clock().await?;
        Ok(Self { shared: Arc::new(shared) })
    }
}

async fn reports(
    system: Option<&Client>,
    expected: &[String],
) -> Result<std::collections::BTreeMap<String, envelope::ServerReport>, StoreError> {
    let Some(system) = system else {
        return Err(crate::error::configuration(
            "the servers' `sync_interval` setting is not known: specify a login to the system account \
             (`NatsOptions::system_url`), because with the default, a power failure loses acknowledged notifications",
        ));
    };
    ask_servers(system, expected, SILENCE).await
}

impl Shared {
    /// Returns the index. The first call starts it.
    pub(crate) fn watched(&self) -> &Watched {
        self.watched.get_or_init(|| Watched::start(&self.streams))
    }

    /// Returns the index, if it was started.
    pub(crate) fn started(&self) -> Option<&Watched> {
        self.watched.get()
    }

    /// Returns the index after all currently stored messages have been read.
    pub(crate) async fn synchronized(&self) -> Result<&Watched, StoreError> {
        let watched = self.watched();
        watched.synchronize(&self.streams).await?;
        Ok(watched)
    }

    /// Returns the settings of the servers and the streams, and their problems.
    pub(crate) async fn settings(&self) -> Result<Settings, StoreError> {
        let (mut problems, mut names, mut replicas) = (Vec::new(), Vec::new(), usize::MAX);
        for log in [Log::Inbox, Log::Work] {
            let info = self.streams.info(log).await?;
            problems.extend(stream_problems(&info.config, &self.streams.wanted(log)));
            names.extend(holders(&info));
            replicas = replicas.min(info.config.num_replicas);
        }
        if names.is_empty() {
            // A server without a cluster reports no servers for the stream, so its name is added here.
            names.push(self.client.server_info().server_name);
        }
        let mut syncs_always = None;
        let reports = match &self.system {
            Some(system) => ask_servers(system, &names, Duration::ZERO).await.map(Some),
            None => Ok(None),
        };
        match reports {
            Ok(Some(reports)) => {
                problems.extend(server_problems(&reports, &names));
                syncs_always = sync_setting(&reports, &names);
            }
            Err(error) if !self.danger_any_settings => return Err(error),
            Ok(None) | Err(_) => problems.push("the servers' `sync_interval` setting is not known".to_owned()),
        }
        Ok(Settings { problems, replicas, syncs_always })
    }

    /// Returns an error if the servers or streams could lose acknowledged notifications, unless the options accept
    /// them. Otherwise, returns the settings.
    pub(crate) async fn check_settings(&self) -> Result<Settings, StoreError> {
        let settings = self.settings().await?;
        if !self.danger_any_settings {
            refuse(&settings.problems)?;
        }
        Ok(settings)
    }

    pub(crate) async fn follow_clock(&self) -> Result<(), StoreError> {
        let asked = Instant::now();
        self.clock.follow(self.streams.server_time().await?, asked);
        Ok(())
    }

    pub(crate) fn server_version(&self) -> String {
        self.client.server_info().version
    }

    pub(crate) fn accepted(&self, id: u64) {
        self.last_accepted.fetch_max(id, Ordering::SeqCst);
        if let Some(watched) = self.started() {
            watched.notify();
        }
    }
}

impl Store for NatsStore {
    type Effect = NatsEffect;

    async fn bind_keys(&self, check: Mac) -> Result<(), StoreError> {
        let streams = &self.shared.streams;
        let subject = streams.names.meta("keys");
        for _ in 0..BIND_ROUNDS {
            let message = PublishMessage::build().payload(check.to_string().into());
            if let Written::At(_) = streams.put(Log::Work, &subject, message, 0).await? {
                return Ok(());
            }
            match streams.last_behind(Log::Work, &subject, 0).await? {
                Some(bound) if bound.payload == check.to_string() => return Ok(()),
                Some(_) => {
                    let message = "the store was created with a different key file";
                    return Err(StoreError::new(StoreErrorKind::Keys, message));
                }
                // Another program has deleted the message, so this program tries again.
                None => {}
            }
        }
        Err(StoreError::unavailable("cannot determine which key file the store was created with"))
    }

    async fn accept(&self, notification: NewNotification) -> Result<Accepted, StoreError> {
        accept::accept(&self.shared, &notification).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        claim::claim(&self.shared, &request).await
    }

    async fn extend(&self, lease: Lease, time: Duration) -> Result<(), FinishError> {
        finish::extend(&self.shared, lease, time).await
    }

    async fn complete(&self, lease: Lease, effect: Option<NatsEffect>) -> Result<(), FinishError> {
        if let Some(effect) = effect {
            match effect {}
        }
        finish::end(&self.shared, lease, |record, now| record.complete(now)).await
    }

    async fn release(&self, lease: Lease, release: Release) -> Result<(), FinishError> {
        finish::end(&self.shared, lease, |record, now| record.release(now, &release)).await
    }

    async fn changed(&self) {
        self.shared.watched().changed().await;
    }
}

impl fmt::Debug for NatsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsStore").field("names", &self.shared.streams.names).finish_non_exhaustive()
    }
}
