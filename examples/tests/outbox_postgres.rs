//! Tests of the `outbox_postgres` example on a PostgreSQL server. They are skipped if PostgreSQL is not installed.

#![cfg(unix)]
// Tests should panic on setup errors.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::time::{Duration, Instant};

use paytend_client::{Client, Environment, OrderStates, Resolution};
use paytend_inbox::StoreKeys;
use paytend_model::issuing::Topup;
use paytend_outbox::{Dispatcher, Outbox, OutboxAdmin as _, State};
use paytend_sandbox::{Fault, FaultKind, Sandbox};
use paytend_store_postgres::tokio_postgres::Config;
use paytend_store_postgres::{PostgresOptions, PostgresStore};
use tokio::task::JoinHandle;

#[allow(dead_code, reason = "the tests do not call the example's main function")]
#[path = "../outbox_postgres.rs"]
mod example;
#[allow(dead_code, reason = "this test does not need every function in the module")]
#[path = "../../crates/paytend-store-postgres/tests/it/server.rs"]
mod server;

/// Opens the outbox as a process does when it starts.
async fn open(database: &Config, sandbox: &Sandbox, keys: &std::path::Path) -> Outbox<PostgresStore> {
    let store = PostgresOptions::new(database.clone()).open().await.unwrap();
    store.pool().get().await.unwrap().batch_execute(example::TABLE).await.unwrap();
    let keyring = sandbox.partner_keyring().unwrap();
    let client = Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), keyring)
        .order_states(OrderStates::local_sandbox())
        .resolution(
            Resolution::local_sandbox()
                .settle_time(Duration::from_millis(100))
                .poll_interval(Duration::from_millis(20)),
        )
        .build()
        .unwrap();
    Outbox::open(store, StoreKeys::load_or_create(keys).unwrap(), client).await.unwrap()
}

fn dispatch(outbox: &Outbox<PostgresStore>) -> JoinHandle<paytend_outbox::dispatcher::Stopped> {
    let dispatcher = Dispatcher::builder(outbox.clone()).lease(Duration::from_secs(1));
    let dispatcher = dispatcher.poll_interval(Duration::from_millis(50)).on::<Topup, _, _>(example::book).build();
    tokio::spawn(dispatcher.run(std::future::pending()))
}

/// Waits until the store satisfies a condition.
async fn wait_for(outbox: &Outbox<PostgresStore>, mut holds: impl AsyncFnMut(&PostgresStore) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds(outbox.store()).await {
        assert!(Instant::now() < deadline, "{:?}", outbox.store().order_stats().await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn payouts(store: &PostgresStore) -> Vec<(String, String)> {
    let connection = store.pool().get().await.unwrap();
    let rows = connection.query("SELECT number, state FROM payout ORDER BY number", &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_payout_is_paid_once_although_the_process_and_the_server_crash() {
    let Some(mut server) = server::Server::start(&[]).await else { return };
    let database = server.database().await;
    let sandbox = Sandbox::start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("outbox.keys");
    let outbox = open(&database, &sandbox, &keys).await;
    let insert = format!(
        "INSERT INTO payout (number, card, amount, currency) SELECT 'P-' || n, '{0}', 5.25, 'EUR'
            FROM generate_series(1, 4) n;
         INSERT INTO payout (number, card, amount, currency)
            VALUES ('P-5', '{0}', -1, 'EUR'), (repeat('P', 200), '{0}', 5.25, 'EUR')",
        sandbox.card_id()
    );
    server::execute(&database, &insert).await;
    assert_eq!(example::order_payouts(&outbox).await.unwrap(), 6);
    assert_eq!(example::order_payouts(&outbox).await.unwrap(), 0, "a payout was ordered twice");

    // The response to the first topup is lost. The process crashes while it is waiting for the response to a later
    // topup.
    sandbox.fault(Fault::on::<Topup>(FaultKind::ResetAfter).once()).unwrap();
    sandbox.fault(Fault::on::<Topup>(FaultKind::Latency { millis: 200 })).unwrap();
    let process = dispatch(&outbox);
    wait_for(&outbox, async |store| store.order_stats().await.unwrap().count(State::Sending) > 0).await;
    process.abort();
    let _ = process.await;
    drop(outbox);
    server.crash();
    server.run().await;

    let outbox = open(&database, &sandbox, &keys).await;
    let process = dispatch(&outbox);
    wait_for(&outbox, async |store| payouts(store).await.iter().all(|(_, state)| state != "ordered")).await;
    process.abort();
    let paid = |number: &str| (number.to_owned(), "paid".to_owned());
    let mut expected: Vec<_> = ["P-1", "P-2", "P-3", "P-4"].map(paid).into();
    expected.push(("P-5".to_owned(), "rejected".to_owned()));
    expected.push(("P".repeat(200), "invalid".to_owned()));
    assert_eq!(payouts(outbox.store()).await, expected);
    assert_eq!(sandbox.card(sandbox.card_id()).unwrap().balance().to_string(), "21.00");
    assert!(sandbox.conserves_money());
}
