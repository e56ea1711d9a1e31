//! A durable inbox on SQLite. Notifications are stored before they are acknowledged, and a deposit is booked in the
//! same transaction that completes its notification.
//!
//! Run it with `cargo run -p paytend-examples --example inbox_sqlite`

#![allow(clippy::print_stdout)]

use std::error::Error;

use axum::Router;
use paytend_client::{Client, Environment};
use paytend_inbox::{AnyNotification, Completion, Delivery, HandlerError, Inbox, StoreAdmin, StoreKeys, Worker, types};
use paytend_model::Product;
use paytend_model::funding::SetCallbackUrl;
use paytend_model::iban::IbanTransaction;
use paytend_sandbox::{Deposit, Sandbox};
use paytend_store_sqlite::{SqliteEffect, SqliteStore, in_transaction, rusqlite};
use paytend_webhook::PaytendReceiver;
use paytend_webhook::server::Endpoint;

/// The `tradeStatus` of a deposit whose money has arrived. This is the sandbox's code; in production, use the code from
/// the documents that you received from Paytend.
const ARRIVED: &str = "2";

/// Books a deposit. The booking and the completion are committed in one transaction, so a deposit is booked once, even
/// if this handler runs several times.
async fn book(delivery: Delivery<Box<IbanTransaction>>) -> Result<Completion<SqliteEffect>, HandlerError> {
    let deposit = delivery.into_notification();
    let (Some(id), Some(amount), Some(currency)) = (deposit.transaction_id, deposit.amount, deposit.currency) else {
        return Err(HandlerError::dead_letter("a required field is absent or unreadable"));
    };
    if deposit.trade_status.as_deref() != Some(ARRIVED) {
        return Ok(Completion::without_effect());
    }
    Ok(in_transaction(move |transaction| {
        // The amount is stored as decimal text, never as a binary floating-point number.
        let row = rusqlite::params![id.as_ref() as &str, amount.value().to_string(), currency.as_ref() as &str];
        // If a different notification reports the same transaction, the deposit is not booked again.
        transaction.execute("INSERT INTO booking VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", row)?;
        Ok(())
    }))
}

/// Turns all other notifications into dead letters, for manual review.
async fn keep(delivery: Delivery<AnyNotification>) -> Result<Completion<SqliteEffect>, HandlerError> {
    Err(HandlerError::dead_letter(format!("no handler for {}", delivery.facts().kind)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // In production, Paytend is a remote service and the keys are in files.
    let sandbox = Sandbox::start().await?;
    let keyring = sandbox.partner_keyring().ok_or("the sandbox has no partner key")?;
    let directory = tempfile::tempdir()?;

    let store = SqliteStore::open(directory.path().join("inbox.db"))?;
    let table =
        "CREATE TABLE IF NOT EXISTS booking (id TEXT PRIMARY KEY, amount TEXT NOT NULL, currency TEXT NOT NULL)";
    store.write(move |transaction| transaction.execute_batch(table)).await?;
    let keys = StoreKeys::load_or_create(directory.path().join("inbox.keys"))?;
    let inbox = Inbox::open(store.clone(), keys).await?;

    let receiver = PaytendReceiver::new(Product::Baas, sandbox.partner_id(), keyring.clone());
    let route = paytend_webhook::axum::route(Endpoint::new(receiver), inbox.handler());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/paytend/baas", listener.local_addr()?);
    let app = Router::new().route("/paytend/baas", route);
    tokio::spawn(async move { axum::serve(listener, app).await });

    let worker = Worker::builder(inbox, keep).on::<types::FundDeposit, _, _>(book).build();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let working = tokio::spawn(worker.run(async {
        let _ = stopped.await;
    }));

    let client = Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), keyring).build()?;
    client.send(&SetCallbackUrl::builder().type_("2").url(url).build()).await?;
    let delivery = sandbox.deposit(&Deposit::new("1250.07".parse()?, "EUR")).await?;
    println!("deposit acknowledged: {}", delivery.is_acknowledged());

    while store.stats().await?.done == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let booked = store.write(|transaction| {
        transaction.query_row("SELECT amount, currency FROM booking", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })
    });
    let (amount, currency) = booked.await?;
    println!("booked: {amount} {currency}");

    // After the signal, the worker stops when its running handlers have finished.
    let _ = stop.send(());
    working.await?;
    Ok(())
}
