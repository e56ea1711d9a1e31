//! The crate from outside.

// A test that cannot go on should panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)]

mod cheap;
mod detached;
#[cfg(feature = "explain")]
mod explain;
mod receive;
mod rotation;
mod unreadable;
