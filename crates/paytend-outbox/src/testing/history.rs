//! Random histories, compared with the in-memory store.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "failed checks must panic")]

use std::sync::Arc;
use std::time::Duration;

use paytend_inbox::{FinishError, Lease, StoreKeys};

use crate::notice::OrderNotice;
use crate::record::{Action, ClaimOrders, Ended, OrderQuery, OrderRelease, Pause};
use crate::store::{OutboxAdmin, OutboxStore};
use crate::terms::Decision;
use crate::testing::case::{LEASE, audit};
use crate::testing::{EffectEnd, Harness, MemoryHarness, TestOrder};

const OPERATIONS: [&str; 3] = ["/test/red", "/test/green", "/test/blue"];

/// Runs a random history of `steps` steps on a new store and on a [`MemoryOutbox`](crate::MemoryOutbox), and compares
/// the result of each step. `random` returns a number below its argument.
///
/// # Panics
/// Panics if the results differ.
pub async fn random_history<H: Harness>(harness: &H, steps: usize, random: &mut dyn FnMut(usize) -> usize) {
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let reference = MemoryHarness::default();
    let model = reference.create().await;
    let store = harness.create().await;
    let mut leases: Vec<Lease> = Vec::new();
    for step in 0..steps {
        let choice = (random(100), random(1000), random(1000));
        let lease = if leases.is_empty() { None } else { Some(leases[random(leases.len())]) };
        let (expected, new) = act(&reference, &model, &keys, choice, lease, step).await;
        let (actual, _) = act(harness, &store, &keys, choice, lease, step).await;
        assert_eq!(actual, expected, "step {step}: {choice:?} {lease:?}");
        leases.extend(new);
        // Some old leases are kept, so that stale holders also try to change orders.
        if leases.len() > 12 {
            leases.remove(random(leases.len()));
        }
    }
    let everything = || OrderQuery { limit: usize::MAX, ..OrderQuery::default() };
    let [expected, actual] =
        [model.list_orders(everything()).await.unwrap(), store.list_orders(everything()).await.unwrap()].map(|page| {
            let show = |entry: &crate::record::OrderEntry| (entry.facts.number.clone(), shown(&entry.progress));
            page.entries.iter().map(show).collect::<Vec<_>>()
        });
    assert_eq!(actual, expected);
    let [mut expected, mut actual] = [reference.recorded(&model).await, harness.recorded(&store).await];
    expected.sort();
    actual.sort();
    assert_eq!(actual, expected, "the effects differ");
    assert_eq!(store.check_orders().await.unwrap(), Vec::<String>::new());
}

/// Formats progress without the times, which differ between the two stores.
fn shown(progress: &crate::Progress) -> String {
    let mut progress = progress.clone();
    progress.history.last_sent = None;
    progress.history.last_confirmed = None;
    progress.due_at = progress.due_at.map(|_| 0);
    format!("{progress:?}")
}

/// Performs an action. Returns its result as text, and the new leases.
async fn act<H: Harness>(
    harness: &H,
    store: &H::Store,
    keys: &Arc<StoreKeys>,
    (choice, one, two): (usize, usize, usize),
    lease: Option<Lease>,
    step: usize,
) -> (String, Vec<Lease>) {
    let number = (one % 40).to_string();
    let operation = OPERATIONS[two % 3].to_owned();
    let shown = match (choice, lease) {
        (0..22, _) | (40..82, None) => {
            let order_by = one.is_multiple_of(2).then(|| format!("key {}", one % 5));
            let content = format!(r#"{{"amount":"{}"}}"#, if two == 0 { 2 } else { 1 });
            let operation = OPERATIONS[one % 3].to_owned();
            let order = TestOrder { operation, content, order_by, ..TestOrder::new(number) };
            match store.submit_order(order.prepare(keys)).await {
                Ok(submitted) => format!("{submitted:?}"),
                Err(error) => error.to_string(),
            }
        }
        (22..34, _) => {
            let operations = OPERATIONS.iter().enumerate();
            let operations = operations.map(|(index, path)| ((*path).to_owned(), (one + index * two) % 4));
            let request = ClaimOrders { limit: one % 5, lease: LEASE, holder: 1, operations: operations.collect() };
            let claimed = store.claim_orders(request).await.unwrap();
            let show = |c: &crate::ClaimedOrder| {
                format!("{} fence {} {}", c.facts.number, c.lease.fence, self::shown(&c.progress))
            };
            let shown = claimed.iter().map(show).collect::<Vec<_>>().join(", ");
            return (shown, claimed.iter().map(|claimed| claimed.lease).collect());
        }
        (34..40, _) => {
            harness.advance(store, Duration::from_secs(one as u64 % 50 + 1)).await;
            String::new()
        }
        (40..56, Some(lease)) => match store.begin_send(lease).await {
            Ok(history) => format!("sends {}", history.sends),
            Err(error) => error.to_string(),
        },
        (56..61, Some(lease)) => {
            let ended = [Ended::Responded, Ended::Found, Ended::Rejected, Ended::Decided][two % 4];
            let result = keys.seal_bound(&[b"result"], b"{}").unwrap();
            finished(store.record_outcome(lease, ended, result).await)
        }
        (61..66, Some(lease)) => {
            let end = if one.is_multiple_of(4) { EffectEnd::Error } else { EffectEnd::Ok };
            let effect = harness.effect(&format!("{step} {}", lease.fence), end);
            let ended = [Ended::Responded, Ended::Found, Ended::Rejected, Ended::Decided][two % 4];
            finished(store.complete_order(lease, ended, Some(effect)).await)
        }
        (66..80, Some(lease)) => finished(store.release_order(lease, release(one, two), None).await),
        (80..82, Some(lease)) => finished(store.extend_order(lease, LEASE).await),
        (82..87, _) => {
            let decisions = [Action::Decide(Decision::Executed), Action::Decide(Decision::NotExecuted), Action::Retry];
            format!("{:?}", store.act_on_order(number, decisions[two % 3], audit()).await.unwrap())
        }
        (87..91, _) => store.notice_order(OrderNotice::new(operation, number)).await.unwrap().to_string(),
        (91..93, _) => {
            let operation = if one.is_multiple_of(5) { Pause::ALL.to_owned() } else { operation };
            store.pause_sending(operation, audit()).await.unwrap();
            String::new()
        }
        (93..97, _) => {
            let operation = if one.is_multiple_of(3) { Pause::ALL.to_owned() } else { operation };
            store.resume_sending(operation, audit()).await.unwrap().to_string()
        }
        (97, _) if one.is_multiple_of(4) => store.recover_orders(audit()).await.unwrap().count.to_string(),
        (98, _) => store.end_recovery(audit()).await.unwrap().to_string(),
        _ => format!(
            "{:?}",
            crate::OrderStats { oldest_due: None, recovering_since: None, ..store.order_stats().await.unwrap() }
        ),
    };
    (shown, Vec::new())
}

fn release(one: usize, two: usize) -> OrderRelease {
    let mut history = paytend_client::History::new();
    history.sends = u32::try_from(one % 3).unwrap();
    let (after, cause) = (Duration::from_secs(two as u64 % 90), "as requested".to_owned());
    match two % 6 {
        0 => OrderRelease::NotSent { history, after, cause },
        1 | 2 => OrderRelease::Unknown { history, after, cause: Some(cause) },
        3 => OrderRelease::Stuck { history, cause },
        4 => OrderRelease::Unhandled { ended: Ended::Responded, after: (one > 500).then_some(after), cause },
        _ => OrderRelease::GiveBack { after, cause: (one > 500).then_some(cause) },
    }
}

fn finished(result: Result<(), FinishError>) -> String {
    match result {
        Ok(()) => "ok".into(),
        Err(FinishError::LeaseLost) => "lost".into(),
        Err(FinishError::Effect(_)) => "failed".into(),
        Err(error) => error.to_string(),
    }
}
