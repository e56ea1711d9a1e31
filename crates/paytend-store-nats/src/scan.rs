//! Reads the messages of a stream in order.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::message::Message;
use futures_util::StreamExt as _;
use paytend_inbox::{StoreError, StoreErrorKind};
use tokio::time::{Instant, sleep, timeout};

use crate::error::{too_slow, unavailable};
use crate::streams::{Log, Streams};

const DOING: &str = "read the stream";
/// If neither a message nor a heartbeat arrives for this time, the scan starts again. The server sends a heartbeat
/// after half of this time.
const HEARTBEAT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(100);
/// How long to wait for a message before checking whether the last message of the scan was deleted.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many times in a row the wait for a consumer's next message can time out before the consumer is replaced.
pub(crate) const MAX_SILENCES: u32 = 3;

/// Reads the messages of a stream in order, without gaps.
///
/// The scan uses a consumer without acknowledgements. After an error, the caller starts a new scan after the last
/// message.
pub(crate) struct Scan {
    messages: pull::Stream,
    consumer: String,
    /// The consumer sequence number of the next message. A different number means that messages are missing.
    expected: u64,
    /// The sequence number of the last message at the start of the scan. It is read from the stream's leader, because
    /// the server that runs the consumer may be behind and report too few messages.
    target: u64,
    position: u64,
    log: Log,
    /// The pattern for the subjects to read.
    subject: String,
}

/// A message that a scan has read.
pub(crate) struct Scanned {
    pub(crate) sequence: u64,
    pub(crate) message: Message,
}

impl Scan {
    /// Starts reading a stream after a position. For the inbox stream, only the headers are read.
    pub(crate) async fn open(streams: &Streams, log: Log, position: u64) -> Result<Self, StoreError> {
        Self::start(streams, log, position, None).await
    }

    async fn start(streams: &Streams, log: Log, position: u64, filter: Option<&str>) -> Result<Self, StoreError> {
        let subject = filter.map_or_else(|| streams.names.all(), ToOwned::to_owned);
        let target = streams.last_of(log, &subject).await?;
        let config = pull::Config {
            filter_subject: filter.unwrap_or_default().to_owned(),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: position + 1 },
            ack_policy: AckPolicy::None,
            headers_only: log == Log::Inbox,
            inactive_threshold: Duration::from_secs(30),
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer: PullConsumer = streams
            .context
            .create_consumer_on_stream(config, streams.names.stream(log))
            .await
            .map_err(|error| unavailable(DOING, error))?;
        let messages = consumer
            .stream()
            .max_messages_per_batch(1_000)
            .expires(Duration::from_secs(30))
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(|error| unavailable(DOING, error))?;
        let consumer = consumer.cached_info().name.clone();
        Ok(Self { messages, consumer, expected: 1, target, position, log, subject })
    }

    /// Returns whether all messages that the stream contained at the start have been read.
    pub(crate) fn is_complete(&self) -> bool {
        self.position >= self.target
    }

    /// Reads the sequence number of the last message again, because the last message may have been deleted.
    pub(crate) async fn refresh_target(&mut self, streams: &Streams) -> Result<(), StoreError> {
        self.target = streams.last_of(self.log, &self.subject).await?;
        Ok(())
    }

    /// Waits for the next message.
    pub(crate) async fn next(&mut self) -> Result<Scanned, StoreError> {
        let message = match self.messages.next().await {
            Some(message) => message.map_err(|error| unavailable(DOING, error))?,
            None => return Err(too_slow(DOING)),
        };
        let (sequence, number) = match message.info() {
            Ok(info) => (info.stream_sequence, info.consumer_sequence),
            Err(_) => return Err(too_slow(DOING)),
        };
        if number != self.expected {
            return Err(StoreError::unavailable("some messages of the stream were not delivered: reading it again"));
        }
        self.expected += 1;
        self.position = sequence;
        Ok(Scanned { sequence, message })
    }
}

/// Reads all messages that a stream currently contains, or only the messages with the specified subjects. After an
/// error, the function continues after the last message.
pub(crate) async fn read_all(
    streams: &Streams,
    log: Log,
    filter: Option<&str>,
    mut found: impl FnMut(Scanned) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (mut position, mut deadline) = (0, Instant::now() + streams.timeout);
    loop {
        let before = position;
        let error = match read_behind(streams, log, filter, &mut position, &mut found).await {
            Err(error) if error.kind() == StoreErrorKind::Unavailable => error,
            result => return result,
        };
        if position > before {
            deadline = Instant::now() + streams.timeout;
        } else if Instant::now() >= deadline {
            return Err(error);
        }
        sleep(PAUSE).await;
    }
}

async fn read_behind(
    streams: &Streams,
    log: Log,
    filter: Option<&str>,
    position: &mut u64,
    found: &mut impl FnMut(Scanned) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut scan = Scan::start(streams, log, *position, filter).await?;
    let mut silences = 0;
    while !scan.is_complete() {
        match timeout(PATIENCE, scan.next()).await {
            Ok(scanned) => {
                found(scanned?)?;
                (*position, silences) = (scan.position, 0);
            }
            Err(_) if silences == MAX_SILENCES => return Err(too_slow(DOING)),
            Err(_) => {
                scan.refresh_target(streams).await?;
                silences += 1;
            }
        }
    }
    // The consumer is deleted, because the server would otherwise keep it for some time.
    let _ = streams.stream(log).delete_consumer(&scan.consumer).await;
    Ok(())
}
