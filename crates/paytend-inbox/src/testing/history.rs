//! Random histories, compared with the in-memory store.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a failed check panics")]

use std::sync::Arc;
use std::time::Duration;

use crate::error::FinishError;
use crate::keys::StoreKeys;
use crate::kind::Kind;
use crate::record::{ClaimRequest, Claimed, Query, Release};
use crate::store::{Store, StoreAdmin};
use crate::terms::{Id, Lease};
use crate::testing::{EffectEnd, Harness, MemoryHarness, TestNotification};

const LEASE: Duration = Duration::from_secs(60);

/// Runs a random history of `steps` steps on a new store and on a [`MemoryStore`](crate::MemoryStore), and compares the
/// result of each step. `random` returns a number below its argument.
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
        let action = Action::random(random, &leases, H::HAS_EFFECTS);
        let expected = act(&reference, &model, &keys, step, &action).await;
        let actual = act(harness, &store, &keys, step, &action).await;
        assert_eq!(actual.0, expected.0, "step {step}: {action:?}");
        leases.extend(&expected.1);
        // Some old leases are kept, so that stale holders also try to change notifications.
        if leases.len() > 12 {
            leases.remove(random(leases.len()));
        }
    }
    let everything = || Query { limit: usize::MAX, ..Query::default() };
    let [expected, actual] =
        [model.list(everything()).await.unwrap(), store.list(everything()).await.unwrap()].map(|entries| {
            let show = |entry: &crate::record::Entry| {
                (entry.id, entry.state, entry.tries, entry.sightings, entry.facts.clone(), entry.cause.clone())
            };
            entries.iter().map(show).collect::<Vec<_>>()
        });
    assert_eq!(actual, expected);
    let [mut expected, mut actual] = [reference.recorded(&model).await, harness.recorded(&store).await];
    expected.sort();
    actual.sort();
    assert_eq!(actual, expected, "the effects differ");
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[derive(Debug)]
enum Action {
    Accept(TestNotification),
    Claim(ClaimRequest),
    Extend(Lease),
    Complete(Lease, Option<EffectEnd>),
    Release(Lease, Release),
    Advance(Duration),
    Bury(Id),
    Redrive(Option<Vec<Id>>),
    Erase(String),
    Stats,
}

impl Action {
    fn random(random: &mut dyn FnMut(usize) -> usize, leases: &[Lease], has_effects: bool) -> Self {
        let lease = if leases.is_empty() { None } else { Some(leases[random(leases.len())]) };
        match (random(20), lease) {
            (0..5, _) | (9..18, None) => {
                let number = random(60);
                Self::Accept(TestNotification {
                    route: crate::route::Route::PaytendBaas,
                    name: number.to_string(),
                    kind: Kind::named(["red", "green", "blue"][number % 3]),
                    order: number.is_multiple_of(2).then(|| format!("key {}", number % 5)),
                    business_id: (!number.is_multiple_of(4)).then(|| format!("object {}", number % 16)),
                    requeue_sighting: !number.is_multiple_of(3),
                })
            }
            (5..8, _) => {
                let kind_limits = match random(3) {
                    0 => vec![(Kind::named("red"), random(3)), (Kind::named("blue"), random(2))],
                    _ => Vec::new(),
                };
                Self::Claim(ClaimRequest { limit: random(6), lease: LEASE, holder: 1, kind_limits })
            }
            (8, _) => Self::Advance(Duration::from_secs(random(50) as u64 + 1)),
            (9, Some(lease)) => Self::Extend(lease),
            (10..14, Some(lease)) => {
                let ends = [Some(EffectEnd::Ok), Some(EffectEnd::Ok), Some(EffectEnd::Error), None];
                Self::Complete(lease, ends[random(4)].filter(|_| has_effects))
            }
            (14 | 15, Some(lease)) => {
                let after = Duration::from_secs(random(90) as u64);
                Self::Release(lease, Release::Retry { after, cause: "later".into() })
            }
            (16, Some(lease)) => Self::Release(lease, Release::GiveBack),
            (17, Some(lease)) => Self::Release(lease, Release::DeadLetter { cause: "poison".into() }),
            (18, _) => match random(3) {
                0 => Self::Bury(Id::new(random(40) as i64)),
                1 => Self::Redrive(None),
                _ => Self::Redrive(Some((0..5).map(|_| Id::new(random(40) as i64)).collect())),
            },
            _ if random(4) == 0 => Self::Erase(format!("object {}", random(16))),
            _ => Self::Stats,
        }
    }
}

/// Performs an action. Returns its result as text, and the new leases.
async fn act<H: Harness>(
    harness: &H,
    store: &H::Store,
    keys: &Arc<StoreKeys>,
    step: usize,
    action: &Action,
) -> (String, Vec<Lease>) {
    let shown = match action {
        Action::Accept(notification) => format!("{:?}", store.accept(notification.prepare(keys)).await.unwrap()),
        Action::Claim(request) => {
            let claimed = store.claim(request.clone()).await.unwrap();
            let show =
                |c: &Claimed| format!("{:?} try {} sighting {} {}", c.lease, c.tries, c.is_sighting, c.sightings);
            let shown = claimed.iter().map(show).collect::<Vec<_>>().join(", ");
            return (shown, claimed.iter().map(|claimed| claimed.lease).collect());
        }
        Action::Extend(lease) => ended(store.extend(*lease, LEASE).await),
        Action::Complete(lease, end) => {
            let effect = end.map(|end| harness.effect(&format!("{step} {}", lease.id), end));
            ended(store.complete(*lease, effect).await)
        }
        Action::Release(lease, release) => ended(store.release(*lease, release.clone()).await),
        Action::Advance(time) => {
            harness.advance(store, *time).await;
            String::new()
        }
        Action::Bury(id) => store.bury(*id, "buried by an operator".into()).await.unwrap().to_string(),
        Action::Redrive(ids) => store.redrive(ids.clone()).await.unwrap().to_string(),
        Action::Erase(id) => store.erase(id.as_str().into()).await.unwrap().to_string(),
        Action::Stats => {
            let stats = store.stats().await.unwrap();
            format!("{:?}", crate::record::Stats { oldest_ready: None, ..stats })
        }
    };
    (shown, Vec::new())
}

fn ended(result: Result<(), FinishError>) -> String {
    match result {
        Ok(()) => "ok".into(),
        Err(FinishError::LeaseLost) => "lost".into(),
        Err(FinishError::Effect(_)) => "failed".into(),
        Err(error) => panic!("{error}"),
    }
}
