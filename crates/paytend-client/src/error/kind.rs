//! Failure kinds and request outcomes.

use crate::transport::connect::ConnectFailure;

/// The kind of failure that ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client's configuration is invalid.
    Configuration,
    /// The request is invalid or could not be sealed.
    Request,
    /// No connection could be made. [`Error::connect_failure`](crate::Error::connect_failure) reports whether DNS, TCP,
    /// TLS or the proxy failed.
    Connect,
    /// No response arrived in time. The request may have been sent.
    Timeout,
    /// The connection broke while the request was being sent or the response was being read.
    Transport,
    /// Paytend rejected the request with a signed response.
    Rejected,
    /// The response is an error without a signature. An attacker or a proxy may have sent it.
    UnsignedFailure,
    /// The response is not authentic: another server's error page, a forgery, or a response that was sealed for
    /// different keys.
    InvalidResponse,
    /// The response is authentic, but belongs to another request: it identifies a different order, card, holder or
    /// user. The outcome of this request is unknown.
    Mismatch,
    /// The response is authentic, but its data is missing or does not have the expected structure.
    Data,
}

/// The known outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The request was not sent in full, so it can be sent again. Earlier requests with the same order number may still
    /// have been executed.
    NotSent,
    /// Paytend rejected the request and signed the rejection.
    ///
    /// A rejection identifies neither its request nor its order. With [`Client::send`](crate::Client::send), only TLS
    /// ensures that it belongs to this request: an attacker inside the connection, or a faulty proxy, can replay a
    /// genuine rejection. Earlier requests with the same order number may still have been executed: for example, a code
    /// for "duplicate" or "in progress" means that the order exists.
    ///
    /// With [`Client::resolve`](crate::Client::resolve), the query has also confirmed that the order does not exist.
    /// [`Resolution`](crate::Resolution) sets the number of confirmations and the settle time.
    Rejected,
    /// The request may or may not have been carried out. Query the order number before doing anything else.
    Unknown,
}

/// Returns whether a failure is transient, so that a later attempt may succeed.
pub(crate) fn is_transient(error: ErrorKind, status: Option<u16>, connect: Option<ConnectFailure>) -> bool {
    match error {
        // Waiting does not fix an invalid certificate, an unknown host name or a wrong proxy password.
        ErrorKind::Connect => connect.is_none_or(ConnectFailure::is_transient),
        // A retry can succeed, because it uses a different connection.
        ErrorKind::Mismatch => true,
        ErrorKind::Timeout | ErrorKind::Transport => true,
        // The response does not come from Paytend, but from a proxy or load balancer.
        ErrorKind::InvalidResponse => matches!(status, Some(408 | 425 | 429 | 500 | 502 | 503 | 504)),
        ErrorKind::Configuration
        | ErrorKind::Request
        | ErrorKind::Rejected
        | ErrorKind::UnsignedFailure
        | ErrorKind::Data => false,
    }
}
