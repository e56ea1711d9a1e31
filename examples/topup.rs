//! Tops up a card, and queries the order if the response is lost.
//!
//! `cargo run -p paytend-examples --example topup`

#![allow(clippy::print_stdout)]

use std::error::Error;

use paytend_client::{Client, Environment, OrderState, OrderStates, Outcome, Resolution};
use paytend_crypto_aws_lc::AwsLc;
use paytend_model::issuing::{QueryCardBalance, Topup};
use paytend_sandbox::{Fault, FaultKind, Sandbox};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // In production, use `Environment::Sandbox` or the base URL from your contract, and load the keys from files:
    // `ClientBuilder::from_file(path, profile)?.backend(&AwsLc)`.
    let sandbox = Sandbox::builder().backend(AwsLc).start().await?;
    let keyring = sandbox.partner_keyring().ok_or("the sandbox has no partner key")?;
    let client = Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), keyring)
        // These codes are specific to the local sandbox. In production, use the codes from the documents that you
        // received from Paytend. See `Resolution` and `OrderStates`.
        .resolution(Resolution::local_sandbox())
        .order_states(OrderStates::local_sandbox())
        .build()?;

    // The sandbox executes the first topup, but its response is lost. The client then queries the order number.
    sandbox.fault(Fault::on::<Topup>(FaultKind::ResetAfter).once())?;

    // Choose a unique order number for each topup, because Paytend executes each order number only once.
    let topup = Topup::builder()
        .card_id(sandbox.card_id())
        .order_no("T-2026-0001")
        .amount("25.00".parse()?)
        .currency("EUR")
        .build();
    match client.send_and_wait(&topup).await {
        Ok(resolved) => match resolved.state() {
            OrderState::Succeeded => println!("the topup succeeded"),
            OrderState::Failed => println!("the topup failed"),
            state => println!("the topup is not final: {state}; query it again later"),
        },
        Err(error) => match error.outcome() {
            Outcome::NotSent => println!("the topup was not sent and may be sent again: {error}"),
            Outcome::Rejected => println!("Paytend rejected the topup: {}", with_detail(&error)),
            _ => println!("unknown outcome; keep the order number and query it later: {}", with_detail(&error)),
        },
    }

    let balance = client.send(&QueryCardBalance::new(sandbox.card_id())).await.map_err(|error| with_detail(&error))?;
    println!(
        "the balance of the card is {} {}",
        balance.balance.ok_or("the response has no balance")?,
        balance.currency.ok_or("the response has no currency")?
    );
    Ok(())
}

/// Returns an error's message, with the code and the message of Paytend's response if Paytend refused the request.
fn with_detail(error: &paytend_client::Error) -> String {
    error.detail().map_or_else(|| error.to_string(), |detail| format!("{error}: {detail}"))
}
