//! The error for invalid configurations, and the reasons why notifications are rejected.

use std::net::IpAddr;
use std::time::Duration;

use http::StatusCode;
use paytend_crypto::{Error, Fingerprint};

/// An invalid configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The receiver was created without a key.
    #[error("no key is configured; a receiver needs at least one key")]
    NoKey,
    /// A key is retired before it becomes valid.
    #[error("the key {0} is never valid: its `retire_at` must be later than its `not_before`")]
    NeverUsed(Fingerprint),
    /// The partner identifier is empty or contains invalid characters, such as a line break.
    #[error(
        "the partner identifier is empty or contains characters other than letters, digits, hyphens and underscores; \
         remove spaces and line breaks"
    )]
    PartnerId,
    /// A source is neither an IP address nor a CIDR block.
    #[error("{0:?} is neither an IP address nor a CIDR block such as 203.0.113.0/24 or 2001:db8::/32")]
    Source(String),
    /// A CIDR block has address bits set after its prefix (host bits).
    #[error("{given} has bits set beyond its prefix; use {block} for the block or {address} for the single address")]
    HostBits {
        /// The block as it was configured.
        given: String,
        /// The same block with its host bits cleared.
        block: String,
        /// The address in the configured block, without its prefix length.
        address: String,
    },
    /// A keyring could not be created.
    #[error(transparent)]
    Crypto(#[from] Error),
}

/// The reason why a request or notification was rejected. Reasons from the [`RequestFilter`](crate::RequestFilter)
/// contain the received value, truncated to 64 bytes, with non-printable bytes escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The method is not `POST`. Contains the method.
    #[error("the method is \"{0}\"; notifications are sent by POST")]
    Method(String),
    /// The filter [requires JSON](crate::RequestFilter::require_json), and the content type is not JSON. Contains the
    /// `Content-Type`.
    #[error("the Content-Type is \"{0}\"; the filter requires JSON")]
    ContentType(String),
    /// The filter accepts only listed sources, and this source is not listed.
    #[error("{}", unlisted(*.address, .forwarded_for.as_deref()))]
    Source {
        /// The source's address, if known.
        address: Option<IpAddr>,
        /// The `X-Forwarded-For` header, if present. It is read only if the peer is one of the [trusted
        /// proxies](crate::Sources::trusted_proxies).
        forwarded_for: Option<String>,
    },
    /// The body is compressed. Contains the `Content-Encoding`.
    #[error("the Content-Encoding is \"{0}\"; notifications must not be compressed")]
    Encoded(String),
    /// The body is larger than the receiver's limit.
    #[error("the body has {length} bytes or more; the receiver's limit, `max_bytes`, is {limit}")]
    TooLarge {
        /// The number of bytes declared in `Content-Length`, or the number read so far.
        length: u64,
        /// The receiver's limit in bytes.
        limit: usize,
    },
    /// The body did not arrive within the body timeout.
    #[error("the body did not arrive within {} ms", .0.as_millis())]
    TooSlow(Duration),
    /// The connection broke, or the framing of the body is invalid.
    #[error("the body is incomplete: the connection broke, or the framing is invalid")]
    Broken,
    /// The budget for notifications in progress is used up. The message may be valid.
    #[error("the budget for notifications in progress is used up")]
    Overloaded,
    /// There is no `sign` header, or it is empty.
    #[error("no signature in the sign header")]
    Unsigned,
    /// The `sign` headers contain more distinct signatures than the limit.
    #[error("the sign headers contain more than {limit} distinct signatures")]
    TooManySignatures {
        /// The maximum number of signatures.
        limit: usize,
    },
    /// The message is malformed or not authentic.
    #[error("rejected: {0}")]
    Refused(Error),
    /// The notification is authentic, but its merchant is not configured with the key that verified it.
    #[error("the notification is for a merchant that is not configured with this key")]
    OtherMerchant,
    /// The notification is authentic, but older than the receiver accepts. It may be a replay.
    #[error("the notification was sent {} ago; `max_age` is {}", words(*age), words(*limit))]
    TooOld {
        /// How long ago the notification was sent.
        age: Duration,
        /// The receiver's limit.
        limit: Duration,
    },
    /// The notification is authentic, but its timestamp is too far in the future. The sender's or the receiver's clock
    /// is wrong.
    #[error(
        "the notification is dated {} in the future, but `max_ahead` is {}; check the sender's and this \
         machine's clocks",
        words(*by),
        words(*limit)
    )]
    Ahead {
        /// How far in the future the timestamp is.
        by: Duration,
        /// The receiver's limit.
        limit: Duration,
    },
    /// The notification is authentic, but has no timestamp in the documented format, and this receiver requires a
    /// timestamp.
    #[error("the notification has no timestamp in the documented format; `require_timestamp` is set")]
    Undated,
    /// No configured key can be used at this time. The message may be valid.
    #[error("cannot verify now: {0}")]
    Unavailable(Error),
}

impl Reason {
    /// Returns the response status. All errors that concern the signature or the content share status 400, so the
    /// status does not reveal which check failed.
    pub(crate) fn status(&self) -> StatusCode {
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

/// Formats a duration with its two largest units, for example `3 days 2 h` or `5 min 1 s`. Units whose value is zero
/// are left out, as in `250 ms`. Days are used only from two days, so 26 hours are `26 h`.
fn words(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [(86_400_000, "days"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms")];
    // Below two days, hours are used instead of days, because limits are usually specified in hours.
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
        None => "the source address is unknown, so it is not on the list".to_owned(),
    };
    match forwarded_for {
        Some(value) => {
            format!("{source}; X-Forwarded-For is \"{value}\" but is ignored because the peer is not a trusted proxy")
        }
        None => source,
    }
}
