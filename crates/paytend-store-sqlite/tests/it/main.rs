//! Tests of the SQLite store.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conforms;
mod damage;
mod duplicates;
mod files;
mod outbox;
mod retention;
mod support;
mod transactions;
