//! The examples are the programs in this folder: `cargo run -p paytend-examples --example topup`.

/// Compiles the README's example.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
