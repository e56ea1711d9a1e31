//! Example programs, one file each in `examples/`. For example, `cargo run -p paytend-examples --example topup` runs
//! `topup.rs`.

/// Compiles the README's example as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
