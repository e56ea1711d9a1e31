//! Tests with processes that are killed, disks that fail, and power cuts.
//!
//! Each test starts the test program again, as a child process. The child accepts and processes notifications, and
//! reports the acknowledged notifications on its standard output. `PAYTEND_FAULT_ROUNDS` sets the number of rounds.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod child;
mod disk;
#[cfg(feature = "failpoints")]
mod failpoints;
mod kill;
mod late;
mod orders;
mod parent;
mod power;
mod restored;
