//! The compiled command from outside.

mod contract;
mod demo;
mod support;
