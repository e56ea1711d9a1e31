//! Runs the outbox conformance suite, and compares the store with the in-memory store.

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

    const ZERO_BYTE: Option<&'static str> = Some("x'00'");

    async fn execute(&self, store: &SqliteStore, sql: String) {
        store.write(move |transaction| transaction.execute_batch(&sql)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_outbox_conforms() {
    conformance(&SqliteHarness::new()).await;
}

#[tokio::test]
async fn random_outbox_histories_give_the_same_results_as_in_the_memory_store() {
    let random = Seeded::new();
    for _ in 0..4 {
        random_history(&SqliteHarness::new(), 500, &mut |bound| random.below(bound)).await;
    }
}

/// The handler of a notification submits an order and records a notice, in the transaction that completes it.
#[tokio::test]
async fn notification_handler_submits_orders_in_its_transaction() {
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
            handle.notice_in(transaction, &OrderNotice::new("/test/pay", "known"))?;
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

/// Tests of two processes. One process opened the store before the system clock was changed, and the other process
/// afterwards.
mod clocks {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use paytend_inbox::{StoreError, StoreErrorKind};
    use paytend_outbox::testing::TestOrder;
    use paytend_outbox::{ClaimOrders, OutboxStore as _};
    use paytend_store_sqlite::SqliteStore;

    use crate::support::SqliteHarness;

    const LEASE: u64 = 60;

    /// A store that is opened by processes whose clocks have different offsets.
    struct World {
        harness: SqliteHarness,
        elapsed: Arc<AtomicU64>,
    }

    impl World {
        async fn new() -> Self {
            let world = Self { harness: SqliteHarness::new(), elapsed: Arc::default() };
            let (store, keys) = (world.open(0), crate::support::keys());
            for number in ["A", "B"] {
                store.submit_order(TestOrder::new(number).prepare(&keys)).await.unwrap();
            }
            world
        }

        fn open(&self, ahead: u64) -> SqliteStore {
            let (now, elapsed) = (self.harness.now(), Arc::clone(&self.elapsed));
            let clock = move || now + Duration::from_secs(ahead + elapsed.load(Ordering::SeqCst));
            self.harness.options("orders.db").clock(clock).open().unwrap()
        }

        fn advance(&self, seconds: u64) {
            self.elapsed.fetch_add(seconds, Ordering::SeqCst);
        }
    }

    async fn claim(store: &SqliteStore, limit: usize) -> Result<Vec<String>, StoreError> {
        claim_for(store, limit, LEASE).await
    }

    async fn claim_for(store: &SqliteStore, limit: usize, lease: u64) -> Result<Vec<String>, StoreError> {
        let operations = vec![("/test/pay".to_owned(), limit)];
        let lease = Duration::from_secs(lease);
        let claimed = store.claim_orders(ClaimOrders { limit, lease, holder: 1, operations }).await?;
        Ok(claimed.into_iter().map(|claimed| claimed.facts.number).collect())
    }

    fn assert_differs(claimed: Result<Vec<String>, StoreError>) {
        let error = claimed.unwrap_err();
        assert!(error.kind() == StoreErrorKind::Configuration && error.to_string().contains("clocks"), "{error}");
    }

    #[tokio::test]
    async fn lease_is_not_taken_over_by_a_process_whose_clock_is_ahead() {
        let world = World::new().await;
        let old = world.open(0);
        assert_eq!(claim(&old, 1).await.unwrap(), ["A"]);
        let new = world.open(LEASE * 2);
        assert_eq!(claim(&new, 9).await.unwrap(), ["B"], "order A is being sent");
        assert_differs(claim(&old, 9).await);
        world.advance(LEASE - 1);
        assert!(claim(&new, 9).await.unwrap().is_empty());
        world.advance(1);
        // All leases of the old process have expired.
        assert_eq!(claim(&new, 9).await.unwrap(), ["A", "B"]);
        assert_differs(claim(&old, 9).await);
    }

    #[tokio::test]
    async fn after_the_clock_is_set_back_orders_are_claimed_once_a_lease_length_has_passed() {
        let world = World::new().await;
        let old = world.open(3_600);
        assert_eq!(claim(&old, 1).await.unwrap(), ["A"]);
        let new = world.open(0);
        assert_differs(claim(&new, 9).await);
        world.advance(LEASE / 2);
        assert_eq!(claim(&old, 1).await.unwrap(), ["B"]);
        assert_differs(claim(&new, 9).await);
        world.advance(LEASE - 1);
        assert_differs(claim(&new, 9).await);
        world.advance(1);
        assert!(claim(&new, 9).await.unwrap().is_empty());
        assert_differs(claim(&old, 9).await);
    }
    /// The store was opened long before its first claim, for example to receive notifications.
    #[tokio::test]
    async fn first_claim_of_a_process_takes_over_no_lease() {
        let world = World::new().await;
        let (old, new) = (world.open(0), world.open(3_600));
        world.advance(LEASE * 2);
        assert_eq!(claim(&old, 1).await.unwrap(), ["A"]);
        assert_eq!(claim(&new, 9).await.unwrap(), ["B"], "order A is being sent");
        assert_differs(claim(&old, 9).await);
        world.advance(LEASE);
        assert_eq!(claim(&new, 9).await.unwrap(), ["A", "B"]);
    }

    /// The later clock's last recorded time is in the past after some minutes, so the clocks seem to agree again.
    #[tokio::test]
    async fn process_with_a_different_clock_claims_no_orders_until_it_is_restarted() {
        let world = World::new().await;
        let old = world.open(0);
        assert!(claim_for(&old, 0, 9).await.is_ok());
        assert!(claim_for(&world.open(300), 0, 9).await.is_ok());
        assert_differs(claim_for(&old, 0, 9).await);
        world.advance(400);
        assert_differs(claim_for(&old, 0, 9).await);
        assert!(claim_for(&world.open(0), 0, 9).await.is_ok());
    }

    /// A send ends after at most two thirds of the lease. A clock that is ahead by more than a third could end the
    /// lease during the send.
    #[tokio::test]
    async fn accepted_difference_of_clocks_is_at_most_a_third_of_the_lease() {
        for (lease, accepted) in [(8, false), (9, true)] {
            let world = World::new().await;
            let (old, new) = (world.open(0), world.open(3));
            let claimed = [claim_for(&new, 0, lease).await, claim_for(&old, 0, lease).await];
            assert!(claimed[0].is_ok());
            match accepted {
                true => assert!(claimed[1].is_ok(), "{claimed:?}"),
                false => {
                    let [_, refused] = claimed;
                    assert_differs(refused);
                }
            }
        }
    }
}
