//! Integration tests over HTTP, with the client and the receivers of this workspace.

// Tests panic on unexpected errors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation, clippy::print_stderr)]

mod control;
mod deliveries;
mod demo;
mod faults;
mod flows;
mod folder;
mod hook;
mod payloads;
#[cfg(feature = "persist")]
mod persist;
mod resend;
#[cfg(feature = "scenario")]
mod scenarios;
mod wire;

use paytend_client::{Client, Environment, RetryPolicy};
use paytend_sandbox::Sandbox;

/// Returns a client for the sandbox's partner that never retries.
fn client(sandbox: &Sandbox) -> Client {
    Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), sandbox.partner_keyring().unwrap())
        .retry(RetryPolicy::never())
        .build()
        .unwrap()
}

/// Returns the data of a `createCardholder` request.
fn cardholder() -> serde_json::Value {
    serde_json::json!({
        "mobile": "37060000000", "firstName": "T25h", "lastName": "T25h", "idNo": "1", "idType": "2",
        "email": "a@example.com", "birthday": "1990-02-28", "gender": "1", "nationalityCode": "LT",
        "eeaAddress": {
            "addressLine": "T25h", "cityCode": "VNO", "state": "Vilnius", "postcode": "01103", "countryCode": "LT",
        },
    })
}
