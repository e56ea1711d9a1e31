//! A durable inbox on PostgreSQL, with axum. Start as many of these processes as needed. They share the database.
//!
//! Set `DATABASE_URL`, for example to `postgres://user@localhost/payments`, and `KEYS` to a directory that `paytend
//! sandbox --keys` has written. Then run: `cargo run -p paytend-examples --example inbox_postgres`

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::PathBuf;

use axum::Router;
use paytend_crypto::{PrivateKey, PublicKey};
use paytend_inbox::{AnyNotification, Completion, Delivery, HandlerError, Inbox, StoreKeys, Worker, types};
use paytend_model::Product;
use paytend_model::iban::IbanTransaction;
use paytend_store_postgres::{PostgresEffect, PostgresOptions, in_transaction};
use paytend_webhook::PaytendReceiver;
use paytend_webhook::server::Endpoint;

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS booking (id text PRIMARY KEY, amount numeric NOT NULL, currency text NOT NULL)";

/// Books a deposit. The booking is committed together with the completion of the notification.
async fn book(delivery: Delivery<Box<IbanTransaction>>) -> Result<Completion<PostgresEffect>, HandlerError> {
    let deposit = delivery.into_notification();
    let (Some(id), Some(amount), Some(currency)) = (deposit.transaction_id, deposit.amount, deposit.currency) else {
        return Err(HandlerError::dead_letter("a required field is absent or unreadable"));
    };
    Ok(in_transaction(move |transaction| {
        Box::pin(async move {
            let sql = "INSERT INTO booking VALUES ($1, $2::text::numeric, $3) ON CONFLICT DO NOTHING";
            let (id, currency): (&str, &str) = (id.as_ref(), currency.as_ref());
            transaction.execute(sql, &[&id, &amount.value().to_string(), &currency]).await?;
            Ok(())
        })
    }))
}

/// Turns all other notifications into dead letters, for manual review.
async fn keep(delivery: Delivery<AnyNotification>) -> Result<Completion<PostgresEffect>, HandlerError> {
    Err(HandlerError::dead_letter(format!("no handler for {}", delivery.facts().kind)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(std::env::var_os("KEYS").ok_or("set KEYS to the directory that contains the keys")?);
    let url = std::env::var("DATABASE_URL").map_err(|_| "set DATABASE_URL")?;

    let store = PostgresOptions::from_url(&url)?.open().await?;
    store.pool().get().await?.batch_execute(TABLE).await?;
    // Every process needs a copy of the same key file.
    let inbox = Inbox::open(store, StoreKeys::load_or_create(directory.join("inbox.keys"))?).await?;

    let own = PrivateKey::from_file(directory.join("partner-private.pem"))?;
    let paytend = PublicKey::from_file(directory.join("paytend-public.b64"))?;
    let id = std::fs::read_to_string(directory.join("partner-id"))?;
    let receiver = PaytendReceiver::from_keys(Product::Baas, id.trim(), &own, &paytend)?;
    let route = paytend_webhook::axum::route(Endpoint::new(receiver), inbox.handler());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://{}/paytend/baas", listener.local_addr()?);
    let server = axum::serve(listener, Router::new().route("/paytend/baas", route));

    let worker = Worker::builder(inbox, keep).on::<types::FundDeposit, _, _>(book).build();
    tokio::select! {
        served = server => served?,
        _ = worker.run(std::future::pending()) => {}
    }
    Ok(())
}
