#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod admin;
mod audit;
mod check;
mod claim;
mod error;
mod finish;
mod options;
mod outbox;
mod rows;
mod schema;
mod settings;
mod store;

pub use deadpool_postgres;
pub use tokio_postgres;

pub use options::PostgresOptions;
pub use store::{PostgresEffect, PostgresStore, in_transaction};
