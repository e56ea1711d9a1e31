//! Tests of `paytend reconcile` with the orders of an outbox.

use std::time::{Duration, Instant};

use paytend_inbox::{Completion, HandlerError, StoreKeys};
use paytend_model::issuing::{Topup, TopupResultResponse};
use paytend_outbox::{Dispatcher, EndedOrder, OrderStats, Outbox, OutboxAdmin as _, State, SubmitOptions};
use paytend_sandbox::{Fault, FaultKind};
use paytend_store_sqlite::{SqliteEffect, SqliteStore};

use crate::inbox_service::runtime;
use crate::reconcile_life::{Life, open};

async fn ignore(_: EndedOrder<Topup, TopupResultResponse>) -> Result<Completion<SqliteEffect>, HandlerError> {
    Ok(Completion::without_effect())
}

#[test]
fn topups_in_the_outbox_are_compared() {
    runtime().block_on(async {
        let mut life = Life::start().await;
        let store = SqliteStore::open(life.path("inbox.db")).unwrap();
        let keys = StoreKeys::load_or_create(life.path("inbox.db.key")).unwrap();
        let outbox = Outbox::open(store.clone(), keys, life.client.clone()).await.unwrap();
        let (report, code) = life.report_of_store();
        assert_eq!((open(&report), code), (vec![], 0), "orders are not compared if the store has none");

        life.sandbox.fault(Fault::on::<Topup>(FaultKind::ResetAfter).once()).unwrap();
        let dispatcher = Dispatcher::builder(outbox.clone()).on::<Topup, _, _>(ignore).build();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let dispatching = tokio::spawn(dispatcher.run(async {
            let _ = stopped.await;
        }));
        for number in ["O-1", "O-2"] {
            let (card, amount) = (life.sandbox.card_id(), "5.25".parse().unwrap());
            let topup = Topup::builder().card_id(card).order_no(number).amount(amount).currency("EUR").build();
            outbox.submit(&topup, SubmitOptions::new()).await.unwrap();
        }
        let deadline = Instant::now() + Duration::from_secs(60);
        let is_done = |stats: &OrderStats| stats.count(State::Responded) + stats.count(State::Found) == 2;
        while !is_done(&store.order_stats().await.unwrap()) {
            assert!(Instant::now() < deadline, "the orders are not completed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(stop);
        dispatching.await.unwrap();
        let (report, code) = life.report_of_store();
        assert_eq!((open(&report), code, &report["counts"]["matched"]), (vec![], 0, &2.into()), "{report:#}");

        life.topup("X-1", 1_00).await;
        let (report, code) = life.report_of_store();
        let expected = ("only_provider".to_owned(), "X-1".to_owned(), String::new());
        assert_eq!((open(&report), code), (vec![expected], 8), "{report:#}");
    });
}
