//! The client from outside, against a server that does as it is told.

// A test that cannot go on should panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation, clippy::print_stderr)]

mod outcomes;
mod own_operation;
mod requests;
mod server;
mod vectors;
