//! Tops a card up, and asks what became of it when the answer was lost.
//!
//! `cargo run -p paytend-examples --example topup`

#![allow(clippy::print_stdout)]

use std::error::Error;

use paytend_client::{Client, Environment, Outcome};
use paytend_model::issuing::{QueryCardBalance, QueryTopupResult, Topup};
use paytend_sandbox::Sandbox;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // In real life: Environment::Sandbox or your contract's base URL, and keys from files.
    let sandbox = Sandbox::start().await?;
    let keyring = sandbox.partner_keyring().ok_or("the sandbox was given a partner")?;
    let client = Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), keyring).build()?;

    // The order number is yours, and unique: it is what makes a topup happen once.
    let topup = Topup::new(sandbox.card_id().into(), "T-2026-0001".into(), "25.00".parse()?, "EUR".into());
    match client.send(&topup).await {
        Ok(_) => println!("the topup was taken"),
        Err(error) => match error.outcome() {
            Outcome::NotSent => println!("nothing was sent, so it may be sent again: {error}"),
            Outcome::Rejected => println!("Paytend said no, with code {}", error.api_code().unwrap_or("?")),
            _ => {
                println!("nobody knows yet ({error}), so we ask, with the same order number");
                let result = client.send(&QueryTopupResult::new(topup.order_no.clone())).await?;
                println!("its state is {}", result.status.as_deref().unwrap_or("unknown"));
            }
        },
    }

    let balance = client.send(&QueryCardBalance::new(sandbox.card_id().into())).await?;
    println!("the card has {} {}", balance.balance.ok_or("no balance")?, balance.currency.ok_or("no currency")?);
    Ok(())
}
