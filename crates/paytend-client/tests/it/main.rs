//! Integration tests for the client, with scripted transports and local servers.

// Tests may panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation, clippy::print_stderr)]

mod belonging;
mod blocking;
mod configuration;
mod connecting;
mod dropping;
mod key_entries;
mod limits;
mod observing;
mod options;
mod orders;
mod outcomes;
mod own_operation;
mod paging;
mod proxy;
mod requests;
mod resolving;
mod resuming;
mod retrying;
mod scripted;
mod server;
mod tls;
mod traces;
mod uploading;
mod vectors;
