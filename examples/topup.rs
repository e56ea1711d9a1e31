//! Tops a card up, and finds out what became of it if the answer is lost.
//!
//! `cargo run -p paytend-examples --example topup`

#![allow(clippy::print_stdout)]

use std::error::Error;

use paytend_client::{Client, Environment, Outcome, Resolution, Resolved};
use paytend_model::issuing::{QueryCardBalance, Topup};
use paytend_sandbox::Sandbox;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // In real life: Environment::Sandbox or your contract's base URL, and keys from files.
    let sandbox = Sandbox::start().await?;
    let keyring = sandbox.partner_keyring().ok_or("the sandbox was given a partner")?;
    let client = Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), keyring)
        // The code by which the query says that it knows no such order: here the sandbox's, in real life from your documents. Without
        // one, nothing is ever sent a second time.
        .resolution(Resolution::new().unknown_order_codes(["S102"]))
        .build()?;

    // The order number is yours, and unique: it is what makes a topup happen once.
    let topup = Topup::new(sandbox.card_id().into(), "T-2026-0001".into(), "25.00".parse()?, "EUR".into());
    match client.resolved(&topup).await {
        Ok(Resolved::Answered(_)) => println!("the topup was taken"),
        Ok(Resolved::Found(order)) => {
            println!(
                "the answer was lost, and the order stands; its state is {}",
                order.status.as_deref().unwrap_or("unknown")
            );
        }
        Err(error) => match error.outcome() {
            Outcome::NotSent => println!("nothing was sent, so it may be sent again: {error}"),
            Outcome::Rejected => println!("Paytend said no, with code {}", error.api_code().unwrap_or("?")),
            _ => println!("nobody knows yet; keep the order number and ask later: {error}"),
        },
    }

    let balance = client.send(&QueryCardBalance::new(sandbox.card_id().into())).await?;
    println!("the card has {} {}", balance.balance.ok_or("no balance")?, balance.currency.ok_or("no currency")?);
    Ok(())
}
