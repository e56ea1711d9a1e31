//! The store of an outbox passes the conformance suite and behaves like the reference.

use std::time::{Duration, SystemTime};

use paytend_outbox::testing::{EffectEnd, Harness, conformance, random_history};
use paytend_outbox::{NewOrder, SubmitError, Submitted};
use paytend_store_sqlite::rusqlite::params;
use paytend_store_sqlite::{SqliteEffect, SqliteStore};
use paytend_vectors::Seeded;

use crate::support::SqliteHarness;

/// The error of a test's transaction.
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
async fn random_outbox_histories_equal_those_of_the_reference() {
    let random = Seeded::new();
    for _ in 0..4 {
        random_history(&SqliteHarness::new(), 500, &mut |bound| random.below(bound)).await;
    }
}
