//! Records a payout and submits its topup in one SQLite transaction. Each payout is paid once, even if the process is
//! killed.
//!
//! Run it with `cargo run -p paytend-examples --example outbox_sqlite`

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Duration;

use paytend_client::{Client, Environment, OrderState, OrderStates, Resolution};
use paytend_inbox::{Completion, HandlerError, StoreKeys};
use paytend_model::issuing::{Topup, TopupResultResponse};
use paytend_outbox::{Dispatcher, EndedOrder, Ending, Outbox, SubmitOptions};
use paytend_sandbox::{Fault, FaultKind, Sandbox};
use paytend_store_sqlite::{SqliteEffect, SqliteStore, in_transaction, rusqlite};

type Failure = Box<dyn Error + Send + Sync>;

const TABLES: &str = "CREATE TABLE IF NOT EXISTS payout (number TEXT PRIMARY KEY, state TEXT NOT NULL)";

/// Records a payout in the `payout` table and submits its topup, in one transaction.
async fn pay(outbox: &Outbox<SqliteStore>, topup: &Topup) -> Result<(), Failure> {
    // The order is validated, sealed and encrypted before the transaction, because this would keep the store's writer
    // thread busy.
    let order = outbox.prepare(topup, SubmitOptions::new().order_by(format!("card {}", &*topup.card_id)))?;
    let store = outbox.store().clone();
    let paid = outbox.store().transaction(move |transaction| -> Result<(), Failure> {
        let number = &order.facts().number;
        transaction.execute("INSERT INTO payout VALUES (?1, 'ordered') ON CONFLICT DO NOTHING", [number])?;
        store.submit_in(transaction, &order)?;
        Ok(())
    });
    paid.await
}

/// Records a payout's outcome. The change and the order's completion are committed in one transaction.
async fn book(ended: EndedOrder<Topup, TopupResultResponse>) -> Result<Completion<SqliteEffect>, HandlerError> {
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
        transaction.execute("UPDATE payout SET state = ?2 WHERE number = ?1", rusqlite::params![number, state])?;
        Ok(())
    }))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    // In production, Paytend is a remote service and the keys are in files.
    let sandbox = Sandbox::start().await?;
    let keyring = sandbox.partner_keyring().ok_or("the sandbox has no partner key")?;
    let directory = tempfile::tempdir()?;

    let store = SqliteStore::open(directory.path().join("payouts.db"))?;
    store.write(|transaction| transaction.execute_batch(TABLES)).await?;
    let keys = StoreKeys::load_or_create(directory.path().join("payouts.key"))?;
    // These are the sandbox's codes. In production, use the codes from the documents that you received from Paytend.
    let client = Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), keyring)
        .order_states(OrderStates::local_sandbox())
        .resolution(Resolution::local_sandbox())
        .build()?;
    let outbox = Outbox::open(store.clone(), keys, client).await?;

    // The sandbox executes the first topup, but its response is lost.
    sandbox.fault(Fault::on::<Topup>(FaultKind::ResetAfter).once())?;
    let dispatcher = Dispatcher::builder(outbox.clone()).on::<Topup, _, _>(book).build();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let dispatching = tokio::spawn(dispatcher.run(async {
        let _ = stopped.await;
    }));
    for number in ["P-1", "P-2"] {
        let topup = Topup::builder()
            .card_id(sandbox.card_id())
            .order_no(number)
            .amount("25.00".parse()?)
            .currency("EUR")
            .build();
        pay(&outbox, &topup).await?;
        // Submitting the same payout again changes nothing.
        pay(&outbox, &topup).await?;
    }

    loop {
        let open = store.write(|transaction| {
            let sql = "SELECT count(*) FROM payout WHERE state = 'ordered'";
            transaction.query_row(sql, [], |row| row.get::<_, i64>(0))
        });
        if open.await? == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let payouts = store.write(|transaction| {
        transaction
            .prepare("SELECT number, state FROM payout ORDER BY number")?
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
            .collect::<Result<Vec<_>, _>>()
    });
    for (number, state) in payouts.await? {
        println!("{number}: {state}");
    }
    let balance = sandbox.card(sandbox.card_id()).ok_or("the sandbox has no such card")?;
    println!("balance of the card: {}", balance.balance());

    let _ = stop.send(());
    dispatching.await?;
    Ok(())
}
