//! Runs the conformance suite of the outbox, and compares the store with the store in memory.

use std::time::{Duration, SystemTime};

use paytend_outbox::testing::{EffectEnd, Harness, conformance, random_history};
use paytend_outbox::{NewOrder, SubmitError, Submitted};
use paytend_store_sqlite::rusqlite::params;
use paytend_store_sqlite::{SqliteEffect, SqliteStore};
use paytend_vectors::Seeded;

use crate::support::SqliteHarness;

/// The error type of the transactions in these tests.
enum Refused {
    Rolled,
}

impl From<paytend_inbox::StoreError> for Refused {
    fn from(error: paytend_inbox::StoreError) -> Self {
        panic!("{error}")
    }
}

impl Harness for SqliteHarness {
    type Store = SqliteStore;

    async fn create(&self) -> SqliteStore {
        paytend_inbox::testing::Harness::create(self).await
    }

    async fn advance(&self, store: &SqliteStore, time: Duration) {
        paytend_inbox::testing::Harness::advance(self, store, time).await;
    }

    async fn now(&self, _: &SqliteStore) -> SystemTime {
        self.now()
    }

    fn effect(&self, line: &str, end: EffectEnd) -> SqliteEffect {
        paytend_inbox::testing::Harness::effect(self, line, end)
    }

    async fn submit_with_line(
        &self,
        store: &SqliteStore,
        order: NewOrder,
        line: &str,
        end: EffectEnd,
    ) -> Option<Submitted> {
        let (handle, line) = (store.clone(), line.to_owned());
        let submitted = store.transaction(move |transaction| {
            transaction.execute("INSERT INTO effect VALUES (?1)", params![line]).unwrap();
            match handle.submit_in(transaction, &order) {
                Ok(submitted) => end.apply().map(|()| submitted).map_err(|_| Refused::Rolled),
                Err(SubmitError::Conflict { .. }) => Err(Refused::Rolled),
                Err(error) => panic!("{error}"),
            }
        });
        submitted.await.ok()
    }

    async fn recorded(&self, store: &SqliteStore) -> Vec<String> {
        crate::support::recorded(store).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_outbox_conforms() {
    conformance(&SqliteHarness::new()).await;
}

#[tokio::test]
async fn random_outbox_histories_have_the_same_results_as_in_memory() {
    let random = Seeded::new();
    for _ in 0..4 {
        random_history(&SqliteHarness::new(), 500, &mut |bound| random.below(bound)).await;
    }
}

/// The handler of a notification submits an order and records a notice, in the transaction that completes it.
#[tokio::test]
async fn handler_of_a_notification_submits_orders_in_its_transaction() {
    use paytend_inbox::{HandlerError, Store as _};
    use paytend_outbox::testing::TestOrder;
    use paytend_outbox::{OrderNotice, OutboxAdmin as _, State};

    let harness = SqliteHarness::new();
    let store = paytend_inbox::testing::Harness::create(&harness).await;
    let keys = crate::support::keys();
    store.bind_keys(keys.check_value()).await.unwrap();
    let known = TestOrder::new("known").prepare(&keys);
    paytend_outbox::OutboxStore::submit_order(&store, known).await.unwrap();
    crate::support::accept(&store, &keys, "deposit").await;
    let claimed = crate::support::claim(&store, 1).await.pop().unwrap();
    for succeeds in [false, true] {
        let (handle, order) = (store.clone(), TestOrder::new("caused").prepare(&keys));
        let effect: SqliteEffect = Box::new(move |transaction| {
            handle.submit_in(transaction, &order).map_err(SubmitError::into_handler_error)?;
            handle.notice_in(transaction, &OrderNotice::new("known"))?;
            if succeeds { Ok(()) } else { Err(HandlerError::retry("as requested")) }
        });
        assert_eq!(store.complete(claimed.lease, Some(effect)).await.is_ok(), succeeds);
        let caused = store.show_order("caused".into(), None).await.unwrap();
        let known = store.show_order("known".into(), None).await.unwrap().unwrap();
        assert_eq!((caused.is_some(), known.progress.is_notified), (succeeds, succeeds));
        assert_eq!(known.progress.state, if succeeds { State::Unknown } else { State::Recorded });
    }
}

#[tokio::test]
async fn orders_are_due_after_the_clock_was_set_back() {
    use paytend_outbox::testing::TestOrder;
    use paytend_outbox::{ClaimOrders, OutboxStore as _};

    let harness = SqliteHarness::new();
    let day = Duration::from_secs(24 * 3600);
    let (now, keys) = (harness.now(), crate::support::keys());
    let open = |ahead: Duration| harness.options("orders.db").clock(move || now + ahead).open().unwrap();
    let store = open(day * 400);
    store.submit_order(TestOrder::new("due").prepare(&keys)).await.unwrap();
    let scheduled = TestOrder { not_before: Some(now + day * 30), ..TestOrder::new("scheduled") };
    drop(store);
    let store = open(Duration::ZERO);
    store.submit_order(scheduled.prepare(&keys)).await.unwrap();
    drop(store);
    let store = open(Duration::ZERO);
    let operations = vec![("/test/pay".to_owned(), 9)];
    let request = ClaimOrders { limit: 9, lease: day, holder: 1, operations };
    let claimed = store.claim_orders(request).await.unwrap();
    let numbers: Vec<&str> = claimed.iter().map(|claimed| claimed.facts.number.as_str()).collect();
    assert_eq!(numbers, ["due"]);
}
