//! Runs the steps of the state machine test on a store.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a failed check panics")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use proptest_state_machine::ReferenceStateMachine as _;
use tokio::runtime::Runtime;

use crate::error::FinishError;
use crate::keys::StoreKeys;
use crate::record::{Accepted, ClaimRequest, Query, Release, StoredPayload};
use crate::store::{Store, StoreAdmin};
use crate::terms::{Id, Lease};
use crate::testing::model::{LEASE, Machine, Model, Outcome, Step, requeues, select};
use crate::testing::{EffectEnd, Harness, TestNotification};

/// The maximum number of steps in a case.
const STEPS: usize = 60;

/// Runs `cases` random lists of steps, and compares a store with a model after each step. The steps are arrivals,
/// duplicates, claims, extensions, completions, failures, lease expirations, burials, redrives, erasures and restarts.
/// `random` returns a number below its argument.
///
/// # Panics
/// Panics with a minimal list of steps after which the store differs from the model.
pub fn state_machine<H: Harness>(harness: &H, runtime: &Runtime, cases: u32, random: &mut dyn FnMut(usize) -> usize) {
    let seed: [u8; 32] = std::array::from_fn(|_| u8::try_from(random(256)).unwrap());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let result = runner.run(&Machine::sequential_strategy(1..STEPS), |(model, steps, _)| {
        runtime.block_on(Machinery::run(harness, model, &steps));
        Ok(())
    });
    if let Err(error) = result {
        panic!("the store differs from the model: {error}");
    }
}

/// A store under test.
struct Machinery<'a, H: Harness> {
    harness: &'a H,
    store: Option<H::Store>,
    keys: Arc<StoreKeys>,
    ids: BTreeMap<usize, Id>,
    leases: Vec<Lease>,
    claims: u64,
}

impl<'a, H: Harness> Machinery<'a, H> {
    async fn run(harness: &'a H, mut model: Model, steps: &[Step]) {
        let keys = Arc::new(StoreKeys::generate().unwrap());
        let store = harness.create().await;
        store.bind_keys(keys.check_value()).await.unwrap();
        let (ids, leases) = (BTreeMap::new(), Vec::new());
        let mut machinery = Self { harness, store: Some(store), keys, ids, leases, claims: 0 };
        for (number, step) in steps.iter().enumerate() {
            model = Machine::apply(model, step);
            let actual = machinery.step(step).await;
            assert_eq!(Some(&actual), model.last.as_ref(), "step {number}: {step:?}");
            machinery.compare(&model, number, step).await;
        }
    }

    fn store(&self) -> &H::Store {
        self.store.as_ref().expect("the store is open")
    }

    async fn step(&mut self, step: &Step) -> Outcome {
        let effect = || H::HAS_EFFECTS.then(|| self.harness.effect("effect", EffectEnd::Ok));
        let release = match step {
            Step::Fail(_, delay) => Release::Retry { after: Duration::from_secs(*delay), cause: "later".into() },
            Step::Kill(_) => Release::DeadLetter { cause: "poison".into() },
            _ => Release::GiveBack,
        };
        let ended = match *step {
            Step::Accept(name) => return self.accept(name).await,
            Step::Claim(limit) => return self.claim(limit).await,
            Step::Advance(seconds) => {
                self.harness.advance(self.store(), Duration::from_secs(seconds)).await;
                return Outcome::Ok;
            }
            Step::Bury(name) => {
                let id = self.ids.get(&name).copied().unwrap_or(Id::new(i64::MAX));
                return Outcome::Count(u64::from(self.store().bury(id, "buried by an operator".into()).await.unwrap()));
            }
            Step::Redrive => return Outcome::Count(self.store().redrive(None).await.unwrap()),
            Step::Erase(name) => return Outcome::Count(self.store().erase(object(name).into()).await.unwrap()),
            Step::Restart => {
                let store = self.store.take().expect("the store is open");
                let store = self.harness.reopen(store).await;
                store.bind_keys(self.keys.check_value()).await.unwrap();
                self.store = Some(store);
                return Outcome::Ok;
            }
            Step::Extend(lease) => match select(&self.leases, lease) {
                Some(lease) => self.store().extend(*lease, Duration::from_secs(LEASE)).await,
                None => return Outcome::Lost,
            },
            Step::Complete(lease) => match select(&self.leases, lease) {
                Some(lease) => self.store().complete(*lease, effect()).await,
                None => return Outcome::Lost,
            },
            Step::Fail(lease, _) | Step::GiveBack(lease) | Step::Kill(lease) => match select(&self.leases, lease) {
                Some(lease) => self.store().release(*lease, release).await,
                None => return Outcome::Lost,
            },
        };
        match ended {
            Ok(()) => Outcome::Ok,
            Err(FinishError::LeaseLost) => Outcome::Lost,
            Err(error) => panic!("{step:?}: {error}"),
        }
    }

    async fn accept(&mut self, name: usize) -> Outcome {
        let notification = TestNotification {
            business_id: Some(object(name)),
            requeue_sighting: requeues(name),
            ..TestNotification::new(name.to_string())
        };
        match self.store().accept(notification.prepare(&self.keys)).await.unwrap() {
            Accepted::New(id) => {
                self.ids.insert(name, id);
                Outcome::New
            }
            Accepted::Duplicate { sighting, .. } => Outcome::Duplicate(sighting),
        }
    }

    async fn claim(&mut self, limit: usize) -> Outcome {
        self.claims += 1;
        let lease = Duration::from_secs(LEASE);
        let request = ClaimRequest { limit, lease, holder: self.claims, kind_limits: Vec::new() };
        let claimed = self.store().claim(request).await.unwrap();
        self.leases.extend(claimed.iter().map(|claimed| claimed.lease));
        let name = |id: Id| *self.ids.iter().find(|(_, known)| **known == id).expect("the notification is known").0;
        let shown = claimed.iter().map(|claimed| {
            assert_eq!(claimed.is_sighting, claimed.completed_runs > 0);
            let has_content = claimed.payload != StoredPayload::Dropped;
            (name(claimed.lease.id), claimed.tries, claimed.completed_runs, has_content)
        });
        Outcome::Claimed(shown.collect())
    }

    async fn compare(&self, model: &Model, number: usize, step: &Step) {
        let entries = self.store().list(Query { limit: usize::MAX, ..Query::default() }).await.unwrap();
        let actual: BTreeMap<_, _> =
            entries.iter().map(|entry| (entry.id, (entry.state, entry.tries, entry.sightings))).collect();
        let expected = model.items.iter();
        let expected = expected.map(|(name, item)| (self.ids[name], (item.state, item.tries, item.sightings)));
        assert_eq!(actual, expected.collect(), "step {number}: {step:?}");
        if H::HAS_EFFECTS {
            let effects = self.harness.recorded(self.store()).await.len() as u64;
            assert_eq!(effects, model.effects, "step {number}: {step:?}");
        }
        assert_eq!(self.store().check().await.unwrap(), Vec::<String>::new(), "step {number}: {step:?}");
    }
}

/// Returns the business ID of a notification.
fn object(name: usize) -> String {
    format!("object {name}")
}
