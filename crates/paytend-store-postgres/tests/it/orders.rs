//! Tests with a server that crashes while the dispatchers of two stores send orders to a sandbox that injects faults.

use std::collections::BTreeSet;
use std::future::pending;
use std::time::{Duration, Instant};

use paytend_client::{Client, Environment, Resolution};
use paytend_inbox::{RetryPolicy, StoreKeys};
use paytend_model::issuing::Topup;
use paytend_outbox::{Dispatcher, OrderQuery, Outbox, OutboxAdmin as _, State, SubmitError, SubmitOptions};
use paytend_sandbox::{Fault, FaultKind, Sandbox, TopupState};
use paytend_store_postgres::{PostgresStore, in_transaction};
use paytend_vectors::Seeded;

use crate::server::{Server, execute};
use crate::support::{EFFECTS, open};

fn client(sandbox: &Sandbox) -> Client {
    let resolution = Resolution::local_sandbox().settle_time(Duration::from_secs(1)).max_sends(20);
    let keyring = sandbox.partner_keyring().unwrap();
    let builder = Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), keyring);
    builder.resolution(resolution).attempt_timeout(Duration::from_secs(10)).build().unwrap()
}

fn start(outbox: &Outbox<PostgresStore>) -> tokio::task::JoinHandle<()> {
    let dispatcher = Dispatcher::builder(outbox.clone())
        .on::<Topup, _, _>(async |ended| {
            let number = ended.number().to_owned();
            Ok(in_transaction(move |transaction| {
                Box::pin(async move {
                    transaction.execute("INSERT INTO effect VALUES ($1)", &[&number]).await?;
                    Ok(())
                })
            }))
        })
        .lease(Duration::from_secs(1))
        .poll_interval(Duration::from_millis(50))
        .max_queries(1000)
        .retry(RetryPolicy::new().base(Duration::from_millis(20)).cap(Duration::from_millis(100)).max_tries(1000))
        .build();
    tokio::spawn(async move {
        dispatcher.run(pending()).await;
    })
}

/// Submits an order in the transaction that also inserts it into the `book` table. Returns `true` if the commit was
/// confirmed.
async fn submit(outbox: &Outbox<PostgresStore>, card: &str, number: &str) -> bool {
    let topup = Topup::builder().card_id(card).order_no(number).amount("1.00".parse().unwrap()).currency("EUR").build();
    let options = match number.len() % 2 {
        0 => SubmitOptions::new().order_by("key"),
        _ => SubmitOptions::new(),
    };
    let order = outbox.prepare(&topup, options).unwrap();
    let Ok(mut client) = outbox.store().pool().get().await else { return false };
    let Ok(transaction) = client.transaction().await else { return false };
    let entered = transaction.execute("INSERT INTO book VALUES ($1) ON CONFLICT DO NOTHING", &[&number]).await;
    match outbox.store().submit_in(&transaction, &order).await {
        Ok(_) => entered.is_ok() && transaction.commit().await.is_ok(),
        Err(SubmitError::Store(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_crashes_lose_no_order_and_execute_no_order_twice() {
    let Some(mut server) = Server::start(&[]).await else { return };
    let rounds = std::env::var("PAYTEND_FAULT_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap());
    let random = Seeded::new();
    let sandbox = Sandbox::start().await.unwrap();
    for (fault, percent) in [(FaultKind::ResetBefore, 10), (FaultKind::ResetAfter, 10), (FaultKind::Html502, 5)] {
        sandbox.fault(Fault::on_all_calls(fault).percent(percent)).unwrap();
    }
    sandbox.fault(Fault::on_all_calls(FaultKind::ExecuteDuplicate)).unwrap();
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    execute(&config, "CREATE TABLE book (number text PRIMARY KEY)").await;
    let keys = StoreKeys::generate().unwrap();
    // The two stores simulate two processes.
    let mut outboxes = Vec::new();
    for _ in 0..2 {
        let store = open(config.clone(), 8).await;
        outboxes.push(Outbox::open(store, keys.clone(), client(&sandbox)).await.unwrap());
    }
    let running: Vec<_> = outboxes.iter().map(start).collect();
    let mut stored = BTreeSet::new();
    let mut next = 0;
    for _ in 0..rounds {
        let enough = stored.len() + 5 + random.below(30);
        let deadline = Instant::now() + Duration::from_secs(60);
        while stored.len() < enough {
            assert!(Instant::now() < deadline, "the store did not recover from the crash");
            let number = next.to_string();
            let both = outboxes.iter().map(|outbox| submit(outbox, sandbox.card_id(), &number));
            if futures_util::future::join_all(both).await.contains(&true) {
                stored.insert(number);
            }
            next += 1;
        }
        server.crash();
        server.run().await;
    }
    sandbox.clear_faults();
    sandbox.fault(Fault::on_all_calls(FaultKind::ExecuteDuplicate)).unwrap();
    let store = outboxes[0].store();
    let deadline = Instant::now() + Duration::from_secs(120);
    let entries = loop {
        let everything = OrderQuery { limit: usize::MAX, ..OrderQuery::default() };
        let entries = store.list_orders(everything).await.unwrap_or_default().entries;
        if !entries.is_empty() && entries.iter().all(|entry| !entry.progress.is_open) {
            break entries;
        }
        assert!(Instant::now() < deadline, "orders were not completed in time: {:?}", store.order_stats().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    for task in running {
        task.abort();
    }
    for entry in &entries {
        let is_executed = matches!(entry.progress.state, State::Responded | State::Found);
        let topup = sandbox.topup(&entry.facts.number);
        assert_eq!(topup, is_executed.then_some(TopupState::Succeeded), "{:?}", entry.progress);
        assert!(sandbox.topup_count(&entry.facts.number) <= 1, "executed twice: {:?}", entry.progress);
    }
    let executed = entries.iter().filter(|entry| sandbox.topup(&entry.facts.number).is_some()).count();
    let balance = sandbox.card(sandbox.card_id()).unwrap().balance().to_string();
    assert_eq!(balance, format!("{executed}.00"), "the ledger and the store contain different topups");
    let numbers: BTreeSet<String> = entries.iter().map(|entry| entry.facts.number.clone()).collect();
    assert!(stored.is_subset(&numbers), "orders were submitted but not stored");
    let client = store.pool().get().await.unwrap();
    let lines = async |sql: &str| -> Vec<String> {
        client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    };
    assert_eq!(
        BTreeSet::from_iter(lines("SELECT number FROM book").await),
        numbers,
        "the books and the store contain different orders"
    );
    let effects = lines("SELECT line FROM effect").await;
    assert_eq!(effects.len(), numbers.len(), "an effect happened twice or not at all");
    assert_eq!(BTreeSet::from_iter(effects), numbers);
    assert_eq!(store.check_orders().await.unwrap(), Vec::<String>::new());
}
