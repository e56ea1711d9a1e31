//! The crate from outside: known answers, an independent implementation, properties.

// A test that cannot go on should panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation, clippy::print_stderr)]

mod api;
mod cuts;
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
