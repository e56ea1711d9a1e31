//! Tests of `paytend reconcile` with the orders in an outbox.

use std::time::{Duration, Instant};

use paytend_inbox::{Completion, HandlerError, StoreKeys};
use paytend_model::Operation as _;
use paytend_model::issuing::{Topup, TopupResultResponse};
use paytend_outbox::{
    Action, Audit, ClaimOrders, Decision, Dispatcher, EndedOrder, OrderRelease, OrderStats, Outbox, OutboxAdmin as _,
    OutboxStore as _, State, SubmitOptions,
};
use paytend_sandbox::{Fault, FaultKind};
use paytend_store_sqlite::{SqliteEffect, SqliteStore};
use paytend_vectors::Seeded;

use crate::inbox_service::runtime;
use crate::reconcile_life::{Life, open};
use crate::support::run;

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
            assert!(Instant::now() < deadline, "the orders were not completed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(stop);
        dispatching.await.unwrap();
        let (report, code) = life.report_of_store();
        assert_eq!((open(&report), code, &report["counts"]["matched"]), (vec![], 0, &2.into()), "{report:#}");

        // If the rules do not define the status code, the response does not show whether the topup succeeded.
        let rules = std::fs::read_to_string(life.path("rules.toml")).unwrap();
        let unmapped: String = rules.split_inclusive('\n').filter(|line| !line.starts_with("topups")).collect();
        std::fs::write(life.path("rules.toml"), unmapped).unwrap();
        let (report, code) = life.report_of_store();
        assert_eq!((code, &report["counts"]["unresolved"]), (8, &2.into()), "{report:#}");
        assert_eq!(report["items"][0]["reasons"], serde_json::json!(["partner_status_unknown"]));
        std::fs::write(life.path("rules.toml"), rules).unwrap();

        life.topup("X-1", 1_00).await;
        let (report, code) = life.report_of_store();
        let expected = ("only_provider".to_owned(), "X-1".to_owned(), String::new());
        assert_eq!((open(&report), code), (vec![expected], 8), "{report:#}");

        // A newer program has written an order, so its transaction is open.
        let damage = "UPDATE paytend_order SET state = 'newer' WHERE number = 'O-1'";
        store.write(|transaction| transaction.execute(damage, [])).await.unwrap();
        let (report, code) = life.report_of_store();
        assert_eq!((code, &report["counts"]["unresolved"]), (8, &1.into()), "{report:#}");
        let reasons = report["items"].as_array().unwrap().iter().map(|item| item["reasons"].to_string());
        assert!(reasons.into_iter().any(|reasons| reasons.contains("unreadable")), "{report:#}");
    });
}

/// Random activity with orders in an outbox and notifications in an inbox. Some of the actions cause a difference.
#[test]
fn exactly_the_planted_differences_are_reported_with_an_inbox_and_an_outbox() {
    let random = Seeded::new();
    runtime().block_on(async {
        let mut life = Life::start().await;
        let place = Orders::open(&life).await;
        let mut expected: Vec<(String, String, String)> = Vec::new();
        let mut expect = |outcome: &str, number: &str, fields: &str| {
            expected.push((outcome.to_owned(), number.to_owned(), fields.to_owned()));
        };
        place.send(&life, "O-first", "50.00").await;
        // `cargo xtask soak` sets a larger number of rounds.
        for index in 0..std::env::var("PAYTEND_FAULT_ROUNDS").map_or(30, |rounds| rounds.parse().unwrap()) {
            let (number, amount) = (format!("O-{index}"), format!("1.{:02}", random.below(100)));
            match random.below(12) {
                0 => {
                    let lost =
                        [FaultKind::ResetAfter, FaultKind::ResetBefore, FaultKind::HalfBody][random.below(3)].clone();
                    life.sandbox.fault(Fault::on::<Topup>(lost).once()).unwrap();
                    place.send(&life, &number, &amount).await;
                }
                1 => place.send(&life, &number, "9000000.00").await, // rejected
                // The order was never sent, so the decision is right and there is no difference.
                2 => place.decide(&life, &number, &amount, Decision::NotExecuted).await,
                3 => {
                    place.decide(&life, &number, &amount, Decision::Executed).await;
                    expect("only_here", &number, "");
                }
                4 => {
                    place.make_stuck(&life, &number, &amount).await;
                    expect("unresolved", &number, "");
                }
                5 => {
                    // This order is sent by a different program, so it is not in the outbox.
                    life.topup(&number, 1_00).await;
                    expect("only_provider", &number, "");
                }
                6 => {
                    place.decide(&life, &number, &amount, Decision::NotExecuted).await;
                    let topup = topup(life.sandbox.card_id(), &number, &amount);
                    life.client.send(&topup).await.unwrap();
                    expect("different", &number, "status");
                }
                7 => {
                    let trade = life.use_card(random.below(2) == 0, 1 + random.below(20)).await;
                    let store = format!("sqlite:{}", life.path("inbox.db").display());
                    let erased = run(&["inbox", "erase", "--store", &store, "--business-id", &trade], b"");
                    assert_eq!((erased.code, erased.stdout.as_str()), (0, "erased: 1\n"), "{}", erased.stderr);
                    expect("only_provider", &trade, "");
                    expect("unresolved", "", "");
                }
                10 => place.crash_and_send(&life, &number, &amount, &random).await,
                8 | 9 => drop(life.use_card(random.below(2) == 0, 1 + random.below(20)).await),
                _ => place.send(&life, &number, &amount).await,
            }
        }
        let (report, code) = life.report_of_store();
        expected.sort();
        assert_eq!(open(&report), expected, "{report:#}");
        assert_eq!(code, if expected.is_empty() { 0 } else { 8 });
        assert!(life.sandbox.conserves_money());
    });
}

fn topup(card: &str, number: &str, amount: &str) -> Topup {
    Topup::builder().card_id(card).order_no(number).amount(amount.parse().unwrap()).currency("EUR").build()
}

/// An outbox in the same store as the inbox. The random activity submits its orders to it.
struct Orders {
    store: SqliteStore,
    outbox: Outbox<SqliteStore>,
}

impl Orders {
    async fn open(life: &Life) -> Self {
        let store = SqliteStore::open(life.path("inbox.db")).unwrap();
        let keys = StoreKeys::load_or_create(life.path("inbox.db.key")).unwrap();
        Self { store: store.clone(), outbox: Outbox::open(store, keys, life.client.clone()).await.unwrap() }
    }

    async fn submit(&self, life: &Life, number: &str, amount: &str) {
        self.outbox.submit(&topup(life.sandbox.card_id(), number, amount), SubmitOptions::new()).await.unwrap();
    }

    /// Submits an order, and runs a dispatcher until the order's outcome is known and handled.
    async fn send(&self, life: &Life, number: &str, amount: &str) {
        self.submit(life, number, amount).await;
        self.dispatch(number).await;
    }

    fn dispatcher(&self) -> Dispatcher<SqliteStore> {
        let dispatcher = Dispatcher::builder(self.outbox.clone()).poll_interval(Duration::from_millis(20));
        // With a short lease, the order of an aborted dispatcher is soon processed again.
        dispatcher.on::<Topup, _, _>(ignore).lease(Duration::from_secs(2)).build()
    }

    /// Submits an order, aborts a dispatcher while it sends the order, and then runs another dispatcher.
    async fn crash_and_send(&self, life: &Life, number: &str, amount: &str, random: &Seeded) {
        self.submit(life, number, amount).await;
        let crashing = tokio::spawn(self.dispatcher().run(std::future::pending()));
        tokio::time::sleep(Duration::from_millis(random.below(40) as u64)).await;
        crashing.abort();
        self.dispatch(number).await;
    }

    /// Runs a dispatcher until the outcome of an order is known and handled.
    async fn dispatch(&self, number: &str) {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let dispatching = tokio::spawn(self.dispatcher().run(async {
            let _ = stopped.await;
        }));
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let progress = self.store.show_order(number.to_owned(), None).await.unwrap().unwrap().progress;
            if progress.state.is_final() && !progress.is_open {
                break;
            }
            assert!(Instant::now() < deadline, "{number} is {}", progress.state);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        drop(stop);
        dispatching.await.unwrap();
    }

    /// Submits an order and makes it stuck. Its history says that it was sent, but the provider never receives it.
    async fn make_stuck(&self, life: &Life, number: &str, amount: &str) {
        self.submit(life, number, amount).await;
        let operations = vec![(Topup::INFO.path.to_owned(), 1)];
        let request = ClaimOrders { limit: 1, lease: Duration::from_secs(60), holder: 1, operations };
        let claimed = self.store.claim_orders(request).await.unwrap().pop().unwrap();
        assert_eq!(claimed.facts.number, number);
        let history = self.store.begin_send(claimed.lease).await.unwrap();
        let release = OrderRelease::Stuck { history, cause: "no response".into() };
        self.store.release_order(claimed.lease, release, None).await.unwrap();
    }

    /// Submits an order that the provider never receives, and records a decision about its outcome.
    async fn decide(&self, life: &Life, number: &str, amount: &str, decision: Decision) {
        self.make_stuck(life, number, amount).await;
        let audit = Audit { who: "a test".into(), why: "planted".into() };
        self.store.act_on_order(number.to_owned(), Action::Decide(decision), audit).await.unwrap().unwrap();
        self.dispatch(number).await;
    }
}
