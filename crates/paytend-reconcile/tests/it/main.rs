//! Tests of the comparison.

// Tests panic on unexpected errors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)]

mod ambiguity;
mod balances;
mod cases;
mod days;
mod formats;
mod hostile;
mod life;
mod properties;
