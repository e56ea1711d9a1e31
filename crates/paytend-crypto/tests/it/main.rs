//! Integration tests: test vectors, comparisons with an independent implementation, and property tests.

// A test that cannot continue should panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation, clippy::print_stderr)]

mod api;
mod cuts;
mod decryption;
mod key_documents;
mod key_forms;
mod key_wrappings;
mod keys;
mod lenient;
mod opening;
mod properties;
mod reference;
mod support;
mod vectors;
mod wycheproof;
