//! Tests that run the compiled `paytend` command.

// Tests panic on unexpected errors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation, clippy::print_stderr)]

mod contract;
mod demo;
mod explain;
mod inbox;
mod inbox_forward;
mod inbox_service;
mod key_inputs;
mod readme;
mod sandbox;
mod support;
