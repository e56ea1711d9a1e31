#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
#[cfg(feature = "blocking")]
pub mod blocking;
mod client;
mod clock;
mod config;
mod engine;
mod error;
mod events;
mod foreign;
mod guard;
mod job;
mod limits;
mod order;
mod paging;
mod prepared;
mod request;
mod resolution;
mod resolve;
mod retry;
mod subject;
mod target;
mod time_limit;
mod transport;
mod upload;

pub use answer::{Answer, RawAnswer};
pub use client::{Client, OperationExt};
pub use clock::{Clock, Sleep, SystemClock};
pub use config::{Builder, Environment};
pub use error::{Error, ErrorKind, Outcome};
pub use events::{Event, Events, Phase};
pub use order::{OrderState, OrderStates};
pub use paging::Paged;
pub use prepared::Prepared;
pub use request::Request;
pub use resolution::Resolution;
pub use resolve::{Resolvable, Resolved};
pub use retry::{Decision, RetryPolicy, Situation};
pub use time_limit::TimeLimit;
pub use transport::{
    CertificateProblem, ConnectFailure, Exchange, HttpRequest, HttpTransport, OutgoingBody, Transport, TransportError,
    TransportErrorKind, Withdrawn,
};
pub use upload::{file_from_path, file_from_reader};
