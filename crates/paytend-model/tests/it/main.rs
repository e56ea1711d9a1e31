//! Integration tests for the public API.

// Tests may panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::print_stderr,
    missing_docs
)]

mod every;
mod notifications;
#[cfg(feature = "schema")]
mod openapi;
mod payloads;
mod personal;
mod review;
mod round_trip;
mod samples;
mod validation;
