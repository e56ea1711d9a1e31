#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "blocking")]
pub mod blocking;
mod call;
mod call_target;
mod client;
mod clock;
mod config;
mod error;
mod paging;
mod policy;
mod resolve;
mod resume;
mod transport;
mod upload;

pub use paytend_crypto as crypto;
pub use paytend_model as model;

pub use call::events::{Event, EventListener, Phase};
pub use call::prepared::PreparedRequest;
pub use call::request::Request;
pub use call::response::Response;
pub use call::stored::{RestoreError, stored_payload};
pub use client::Client;
pub use clock::{Clock, Sleep, SystemClock};
pub use config::builder::ClientBuilder;
pub use config::environment::Environment;
pub use error::Error;
pub use error::kind::{ErrorKind, Outcome};
pub use error::time_limit::TimeLimit;
pub use paging::Paged;
pub use policy::history::{History, SendResult};
pub use policy::next_step::NextStep;
pub use policy::order_states::{OrderState, OrderStates};
pub use policy::resolution::Resolution;
pub use policy::retry::{Decision, FailedAttempt, RetryPolicy};
pub use resolve::{Resolvable, Resolved};
pub use resume::{FoundOrder, Resumed};
pub use transport::body::{OutgoingBody, WithdrawnError};
pub use transport::connect::{CertificateProblem, ConnectFailure};
pub use transport::error::{TransportError, TransportErrorKind};
pub use transport::exchange::{Exchange, HttpRequest, Transport};
pub use transport::http::HttpTransport;
pub use transport::response::RawResponse;
pub use upload::{file_from_path, file_from_reader};
