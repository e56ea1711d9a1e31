//! What all receivers have in common.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use paytend_crypto::Error;

use crate::headers::coding;
use crate::keys::KeyUse;
use crate::provider::Provider;
use crate::verified::Verified;

/// Receives the notifications of one route. Provider, product, partner or merchants and keys belong to the route; a
/// message that says otherwise is refused.
pub trait Receiver: Clone + Send + Sync + 'static {
    /// What a notification is.
    type Notification: Send + 'static;

    /// Whose notifications it receives.
    fn provider(&self) -> Provider;

    /// The largest body that is looked at, in bytes: a server need not read further.
    fn limit(&self) -> usize;

    /// Whether it does private-key operations, which take so long (0.1 ms and more) that a server had better do them on
    /// a thread of their own. By default it does.
    fn is_slow(&self) -> bool {
        true
    }

    /// How often each key was of use. The one to retire is the one whose count has stopped.
    fn key_uses(&self) -> Vec<KeyUse>;

    /// Verifies a notification and reads it. `body` is the raw body, as received; `now` is the time, which a test may
    /// choose.
    ///
    /// # Errors
    /// A [`Rejection`], whose [`response`](Rejection::response) is to be sent.
    fn receive(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Verified<Self::Notification>, Rejection>;
}

/// Why a notification was not taken. For the operator; the sender is told by [`response`](Self::response), which is the
/// same for everything that has to do with keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{provider}: {reason}")]
pub struct Rejection {
    provider: Provider,
    #[source]
    reason: Reason,
}

/// The reasons. Those of the [`Gate`](crate::Gate) hold what was received, cut to 64 bytes and escaped where it is not
/// printable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The method is not `POST`, but this.
    #[error("the method is \"{0}\"; notifications are sent by POST")]
    Method(String),
    /// The gate [requires JSON](crate::Gate::require_json), and the `Content-Type` is this.
    #[error("the Content-Type is \"{0}\"; the gate requires JSON")]
    ContentType(String),
    /// The gate takes notifications from listed sources only, and this source is not listed.
    #[error("{}", unlisted(*.address, .forwarded_for.as_deref()))]
    Source {
        /// The source's address, if it is known.
        address: Option<IpAddr>,
        /// The `X-Forwarded-For`, if there is one. It counts only if the peer is one of the
        /// [named proxies](crate::Sources::behind).
        forwarded_for: Option<String>,
    },
    /// The body is compressed: the `Content-Encoding` is this.
    #[error("the Content-Encoding is \"{0}\"; notifications are plain JSON")]
    Encoded(String),
    /// The body is larger than the receiver's limit.
    #[error("the body has {length} bytes or more; the receiver's limit, `max_bytes`, is {limit}")]
    TooLarge {
        /// How many bytes were announced, or read so far.
        length: u64,
        /// The receiver's limit in bytes.
        limit: usize,
    },
    /// The body did not arrive in time.
    #[error("the body did not arrive within {} ms", .0.as_millis())]
    TooSlow(Duration),
    /// The connection broke, or the body's framing is wrong.
    #[error("the body could not be read to its end")]
    Broken,
    /// More is being received than there is room for. The message may be good.
    #[error("more notifications are being received than the budget allows")]
    Overloaded,
    /// There is no `sign` header, or it is empty.
    #[error("there is no signature in a sign header")]
    Unsigned,
    /// The `sign` headers hold more different signatures than are verified.
    #[error("the sign headers hold more than {limit} different signatures")]
    TooManySignatures {
        /// How many are verified at most.
        limit: usize,
    },
    /// The message is malformed or not authentic.
    #[error("refused: {0}")]
    Refused(Error),
    /// It is authentic, and for another merchant than those that are configured with the key.
    #[error("it is for a merchant that is not configured with this key")]
    OtherMerchant,
    /// The notification is authentic, and older than the receiver accepts: it may be a replay.
    #[error("the notification was sent {} ago; `max_age` is {}", words(*age), words(*limit))]
    TooOld {
        /// How long ago it was sent.
        age: Duration,
        /// The receiver's limit.
        limit: Duration,
    },
    /// The notification is authentic, and was sent in the future: a clock is wrong.
    #[error("the notification was sent {} in the future; `max_ahead` is {}; compare the clocks", words(*by), words(*limit))]
    Ahead {
        /// How far in the future it was sent.
        by: Duration,
        /// The receiver's limit.
        limit: Duration,
    },
    /// It is authentic, and does not say in the documented form when it was sent, which this receiver requires.
    #[error("it does not say, as documented, when it was sent")]
    Undated,
    /// Our own keys cannot be used now. The message may be good.
    #[error("cannot verify now: {0}")]
    Unavailable(Error),
}

impl Reason {
    /// What anybody can see is told; of the rest, all is one.
    fn status(&self) -> StatusCode {
        match self {
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::ContentType(_) | Self::Encoded(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Source { .. } => StatusCode::FORBIDDEN,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Overloaded | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl Rejection {
    pub(crate) fn new(provider: Provider, reason: Reason) -> Self {
        Self { provider, reason }
    }

    pub(crate) fn of(provider: Provider, error: Error) -> Self {
        Self::new(
            provider,
            match error {
                Error::Backend(_) | Error::Key(_) => Reason::Unavailable(error),
                error => Reason::Refused(error),
            },
        )
    }

    /// Whose notification it would have been.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// The reason.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The response to send.
    pub fn response(&self) -> Response<Bytes> {
        match self.reason.status() {
            StatusCode::SERVICE_UNAVAILABLE => self.provider.try_again_later(),
            status => self.provider.refuse_with(status),
        }
    }
}

/// A duration in its two largest units: `3 days 2 h`, `26 h`, `5 min 1 s`, `250 ms`.
fn words(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [(86_400_000, "days"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms")];
    // Hours up to two days, as limits are written.
    let units = if millis < 2 * 86_400_000 { &units[1..] } else { &units };
    let mut parts = Vec::new();
    let mut rest = millis;
    for (size, name) in units {
        if rest >= *size {
            parts.push(format!("{} {name}", rest / size));
            rest %= size;
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0 s".into() } else { parts.join(" ") }
}

fn unlisted(address: Option<IpAddr>, forwarded_for: Option<&str>) -> String {
    let source = match address {
        Some(address) => format!("the source address {address} is not on the list"),
        None => "the source address is unknown, and so not on the list".to_owned(),
    };
    match forwarded_for {
        Some(value) => format!("{source}; the X-Forwarded-For is \"{value}\", and only that of a named proxy counts"),
        None => source,
    }
}

/// Checks what is publicly wrong with a body, whoever sent it.
pub(crate) fn check_body(headers: &HeaderMap, body: &[u8], limit: usize) -> Result<(), Reason> {
    // What is signed is the plain body: a compressed one cannot be it, and decompressing a stranger's bytes is not a
    // receiver's work.
    if let Some(coding) = coding(headers) {
        return Err(Reason::Encoded(coding));
    }
    check_length(body.len() as u64, limit)
}

pub(crate) fn check_length(length: u64, limit: usize) -> Result<(), Reason> {
    if usize::try_from(length).is_ok_and(|length| length <= limit) {
        Ok(())
    } else {
        Err(Reason::TooLarge { length, limit })
    }
}
