//! Tests of the public API.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accepting;
mod completing;
mod keys;
mod memory;
mod operators;
mod service;
mod support;
mod worker;
mod worker_limits;
