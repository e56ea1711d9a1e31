//! Tests of notifications about orders.

use std::time::Duration;

use paytend_inbox::testing::TestNotification;
use paytend_inbox::{
    Completion, Facts, HandlerError, Inbox, Kind, MemoryStore, NotificationType as _, Route, Store as _, StoreKeys,
    Worker, types,
};
use paytend_model::Operation as _;
use paytend_model::issuing::{ApplyCard, ReportLoss, Topup};
use paytend_outbox::testing::TestOrder;
use paytend_outbox::{OrderNotice, OutboxStore as _, State};

use crate::provider::World;

fn facts(route: Route, kind: Kind, number: Option<&str>) -> Facts {
    let mac = paytend_inbox::Mac::from_bytes([0; 32]);
    let mut facts = Facts::new(mac, mac, route, kind, String::new());
    facts.business_id = number.map(Into::into);
    facts
}

#[test]
fn only_card_application_results_are_notices() {
    let notice = OrderNotice::of(&facts(Route::PaytendIssuing, types::ApplyCardResult::KIND, Some("A-1"))).unwrap();
    assert_eq!(notice, OrderNotice::about::<ApplyCard>("A-1"));
    assert_eq!(OrderNotice::of(&facts(Route::PaytendIssuing, types::ApplyCardResult::KIND, None)), None);
    // The provider assigns the number of a transfer order, so it is not the number of an order in the outbox.
    for (route, kind) in [
        (Route::PaytendBaas, types::TransferOrder::KIND),
        (Route::PaytendBaas, types::FundDeposit::KIND),
        (Route::PaytendBaas, types::PaymentFailure::KIND),
        (Route::PaytendBaas, types::ApplyCardResult::KIND),
        (Route::PaytendIssuing, types::CardTransaction::KIND),
        (Route::PaytendIssuing, Kind::UNKNOWN),
        (Route::PayBy, types::TransferToBank::KIND),
        (Route::PayerMax, types::BalanceChange::KIND),
        (Route::PayerMax, types::ApplyCardResult::KIND),
    ] {
        assert_eq!(OrderNotice::of(&facts(route, kind.clone(), Some("A-1"))), None, "{route} {kind}");
    }
}

/// Notifications from all providers contain the number of an order. Only the result of the card application changes the
/// order.
#[tokio::test(start_paused = true)]
async fn worker_records_notices_from_inbox_notifications() {
    let world = World::new().await;
    let keys = std::sync::Arc::new(StoreKeys::parse(&world.outbox.keys().to_text()).unwrap());
    let store = world.outbox.store();
    for (number, operation) in
        [("A-1", ApplyCard::INFO.path), ("T-1", Topup::INFO.path), ("L-1", ReportLoss::INFO.path)]
    {
        let order = TestOrder { operation: operation.to_owned(), ..TestOrder::new(number) };
        store.submit_order(order.prepare(&keys)).await.unwrap();
    }
    let inbox_keys = StoreKeys::parse(&keys.to_text()).unwrap();
    let inbox = Inbox::open(MemoryStore::new(), inbox_keys).await.unwrap();
    let worker = Worker::builder(inbox.clone(), async |_| Ok(Completion::without_effect()))
        .before_handlers(world.outbox.notices())
        .build();
    tokio::spawn(worker.run(std::future::pending()));
    let states = async || {
        let mut states = Vec::new();
        for number in ["A-1", "T-1", "L-1"] {
            let progress = world.entry(number).await.progress;
            states.push((progress.state, progress.is_notified));
        }
        states
    };
    let send = async |route: Route, kind: Kind, number: &str| {
        let name = format!("{route} {kind} {number}");
        let id = Some(number.to_owned());
        let notification = TestNotification { route, kind, business_id: id, ..TestNotification::new(name) };
        inbox.store().accept(notification.prepare(&keys)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
    };
    for number in ["A-1", "T-1", "L-1"] {
        send(Route::PayBy, types::TransferToBank::KIND, number).await;
        send(Route::PaytendBaas, types::TransferOrder::KIND, number).await;
    }
    send(Route::PaytendIssuing, types::ApplyCardResult::KIND, "T-1").await;
    assert_eq!(states().await, [(State::Recorded, false); 3]);
    send(Route::PaytendIssuing, types::ApplyCardResult::KIND, "A-1").await;
    assert_eq!(states().await, [(State::Unknown, true), (State::Recorded, false), (State::Recorded, false)]);
}

#[tokio::test(start_paused = true)]
async fn handler_does_not_run_before_its_notice_is_recorded() {
    let keys = StoreKeys::generate().unwrap();
    let shared = std::sync::Arc::new(StoreKeys::parse(&keys.to_text()).unwrap());
    let (start, epoch) = (tokio::time::Instant::now(), std::time::SystemTime::now());
    let store = MemoryStore::with_clock(move || epoch + start.elapsed());
    let inbox = Inbox::open(store, keys).await.unwrap();
    let runs = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let [before, handler] = [std::sync::Arc::clone(&runs), std::sync::Arc::clone(&runs)];
    let worker = Worker::builder(inbox.clone(), move |delivery| {
        handler.lock().unwrap().push(format!("handler, attempt {}", delivery.attempt()));
        std::future::ready(Ok(Completion::without_effect()))
    })
    .before_handlers(move |_| {
        let mut runs = before.lock().unwrap();
        runs.push("before".to_owned());
        let is_first = runs.len() == 1;
        std::future::ready(if is_first { Err(HandlerError::retry("the store is away")) } else { Ok(()) })
    })
    .build();
    tokio::spawn(worker.run(std::future::pending()));
    inbox.store().accept(TestNotification::new("N").prepare(&shared)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert_eq!(*runs.lock().unwrap(), ["before", "before", "handler, attempt 2"]);
}
