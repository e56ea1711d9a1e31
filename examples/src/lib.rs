//! Example programs, one file each in `examples/`. Run one with `cargo run -p paytend-examples --example topup`.

/// Compiles the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
