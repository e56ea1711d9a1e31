//! Tests against a store whose writes fail temporarily. The results of attempts must not be lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use paytend_client::{History, SendResult};
use paytend_inbox::{FinishError, Lease, Mac, SealedPayload, StoreError, StoreErrorKind, StoreKeys};
use paytend_model::issuing::{ReportLoss, Topup};
use paytend_outbox::{
    BeginSendError, ClaimOrders, ClaimedOrder, Dispatcher, Ended, MemoryOutbox, MemoryOutboxEffect, NewOrder,
    OrderNotice, OrderRelease, Outbox, OutboxStore, State, SubmitError, SubmitOptions, Submitted,
};
use tokio::time::Instant;

use crate::dispatching::{loss, numbered};
use crate::provider::{Fault, World, record, shown, topup};

/// The failures of a [`Flaky`] store. The names of fields that contain the end of a failure end in `until`.
#[derive(Clone, Debug, Default)]
struct Failures {
    records_until: Option<Instant>,
    releases_until: Option<Instant>,
    /// The number of sends for which the store returns an error although it has counted them.
    lost_begins: Arc<AtomicUsize>,
    /// The numbers of results, completions and releases that the store still refuses with [`FinishError::NotApplied`].
    rolled_back: [Arc<AtomicUsize>; 3],
}

#[derive(Clone)]
struct Flaky {
    store: MemoryOutbox,
    failures: Failures,
}

fn fails(until: Option<Instant>) -> Result<(), StoreError> {
    match until {
        Some(until) if Instant::now() < until => {
            Err(StoreError::new(StoreErrorKind::Configuration, "the server is read-only"))
        }
        _ => Ok(()),
    }
}

fn roll_back(left: &AtomicUsize) -> Result<(), FinishError> {
    match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
        Ok(_) => Err(FinishError::NotApplied),
        Err(_) => Ok(()),
    }
}

impl OutboxStore for Flaky {
    type Effect = MemoryOutboxEffect;

    async fn bind_outbox_keys(&self, check: Mac) -> Result<(), StoreError> {
        self.store.bind_outbox_keys(check).await
    }

    async fn submit_order(&self, order: NewOrder) -> Result<Submitted, SubmitError> {
        self.store.submit_order(order).await
    }

    async fn claim_orders(&self, request: ClaimOrders) -> Result<Vec<ClaimedOrder>, StoreError> {
        self.store.claim_orders(request).await
    }

    async fn extend_order(&self, lease: Lease, time: Duration) -> Result<(), FinishError> {
        self.store.extend_order(lease, time).await
    }

    async fn begin_send(&self, lease: Lease) -> Result<History, BeginSendError> {
        let begun = self.store.begin_send(lease).await;
        let lost =
            self.failures.lost_begins.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if lost.is_ok() { Err(StoreError::unavailable("the connection was lost").into()) } else { begun }
    }

    async fn record_outcome(&self, lease: Lease, ended: Ended, result: SealedPayload) -> Result<(), FinishError> {
        fails(self.failures.records_until)?;
        roll_back(&self.failures.rolled_back[0])?;
        self.store.record_outcome(lease, ended, result).await
    }

    async fn complete_order(
        &self,
        lease: Lease,
        ended: Ended,
        effect: Option<MemoryOutboxEffect>,
    ) -> Result<(), FinishError> {
        roll_back(&self.failures.rolled_back[1])?;
        self.store.complete_order(lease, ended, effect).await
    }

    async fn release_order(
        &self,
        lease: Lease,
        release: OrderRelease,
        result: Option<SealedPayload>,
    ) -> Result<(), FinishError> {
        fails(self.failures.releases_until)?;
        roll_back(&self.failures.rolled_back[2])?;
        self.store.release_order(lease, release, result).await
    }

    async fn notice_order(&self, notice: OrderNotice) -> Result<bool, StoreError> {
        self.store.notice_order(notice).await
    }

    async fn orders_changed(&self) {
        self.store.orders_changed().await;
    }
}

/// Starts a dispatcher on the world's store, whose writes fail as specified.
async fn start(world: &World, failures: Failures) -> Outbox<Flaky> {
    let store = Flaky { store: world.outbox.store().clone(), failures };
    let keys = StoreKeys::parse(&world.outbox.keys().to_text()).unwrap();
    let outbox = Outbox::open(store, keys, world.outbox.client().clone()).await.unwrap();
    let dispatcher = Dispatcher::builder(outbox.clone())
        .on::<Topup, _, _>(async |ended| record(ended.number(), ended.sends(), &shown(ended.ending())))
        .on_without_query::<ReportLoss, _, _>(async |ended| {
            record(ended.number(), ended.sends(), &shown(ended.ending()))
        })
        .build();
    tokio::spawn(dispatcher.run(std::future::pending()));
    outbox
}

/// The store is unavailable for longer than a lease. If the response were lost, the order would become stuck.
#[tokio::test(start_paused = true)]
async fn response_is_stored_after_its_lease_has_expired() {
    let world = World::new().await;
    let records_until = Some(Instant::now() + Duration::from_secs(300));
    let outbox = start(&world, Failures { records_until, ..Failures::default() }).await;
    outbox.submit(&loss(), numbered("L-1")).await.unwrap();
    let progress = world.settled("L-1").await;
    assert_eq!((progress.state, progress.is_open), (State::Responded, false), "{progress:?}");
    assert_eq!(world.provider.paths(), ["lostCard"]);
}

/// The provider's query can report an existing order as unknown for some time. During this time, only the stored
/// response prevents a second send.
#[tokio::test(start_paused = true)]
async fn signed_responses_are_stored_when_the_store_is_available_again() {
    for (fault, last_send) in [(Fault::Unreadable, SendResult::Unreadable), (Fault::Reject, SendResult::Rejected)] {
        let world = World::new().await;
        world.provider.faults([fault]);
        let releases_until = Some(Instant::now() + Duration::from_secs(200));
        let outbox = start(&world, Failures { releases_until, ..Failures::default() }).await;
        outbox.submit(&topup("T-1"), SubmitOptions::new()).await.unwrap();
        let progress = world.settled("T-1").await;
        assert_eq!(progress.history.last_send, last_send, "{fault:?}");
        assert_eq!(world.provider.paths().iter().filter(|path| *path == "topup").count(), 1, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn send_does_not_begin_if_the_store_cannot_confirm_that_it_was_counted() {
    let world = World::new().await;
    let failures = Failures::default();
    failures.lost_begins.store(3, Ordering::SeqCst);
    let outbox = start(&world, failures).await;
    outbox.submit(&topup("T-1"), SubmitOptions::new()).await.unwrap();
    assert_eq!(world.settled("T-1").await.state, State::Responded);
    assert_eq!(
        (world.provider.paths(), world.recorded()),
        (vec!["topup".into()], vec!["T-1: responded succeeded after 1".into()])
    );
}

/// A store rolls changes back if another effect in the same transaction fails. The dispatcher repeats these changes
/// immediately, and does not wait until the order's lease has expired.
#[tokio::test(start_paused = true)]
async fn changes_that_were_rolled_back_are_repeated() {
    let world = World::new().await;
    let failures = Failures::default();
    for (left, count) in failures.rolled_back.iter().zip([2, 3, 4]) {
        left.store(count, Ordering::SeqCst);
    }
    let rolled_back = failures.rolled_back.clone();
    let (outbox, began) = (start(&world, failures).await, Instant::now());
    outbox.submit(&topup("T-1"), SubmitOptions::new()).await.unwrap();
    let progress = world.settled("T-1").await;
    assert_eq!((progress.state, progress.is_open), (State::Responded, false), "{progress:?}");
    assert!(began.elapsed() < Duration::from_secs(60), "the order waited for the end of its lease");
    assert_eq!(rolled_back.map(|left| left.load(Ordering::SeqCst)), [0, 0, 0]);
    assert_eq!(
        (world.provider.paths(), world.recorded()),
        (vec!["topup".into()], vec!["T-1: responded succeeded after 1".into()])
    );
}
