//! Tests of the in-memory store, and of dispatchers that send to a provider that does not recognize duplicates.

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
