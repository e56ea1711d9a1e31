#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "blocking")]
pub mod blocking;
mod call;
mod call_observer;
mod call_target;
mod client;
mod clock;
mod config;
mod error;
mod events;
mod foreign;
mod limits;
mod order;
mod paging;
mod prepared;
mod request;
mod resolution;
mod resolve;
mod response;
mod retry;
mod shared;
mod subject;
mod time_limit;
mod transport;
mod upload;

pub use paytend_crypto as crypto;
pub use paytend_model as model;

pub use client::Client;
pub use clock::{Clock, Sleep, SystemClock};
pub use config::{ClientBuilder, Environment};
pub use error::{Error, ErrorKind, Outcome};
pub use events::{Event, EventListener, Phase};
pub use order::{OrderState, OrderStates};
pub use paging::Paged;
pub use prepared::Prepared;
pub use request::Request;
pub use resolution::Resolution;
pub use resolve::{Resolvable, Resolved};
pub use response::{RawResponse, Response};
pub use retry::{Decision, FailedAttempt, RetryPolicy};
pub use time_limit::TimeLimit;
pub use transport::{
    CertificateProblem, ConnectFailure, Exchange, HttpRequest, HttpTransport, OutgoingBody, Transport, TransportError,
    TransportErrorKind, WithdrawnError,
};
pub use upload::{file_from_path, file_from_reader};
