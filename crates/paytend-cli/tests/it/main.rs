//! The compiled command from outside.

// A test that cannot go on should panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation, clippy::print_stderr)]

mod contract;
mod demo;
mod explain;
mod key_inputs;
mod sandbox;
mod support;
