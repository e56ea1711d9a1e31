#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod admin;
mod audit;
mod backup;
mod check;
mod claim;
mod clock;
mod counts;
mod deadline;
mod duplicates;
mod engine;
mod error;
mod finish;
mod log;
mod open;
mod options;
mod outbox;
mod remove;
mod rows;
mod schema;
mod store;
mod sync;
mod writer;

pub use rusqlite;

pub use options::SqliteOptions;
pub use store::{SqliteEffect, SqliteStore, in_transaction};
