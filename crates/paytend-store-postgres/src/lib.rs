#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod admin;
mod audit;
mod batch;
mod check;
mod claim;
mod completions;
mod connect;
mod effect;
mod error;
mod finish;
mod hints;
mod lanes;
mod listen;
mod locks;
mod lookup;
mod open;
mod options;
mod outbox;
mod pace;
mod payloads;
mod plans;
mod pooler;
mod queue;
mod rows;
mod schema;
mod settings;
mod store;
mod together;

pub use deadpool_postgres;
pub use tokio_postgres;

pub use effect::{PostgresEffect, in_transaction};
pub use options::PostgresOptions;
pub use store::PostgresStore;
