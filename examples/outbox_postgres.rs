//! Submits topups for the payouts in a PostgreSQL table. A payout is changed in the transaction that submits its order,
//! and again in the transaction that stores the order's outcome. Each payout is paid once, even if a process is killed
//! or several processes run at the same time.
//!
//! Set `DATABASE_URL`, for example to `postgres://user@localhost/payments`, and `KEYS` to a directory that `paytend
//! sandbox --keys` has written. Then run: `cargo run -p paytend-examples --example outbox_postgres`

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use paytend_client::{ClientBuilder, OrderState};
use paytend_inbox::{Completion, HandlerError, StoreKeys};
use paytend_model::issuing::{Topup, TopupResultResponse};
use paytend_outbox::{Dispatcher, EndedOrder, Ending, Outbox, SubmitOptions};
use paytend_store_postgres::{PostgresEffect, PostgresOptions, PostgresStore, in_transaction};

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

pub(crate) const TABLE: &str = "CREATE TABLE IF NOT EXISTS payout (number text PRIMARY KEY, card text NOT NULL,
    amount numeric NOT NULL, currency text NOT NULL, state text NOT NULL DEFAULT 'new')";

/// Submits the topups for new payouts. Returns the number of payouts that were changed.
pub(crate) async fn order_payouts(outbox: &Outbox<PostgresStore>) -> Result<usize, Failure> {
    let mut connection = outbox.store().pool().get().await?;
    let transaction = connection.transaction().await?;
    // `SKIP LOCKED` makes other processes skip the payouts that this transaction has locked.
    let sql = "SELECT number, card, amount::text, currency FROM payout WHERE state = 'new'
        ORDER BY number LIMIT 20 FOR UPDATE SKIP LOCKED";
    let payouts = transaction.query(sql, &[]).await?;
    for payout in &payouts {
        let [number, card, amount, currency] = [0, 1, 2, 3].map(|column| payout.get::<_, String>(column));
        let topup = Topup::builder()
            .card_id(card.as_str())
            .order_no(number.as_str())
            .amount(amount.parse()?)
            .currency(currency.as_str())
            .build();
        let state = match outbox.prepare(&topup, SubmitOptions::new().order_by(format!("card {card}"))) {
            Ok(order) => {
                outbox.store().submit_in(&transaction, &order).await?;
                "ordered"
            }
            // An invalid payout is marked as such, so that it does not block the others.
            Err(error) => {
                eprintln!("{number}: {error}");
                "invalid"
            }
        };
        transaction.execute("UPDATE payout SET state = $2 WHERE number = $1", &[&number, &state]).await?;
    }
    transaction.commit().await?;
    Ok(payouts.len())
}

/// Stores the outcome in the table. This change is committed in the transaction that completes the order, so it is made
/// only once.
pub(crate) async fn book(
    ended: EndedOrder<Topup, TopupResultResponse>,
) -> Result<Completion<PostgresEffect>, HandlerError> {
    let state = match ended.ending() {
        Ending::Responded { state, .. } | Ending::Found { state, .. } => match state {
            OrderState::Succeeded => "paid",
            OrderState::Failed => "failed",
            _ => "accepted",
        },
        Ending::Rejected { .. } => "rejected",
        Ending::Decided(decision) => decision.as_str(),
        _ => "accepted",
    };
    let number = ended.number().to_owned();
    Ok(in_transaction(move |transaction| {
        Box::pin(async move {
            transaction.execute("UPDATE payout SET state = $2 WHERE number = $1", &[&number, &state]).await?;
            Ok(())
        })
    }))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let directory = PathBuf::from(std::env::var_os("KEYS").ok_or("set KEYS to the directory that contains the keys")?);
    let url = std::env::var("DATABASE_URL").map_err(|_| "set DATABASE_URL")?;
    let store = PostgresOptions::from_url(&url)?.open().await?;
    store.pool().get().await?.batch_execute(TABLE).await?;
    let client = ClientBuilder::from_file(directory.join("paytend.toml"), "sandbox")?.build()?;
    // Every process needs a copy of the same key file.
    let keys = StoreKeys::load_or_create(directory.join("outbox.keys"))?;
    let outbox = Outbox::open(store, keys, client).await?;

    let dispatcher = Dispatcher::builder(outbox.clone()).on::<Topup, _, _>(book).build();
    tokio::spawn(dispatcher.run(std::future::pending()));
    println!("waiting for new rows in the payout table");
    loop {
        match order_payouts(&outbox).await {
            Ok(0) => {}
            Ok(count) => println!("ordered: {count}"),
            // The state of the payouts is still `new`, so a later iteration submits them.
            Err(error) => eprintln!("{error}"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
