//! Tests of the SQLite store.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conforms;
mod duplicates;
mod files;
mod outbox;
mod support;
mod transactions;
