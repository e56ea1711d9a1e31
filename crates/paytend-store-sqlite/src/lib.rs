#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod admin;
mod backup;
mod check;
mod claim;
mod clock;
mod engine;
mod error;
mod finish;
mod open;
mod options;
mod rows;
mod schema;
mod store;
mod writer;

pub use rusqlite;

pub use options::SqliteOptions;
pub use store::{SqliteEffect, SqliteStore, in_transaction};
