#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod admin;
mod audit;
mod check;
mod claim;
mod clock;
mod connect;
mod envelope;
mod error;
mod finish;
mod format;
mod index;
mod message;
mod options;
mod record;
mod remove;
mod scan;
mod store;
mod streams;
mod tls;
mod watch;

pub use async_nats;

pub use options::NatsOptions;
pub use store::{NatsEffect, NatsStore};
