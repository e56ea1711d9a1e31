//! Tests of the outbox: the in-memory store, and dispatchers with a provider that does not recognize duplicates.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

mod conforms;
mod dispatching;
mod flaky;
mod lives;
mod notices;
mod progress;
mod provider;
mod restored;
mod safety;
mod uploads;
