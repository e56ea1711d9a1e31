//! The two streams of a store. All writes are conditional: a message is replaced only if it is still the last message
//! of its subject.

use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::context::{ContextBuilder, CreateStreamErrorKind, PublishErrorKind};
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, LastRawMessageErrorKind, Stream};
use async_nats::jetstream::{self, Context};
use paytend_inbox::{Id, Mac, Route, StoreError};
use tokio::time::{Instant, sleep};

use crate::error::{configuration, too_slow, unavailable};
use crate::message::OPERATION;
use crate::options::NatsOptions;

/// The time limit for one request. If the servers do not respond, an operation repeats its request.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(1_500);
const PAUSE: Duration = Duration::from_millis(50);
/// The maximum number of attempts to read the message that caused a conflict. A server that has just become the leader
/// may not have the message yet.
const MAX_READS: usize = 10;

/// A stream of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// The stream that contains the notifications. Its messages are never changed.
    Inbox,
    /// The stream that contains the progress records and all of the store's other data.
    Work,
}

/// The subjects of a store.
#[derive(Clone, Debug)]
pub(crate) struct Names(String);

impl Names {
    pub(crate) fn stream(&self, log: Log) -> String {
        format!("{}-{}", self.0, if log == Log::Inbox { "inbox" } else { "work" })
    }

    /// Returns the subject of a notification. It contains only the route and the dedup key, so that a duplicate always
    /// has the same subject.
    pub(crate) fn notification(&self, route: Route, dedup: Mac) -> String {
        format!("{}.inbox.{}.{dedup}", self.0, route.as_str().replace(':', "-"))
    }

    pub(crate) fn record(&self, dedup: Mac) -> String {
        format!("{}.work.{dedup}", self.0)
    }

    /// Returns the pattern for the subjects of a notification on any route.
    pub(crate) fn any_notification(&self, dedup: Mac) -> String {
        format!("{}.inbox.*.{dedup}", self.0)
    }

    /// Returns the subject of an order key's register, which contains the ID of the key's current notification.
    pub(crate) fn order(&self, key: Mac) -> String {
        format!("{}.order.{key}", self.0)
    }

    /// Returns the pattern for the subjects of all registers.
    pub(crate) fn orders(&self) -> String {
        format!("{}.order.*", self.0)
    }

    pub(crate) fn meta(&self, name: &str) -> String {
        format!("{}.meta.{name}", self.0)
    }

    /// Returns the subject of an operator event. With `*` as the operation, returns the pattern for all events about a
    /// notification. The ID in the subject is 0 for events that do not concern a single notification.
    pub(crate) fn audit(&self, id: Option<Id>, operation: &str) -> String {
        format!("{}.audit.{}.{operation}", self.0, id.map_or(0, Id::get))
    }

    /// Returns the pattern for the subjects of all operator events.
    pub(crate) fn audits(&self) -> String {
        format!("{}.audit.*.*", self.0)
    }

    /// Returns the pattern for all subjects of the store.
    pub(crate) fn all(&self) -> String {
        format!("{}.>", self.0)
    }

    fn config(&self, log: Log, replicas: usize) -> Config {
        let subjects: &[&str] = match log {
            Log::Inbox => &["inbox.*.*"],
            Log::Work => &["work.*", "order.*", "meta.*", "audit.*.*"],
        };
        Config {
            name: self.stream(log),
            subjects: subjects.iter().map(|subject| format!("{}.{subject}", self.0)).collect(),
            discard: DiscardPolicy::New,
            // The inbox stream refuses a notification if its subject already has a message. In the work stream, a
            // record replaces the previous record.
            discard_new_per_subject: log == Log::Inbox,
            max_messages_per_subject: 1,
            num_replicas: replicas,
            allow_direct: true,
            ..Config::default()
        }
    }
}

/// The result of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    At(u64),
    /// The last message of the subject is not the expected message.
    Conflict,
}

/// The two streams of a store, and the connection to them.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    pub(crate) context: Context,
    pub(crate) names: Names,
    pub(crate) inbox: Stream,
    pub(crate) work: Stream,
    pub(crate) timeout: Duration,
    replicas: usize,
}

impl Streams {
    /// Opens the streams, and creates them if they do not exist.
    pub(crate) async fn open(client: Client, options: &NatsOptions) -> Result<Self, StoreError> {
        let names = Names(options.name.clone());
        let context = ContextBuilder::new()
            .timeout(REQUEST_TIMEOUT.min(options.operation_timeout))
            .max_ack_inflight(4096)
            .backpressure_on_inflight(true)
            .build(client);
        let [inbox, work] = [Log::Inbox, Log::Work].map(|log| names.config(log, options.replicas));
        let inbox = create(&context, inbox, options.operation_timeout).await?;
        let work = create(&context, work, options.operation_timeout).await?;
        Ok(Self { context, names, inbox, work, timeout: options.operation_timeout, replicas: options.replicas })
    }

    pub(crate) fn stream(&self, log: Log) -> &Stream {
        if log == Log::Inbox { &self.inbox } else { &self.work }
    }

    /// Returns the settings with which a stream is created.
    pub(crate) fn wanted(&self, log: Log) -> Config {
        self.names.config(log, self.replicas)
    }

    /// Writes a message if the last message of its subject has the sequence number `expected`. If `expected` is 0, the
    /// subject must have no message.
    pub(crate) async fn put(
        &self,
        log: Log,
        subject: &str,
        message: PublishMessage,
        expected: u64,
    ) -> Result<Written, StoreError> {
        const DOING: &str = "write";
        let operation = operation_id()?;
        let message = message.header(OPERATION, operation.as_str()).expected_last_subject_sequence(expected);
        let deadline = Instant::now() + self.timeout;
        let mut unknown = false;
        loop {
            let error = match self.publish(subject, message.clone()).await {
                Ok(ack) => return Ok(Written::At(ack.sequence)),
                Err(error) => error,
            };
            match error.kind() {
                PublishErrorKind::WrongLastSequence if unknown => {
                    let last = self.last_behind(log, subject, expected).await?;
                    return Ok(recognize(last.as_ref(), &operation));
                }
                PublishErrorKind::WrongLastSequence => return Ok(Written::Conflict),
                PublishErrorKind::MaxPayloadExceeded => {
                    return Err(configuration(
                        "the notification exceeds `max_payload` of the NATS servers: increase this setting",
                    ));
                }
                _ if Instant::now() >= deadline => return Err(unavailable(DOING, error)),
                // The message may have been stored even though no confirmation has arrived.
                _ => unknown = true,
            }
            sleep(PAUSE).await;
        }
    }

    async fn publish(
        &self,
        subject: &str,
        message: PublishMessage,
    ) -> Result<PublishAck, jetstream::context::PublishError> {
        self.context.send_publish(subject.to_owned(), message).await?.await
    }

    /// Reads the message that caused a conflict: the last message of a subject, whose sequence number is larger than
    /// the expected number. Returns `None` if the message was deleted in the meantime.
    pub(crate) async fn last_behind(
        &self,
        log: Log,
        subject: &str,
        expected: u64,
    ) -> Result<Option<StreamMessage>, StoreError> {
        for _ in 0..MAX_READS {
            let last = self.last(log, subject).await?.filter(|last| last.sequence > expected);
            if last.is_some() {
                return Ok(last);
            }
            sleep(PAUSE).await;
        }
        Ok(None)
    }

    /// Reads the last message of a subject from the stream's leader.
    pub(crate) async fn last(&self, log: Log, subject: &str) -> Result<Option<StreamMessage>, StoreError> {
        self.read(|| self.stream(log).get_last_raw_message_by_subject(subject)).await
    }

    /// Reads a message by its sequence number. If the replica does not have the message, reads it from the leader.
    pub(crate) async fn message(&self, log: Log, sequence: u64) -> Result<Option<StreamMessage>, StoreError> {
        if let Ok(message) = self.stream(log).direct_get(sequence).await {
            return Ok(Some(message));
        }
        self.read(|| self.stream(log).get_raw_message(sequence)).await
    }

    async fn read<F>(&self, request: impl Fn() -> F) -> Result<Option<StreamMessage>, StoreError>
    where
        F: Future<Output = Result<StreamMessage, jetstream::stream::LastRawMessageError>>,
    {
        let deadline = Instant::now() + self.timeout;
        loop {
            let error = match request().await {
                Ok(message) => return Ok(Some(message)),
                Err(error) => error,
            };
            match error.kind() {
                LastRawMessageErrorKind::NoMessageFound => return Ok(None),
                _ if Instant::now() >= deadline => return Err(unavailable("read", error)),
                _ => sleep(PAUSE).await,
            }
        }
    }

    /// Deletes a message and overwrites its data. Returns `false` if the message does not exist.
    pub(crate) async fn delete(&self, log: Log, sequence: u64) -> Result<bool, StoreError> {
        let deadline = Instant::now() + self.timeout;
        while let Err(error) = self.stream(log).delete_message(sequence).await {
            if let jetstream::stream::DeleteMessageErrorKind::JetStream(_) = error.kind()
                && self.read(|| self.stream(log).get_raw_message(sequence)).await?.is_none()
            {
                return Ok(false);
            }
            if Instant::now() >= deadline {
                return Err(unavailable("delete content", error));
            }
            sleep(PAUSE).await;
        }
        Ok(true)
    }

    /// Returns the state and the settings of a stream.
    pub(crate) async fn info(&self, log: Log) -> Result<Info, StoreError> {
        let deadline = Instant::now() + self.timeout;
        loop {
            match self.stream(log).get_info().await {
                Ok(info) => return Ok(info),
                Err(error) if Instant::now() >= deadline => return Err(unavailable("read the stream", error)),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Returns the sequence number of the last message that a stream still contains, or 0 if there is none.
    pub(crate) async fn last_sequence(&self, log: Log) -> Result<u64, StoreError> {
        self.last_of(log, &self.names.all()).await
    }

    /// Returns the sequence number of the last message of a subject, or 0 if there is none.
    pub(crate) async fn last_of(&self, log: Log, subject: &str) -> Result<u64, StoreError> {
        Ok(self.last(log, subject).await?.map_or(0, |last| last.sequence))
    }

    /// Returns the time of the server that leads the stream, in milliseconds since the Unix epoch.
    pub(crate) async fn server_time(&self) -> Result<i64, StoreError> {
        const DOING: &str = "read the server's time";
        let subject = format!("STREAM.INFO.{}", self.names.stream(Log::Work));
        self.info(Log::Work).await?;
        let info: serde_json::Value =
            self.context.request(subject, &()).await.map_err(|error| unavailable(DOING, error))?;
        let time = info["ts"].as_str().and_then(|text| async_nats::datetime::parse_rfc3339(text).ok());
        let millis = time.and_then(|time| i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok());
        millis.ok_or_else(|| too_slow(DOING))
    }
}

/// Returns `Written::At` if the last message of a subject was written by an earlier attempt of the same operation.
/// Otherwise, returns `Written::Conflict`.
fn recognize(last: Option<&StreamMessage>, operation: &str) -> Written {
    let own = last.filter(|last| last.headers.get(OPERATION).is_some_and(|value| value.as_str() == operation));
    own.map_or(Written::Conflict, |own| Written::At(own.sequence))
}

/// Creates a stream, or returns the existing stream.
async fn create(context: &Context, config: Config, timeout: Duration) -> Result<Stream, StoreError> {
    let deadline = Instant::now() + timeout;
    loop {
        let error = match context.get_or_create_stream(config.clone()).await {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        if let CreateStreamErrorKind::JetStream(cause) = error.kind()
            && Instant::now() >= deadline
        {
            return Err(configuration(format!("cannot create the stream {}: {cause}", config.name)));
        }
        if Instant::now() >= deadline {
            return Err(unavailable("open the streams", error));
        }
        sleep(PAUSE).await;
    }
}

/// Returns a random name that identifies an operation.
pub(crate) fn operation_id() -> Result<String, StoreError> {
    Ok(format!("{:x}", base16ct::HexDisplay(&random::<16>()?)))
}

/// Returns a random number that identifies an operation in a record.
pub(crate) fn operation_number() -> Result<u64, StoreError> {
    random().map(u64::from_le_bytes)
}

fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|_| StoreError::unavailable("the operating system cannot generate random numbers"))?;
    Ok(bytes)
}
