//! Processes that are killed, disks that fail, and power cuts.
//!
//! Each test starts its own binary as a child process, which accepts and processes notifications and reports on its
//! standard output what was acknowledged. `PAYTEND_FAULT_ROUNDS` sets the number of rounds.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod child;
mod disk;
#[cfg(feature = "failpoints")]
mod failpoints;
mod kill;
mod orders;
mod parent;
mod power;
