//! A callback URL on axum: verify, store, acknowledge, in this order.
//!
//! `cargo run -p paytend-examples --example receive_notifications`

#![allow(clippy::print_stdout)]

use std::error::Error;

use axum::Router;
use paytend_client::{Client, Environment};
use paytend_model::funding::SetCallbackUrl;
use paytend_model::{BaasNotification, Notification, Product};
use paytend_sandbox::{Deposit, Sandbox};
use paytend_webhook::server::Endpoint;
use paytend_webhook::{PaytendReceiver, Reply, Verified};
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // In real life Paytend is elsewhere, and the keys are in files.
    let sandbox = Sandbox::start().await?;
    let keyring = sandbox.partner_keyring().ok_or("the sandbox was given a partner")?;

    // The product belongs to the URL, because `notifyType` alone is ambiguous.
    let receiver = PaytendReceiver::new(Product::Baas, sandbox.partner_id(), keyring.clone());
    let (store, mut stored) = mpsc::channel(16);
    let take = move |verified: Verified<Notification>| {
        let store = store.clone();
        async move {
            // In real life: into a database, in a transaction, and only then the acknowledgement.
            match store.send(verified.into_notification()).await {
                Ok(()) => Reply::Accepted,
                Err(_) => Reply::TryAgainLater,
            }
        }
    };
    let app = Router::new().route("/paytend/baas", paytend_webhook::axum::route(Endpoint::new(receiver), take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/paytend/baas", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });

    let client = Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), keyring).build()?;
    client.send(&SetCallbackUrl::new("2".into(), url.into())).await?;
    let delivery = sandbox.deposit(&Deposit::new("1250.07".parse()?, "EUR")).await?;
    println!("acknowledged: {}", delivery.acknowledged());
    if let Some(Notification::Baas(BaasNotification::FundDeposit(deposit))) = stored.recv().await {
        println!("{} {} arrived", deposit.amount.ok_or("no amount")?, deposit.currency.ok_or("no currency")?);
    }
    Ok(())
}
