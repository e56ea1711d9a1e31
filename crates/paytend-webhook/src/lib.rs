#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "actix-web")]
#[cfg_attr(docsrs, doc(cfg(feature = "actix-web")))]
pub mod actix_web;
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub mod axum;
mod dedup_key;
mod detached;
mod error;
#[cfg(feature = "explain")]
#[cfg_attr(docsrs, doc(cfg(feature = "explain")))]
pub mod explain;
mod headers;
mod keys;
mod members;
mod payby;
mod payermax;
mod paytend;
#[cfg(feature = "poem")]
#[cfg_attr(docsrs, doc(cfg(feature = "poem")))]
pub mod poem;
mod provider;
mod receiver;
mod request_filter;
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub mod server;
#[cfg(any(feature = "tower", feature = "hyper"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "tower", feature = "hyper"))))]
pub mod service;
mod sources;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod verified;

pub use paytend_crypto as crypto;
pub use paytend_model as model;

pub use dedup_key::{DedupKey, ParseDedupKeyError};
pub use detached::DetachedReceiver;
pub use error::{ConfigError, Reason};
pub use keys::{KeyRole, KeyUsage, ScheduledKey};
pub use payby::PayByReceiver;
pub use payermax::PayerMaxReceiver;
pub use paytend::PaytendReceiver;
pub use paytend_model::Content;
pub use provider::{Provider, ProviderResponse, Reply};
pub use receiver::{Receiver, Rejection};
pub use request_filter::RequestFilter;
pub use sources::{Source, Sources};
pub use verified::{BusinessKey, Sighting, Verified};
