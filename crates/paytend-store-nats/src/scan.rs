//! Reading a stream in order.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::message::Message;
use futures_util::StreamExt as _;
use paytend_inbox::StoreError;

use crate::error::{too_slow, unavailable};
use crate::streams::{Log, Streams};

const DOING: &str = "read the stream";
/// How long the server may be silent before the reading starts again. It sends heartbeats in half of this time.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Messages of a stream in order, without gaps.
///
/// It reads with a consumer that needs no acknowledgements and keeps no state that matters: after any error, the caller
/// starts again behind the last message.
pub(crate) struct Scan {
    messages: pull::Stream,
    /// The number that the consumer gives the next message. A different number means that messages are missing.
    expected: u64,
    /// The last message of the stream when the scan began.
    last: u64,
    /// Whether everything up to `last` was read.
    pub(crate) is_complete: bool,
}

/// A message of a scan.
pub(crate) struct Scanned {
    pub(crate) sequence: u64,
    pub(crate) message: Message,
    /// All messages up to this number were read.
    pub(crate) position: u64,
}

impl Scan {
    /// Begins to read a stream behind a position. Of notifications, only the headers are read.
    pub(crate) async fn open(streams: &Streams, log: Log, position: u64) -> Result<Self, StoreError> {
        let last = streams.last_sequence(log).await?;
        let config = pull::Config {
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
        let is_complete = consumer.cached_info().num_pending == 0;
        let messages = consumer
            .stream()
            .max_messages_per_batch(1_000)
            .expires(Duration::from_secs(30))
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(|error| unavailable(DOING, error))?;
        Ok(Self { messages, expected: 1, last, is_complete })
    }

    /// Returns the position if there was nothing to read: the end of the stream.
    pub(crate) fn end(&self) -> Option<u64> {
        self.is_complete.then_some(self.last)
    }

    /// Waits for the next message.
    pub(crate) async fn next(&mut self) -> Result<Scanned, StoreError> {
        let message = match self.messages.next().await {
            Some(message) => message.map_err(|error| unavailable(DOING, error))?,
            None => return Err(too_slow(DOING)),
        };
        let (sequence, number, pending) = match message.info() {
            Ok(info) => (info.stream_sequence, info.consumer_sequence, info.pending),
            Err(_) => return Err(too_slow(DOING)),
        };
        if number != self.expected {
            return Err(StoreError::unavailable("messages of the stream are missing: reading it again"));
        }
        self.expected += 1;
        // The messages behind the last one were deleted.
        let position = if pending == 0 { sequence.max(self.last) } else { sequence };
        self.is_complete |= pending == 0;
        Ok(Scanned { sequence, message, position })
    }
}
