#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod core;
mod deliveries;
mod failure;
mod sandbox;
mod server;
mod state;

pub use deliveries::{DeliverError, Delivery, Deposit};
pub use failure::Failure;
pub use sandbox::{Builder, Sandbox, StartError};
