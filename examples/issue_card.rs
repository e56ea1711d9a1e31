//! Creates a cardholder, applies for a card, activates the card and tops it up.
//!
//! `cargo run -p paytend-examples --example issue_card`

#![allow(clippy::print_stdout)]

use std::error::Error;

use paytend_client::{Client, Environment, OrderState, OrderStates, Resolution};
use paytend_model::issuing::{
    ActiveCard, Address, ApplyCard, CreateCardholder, QueryApplyResult, QueryCardBalance, QuerySkus, Topup,
};
use paytend_model::{Gender, IdType};
use paytend_sandbox::Sandbox;

/// The code for a physical card in the local sandbox. In production, use the code from the documents that you received
/// from Paytend.
const PHYSICAL: &str = "2";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // In this sandbox, the cardholder audit and the card shipment take no time. In production, wait for their
    // notifications.
    let sandbox = Sandbox::start().await?;
    let keyring = sandbox.partner_keyring().ok_or("the sandbox has no partner key")?;
    let client = Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), keyring)
        .resolution(Resolution::local_sandbox())
        .order_states(OrderStates::local_sandbox())
        .build()?;
    issue(&client).await.map_err(with_detail)
}

/// Adds the code and message from Paytend's response to the error, if Paytend refused the request.
fn with_detail(error: Box<dyn Error>) -> Box<dyn Error> {
    let detail = error.downcast_ref::<paytend_client::Error>().and_then(paytend_client::Error::detail);
    match detail {
        Some(detail) => format!("{error}: {detail}").into(),
        None => error,
    }
}

async fn issue(client: &Client) -> Result<(), Box<dyn Error>> {
    let address =
        Address::builder().address_line("Gedimino pr. 1").city_code("VNO").postcode("01103").country_code("LT").build();
    let holder = CreateCardholder::builder()
        .mobile("37060000000")
        .first_name("Ona")
        .last_name("Kazlauskienė")
        .id_no("12345678")
        .id_type(IdType::Passport)
        .email("ona@example.com")
        .birthday("1990-02-28")
        .gender(Gender::Two)
        .nationality_code("LT")
        .eea_address(address.clone())
        .build();
    let holder_id = client.send(&holder).await?.holder_id.ok_or("the response has no holder ID")?;

    let designs = client.send(&QuerySkus::new()).await?.skus.unwrap_or_default();
    let design = designs.into_iter().find(|sku| sku.card_type.as_deref() == Some(PHYSICAL));
    let design = design.ok_or("there is no design for a physical card")?;
    let application = ApplyCard::builder()
        .order_no("A-2026-0001")
        .holder_id(&holder_id)
        .card_scheme(design.card_scheme.ok_or("the design has no scheme")?)
        .card_type(PHYSICAL)
        .sku(design.sku.ok_or("the design has no code")?)
        .quantity(1)
        .contact_name("Ona Kazlauskienė")
        .contact_mobile("37060000000")
        .delivery_address(address)
        .build();
    let state = client.send_and_wait(&application).await?.state().clone();
    if state != OrderState::Succeeded {
        return Err(format!("the card application did not succeed: {state}").into());
    }
    let applied = client.send(&QueryApplyResult::new("A-2026-0001")).await?;
    let card_id = applied.card_id.ok_or("the result has no card ID")?;
    client.send(&ActiveCard::builder().card_id(&card_id).holder_id(holder_id).build()).await?;

    let topup =
        Topup::builder().card_id(&card_id).order_no("T-2026-0001").amount("25.00".parse()?).currency("EUR").build();
    println!("the topup of the card {card_id} {}", client.send_and_wait(&topup).await?.state());
    let balance = client.send(&QueryCardBalance::new(&card_id)).await?;
    println!("the balance of the card is {}", balance.balance.ok_or("the response has no balance")?);
    Ok(())
}
