//! Tops a card up, and finds out what became of it if the answer is lost.
//!
//! `cargo run -p paytend-examples --example topup`

#![allow(clippy::print_stdout)]

use std::error::Error;

use paytend_client::{Client, Environment, OrderState, OrderStates, Outcome, Resolution};
use paytend_model::issuing::{QueryCardBalance, Topup};
use paytend_sandbox::Sandbox;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // In real life: Environment::Sandbox or your contract's base URL, and keys from files.
    let sandbox = Sandbox::start().await?;
    let keyring = sandbox.partner_keyring().ok_or("the sandbox was given a partner")?;
    let client = Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), keyring)
        // The codes are the sandbox's own. In real life they come from your documents: see `Resolution` and `OrderStates`.
        .resolution(Resolution::local_sandbox())
        .order_states(OrderStates::local_sandbox())
        .build()?;

    // The order number is yours, and unique: it is what makes a topup happen once.
    let topup = Topup::new(sandbox.card_id().into(), "T-2026-0001".into(), "25.00".parse()?, "EUR".into());
    match client.send_and_wait(&topup).await {
        Ok(resolved) => match resolved.state() {
            OrderState::Succeeded => println!("the topup succeeded"),
            OrderState::Failed => println!("the topup failed"),
            state => println!("the topup stands, its state is {state}: ask again later"),
        },
        Err(error) => match error.outcome() {
            Outcome::NotSent => println!("nothing was sent, so the topup may be sent again: {error}"),
            Outcome::Rejected => println!("Paytend refused the topup, with code {}", error.api_code().unwrap_or("?")),
            _ => println!("not known yet; keep the order number and ask later: {error}"),
        },
    }

    let balance = client.send(&QueryCardBalance::new(sandbox.card_id().into())).await?;
    println!("the card has {} {}", balance.balance.ok_or("no balance")?, balance.currency.ok_or("no currency")?);
    Ok(())
}
