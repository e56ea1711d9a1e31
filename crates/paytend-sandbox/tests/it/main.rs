//! A sandbox as its users have it: over HTTP, with the client and the receivers of this workspace.

// A test that cannot go on should panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation, clippy::print_stderr)]

mod control;
mod deliveries;
mod demo;
mod faults;
mod flows;
mod hook;
#[cfg(feature = "persist")]
mod persist;
#[cfg(feature = "scenario")]
mod scenarios;
mod wire;

use paytend_client::{Client, Environment, RetryPolicy};
use paytend_sandbox::Sandbox;

/// A client of the sandbox's own partner, which tries nothing twice.
fn client(sandbox: &Sandbox) -> Client {
    Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), sandbox.partner_keyring().unwrap())
        .retry(RetryPolicy::never())
        .build()
        .unwrap()
}
