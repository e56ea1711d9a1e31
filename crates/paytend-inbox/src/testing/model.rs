//! A model of a store, and a state machine test that compares a store with the model. Unlike
//! [`random_history`](super::random_history), this test reduces failures to a short list of steps, and restarts the
//! store.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a failed check panics")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;
use proptest_state_machine::ReferenceStateMachine;

use crate::terms::State;

/// The number of different notifications.
const NAMES: usize = 6;
/// The length of a lease, in seconds.
pub(super) const LEASE: u64 = 60;

/// A step of the state machine test. A step can select any earlier lease, so many selected leases are stale.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A notification arrives, for the first time or again.
    Accept(usize),
    Claim(usize),
    Extend(usize),
    Complete(usize),
    Fail(usize, u64),
    GiveBack(usize),
    Kill(usize),
    Advance(u64),
    Bury(usize),
    Redrive,
    Erase(usize),
    Restart,
}

/// The expected result of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    New,
    Duplicate(u64),
    /// The claimed notifications. Each has a name, the number of attempts, the number of completed runs, and whether
    /// the content is stored.
    Claimed(Vec<(usize, u32, u64, bool)>),
    Ok,
    Lost,
    Count(u64),
}

/// Returns whether a duplicate of a notification causes another run.
pub(super) fn requeues(name: usize) -> bool {
    name.is_multiple_of(2)
}

#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) state: State,
    /// The position in the order of arrival.
    rank: usize,
    due: u64,
    fence: u64,
    pub(super) tries: u32,
    pub(super) sightings: u64,
    completed: u64,
    attempted: bool,
    again: bool,
    erased: bool,
}

impl Item {
    fn new(rank: usize, now: u64) -> Self {
        Self {
            state: State::Ready,
            rank,
            due: now,
            fence: 0,
            tries: 0,
            sightings: 0,
            completed: 0,
            attempted: false,
            again: false,
            erased: false,
        }
    }

    fn is_pending(&self) -> bool {
        matches!(self.state, State::Ready | State::Leased | State::Backoff)
    }

    /// Makes the notification ready for a new run, or for another attempt after a redrive.
    fn enqueue(&mut self, now: u64) {
        (self.state, self.due, self.tries, self.again) = (State::Ready, now, 0, false);
    }
}

/// The expected state of a store.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    now: u64,
    pub(super) items: BTreeMap<usize, Item>,
    /// All leases, each with the name of its notification and its fence.
    leases: Vec<(usize, u64)>,
    pub(super) effects: u64,
    pub(super) last: Option<Outcome>,
}

impl Model {
    fn step(&mut self, step: &Step) -> Outcome {
        let now = self.now;
        match *step {
            Step::Accept(name) => return self.accept(name),
            Step::Claim(limit) => return self.claim(limit),
            Step::Advance(seconds) => self.now += seconds,
            Step::Restart => {}
            Step::Extend(lease) => return self.held(lease, |item| item.due = now + LEASE),
            Step::Fail(lease, delay) => {
                return self.held(lease, |item| (item.state, item.due) = (State::Backoff, now + delay));
            }
            Step::GiveBack(lease) => {
                return self.held(lease, |item| {
                    (item.state, item.due, item.tries) = (State::Ready, now, item.tries.saturating_sub(1));
                });
            }
            Step::Kill(lease) => return self.held(lease, |item| item.state = State::Dead),
            Step::Complete(lease) => {
                let outcome = self.held(lease, |item| {
                    (item.completed, item.attempted) = (item.completed + 1, false);
                    if item.again { item.enqueue(now) } else { item.state = State::Done }
                });
                self.effects += u64::from(outcome == Outcome::Ok);
                return outcome;
            }
            Step::Bury(name) => {
                let item = self.items.get_mut(&name).filter(|item| item.is_pending());
                return Outcome::Count(u64::from(item.map(|item| item.state = State::Dead).is_some()));
            }
            Step::Redrive => {
                let dead = self.items.values_mut().filter(|item| item.state == State::Dead);
                return Outcome::Count(dead.map(|item| item.enqueue(now)).count() as u64);
            }
            Step::Erase(name) => {
                let Some(item) = self.items.get_mut(&name).filter(|item| !item.erased) else {
                    return Outcome::Count(0);
                };
                item.erased = true;
                if item.is_pending() {
                    item.state = State::Dead;
                }
                return Outcome::Count(1);
            }
        }
        Outcome::Ok
    }

    fn accept(&mut self, name: usize) -> Outcome {
        let (now, rank) = (self.now, self.items.len());
        let Some(item) = self.items.get_mut(&name) else {
            self.items.insert(name, Item::new(rank, now));
            return Outcome::New;
        };
        item.sightings += 1;
        if requeues(name) && item.is_pending() {
            item.again |= item.attempted;
        } else if requeues(name) && item.state == State::Done {
            item.enqueue(now);
        }
        Outcome::Duplicate(item.sightings)
    }

    fn claim(&mut self, limit: usize) -> Outcome {
        let now = self.now;
        let due = self.items.iter().filter(|(_, item)| item.is_pending() && item.due <= now);
        let mut due: Vec<_> = due.map(|(name, item)| (item.due, item.rank, *name)).collect();
        due.sort_unstable();
        due.truncate(limit);
        let mut claimed = Vec::new();
        for (_, _, name) in due {
            let item = self.items.get_mut(&name).expect("the item is due");
            (item.state, item.due, item.attempted) = (State::Leased, now + LEASE, true);
            (item.fence, item.tries) = (item.fence + 1, item.tries + 1);
            self.leases.push((name, item.fence));
            claimed.push((name, item.tries, item.completed, !item.erased));
        }
        Outcome::Claimed(claimed)
    }

    /// Changes an item if the selected lease is held.
    fn held(&mut self, lease: usize, change: impl FnOnce(&mut Item)) -> Outcome {
        let Some((name, fence)) = select(&self.leases, lease).copied() else { return Outcome::Lost };
        match self.items.get_mut(&name) {
            Some(item) if item.fence == fence && item.state == State::Leased => {
                change(item);
                Outcome::Ok
            }
            _ => Outcome::Lost,
        }
    }
}

/// Selects a lease by its age: 0 is the last lease.
pub(super) fn select<T>(leases: &[T], lease: usize) -> Option<&T> {
    leases.iter().nth_back(lease % leases.len().max(1))
}

pub(super) struct Machine;

impl ReferenceStateMachine for Machine {
    type State = Model;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Model> {
        Just(Model::default()).boxed()
    }

    fn transitions(_: &Model) -> BoxedStrategy<Step> {
        // Recent leases are selected more often than old leases.
        let lease = || prop_oneof![3 => 0..2_usize, 1 => 0..40_usize];
        prop_oneof![
            6 => (0..NAMES).prop_map(Step::Accept),
            6 => (0..4_usize).prop_map(Step::Claim),
            1 => lease().prop_map(Step::Extend),
            5 => lease().prop_map(Step::Complete),
            2 => (lease(), 0..90_u64).prop_map(|(lease, delay)| Step::Fail(lease, delay)),
            1 => lease().prop_map(Step::GiveBack),
            1 => lease().prop_map(Step::Kill),
            2 => (1..80_u64).prop_map(Step::Advance),
            1 => (0..NAMES).prop_map(Step::Bury),
            1 => Just(Step::Redrive),
            1 => (0..NAMES).prop_map(Step::Erase),
            1 => Just(Step::Restart),
        ]
        .boxed()
    }

    fn apply(mut model: Model, step: &Step) -> Model {
        model.last = Some(model.step(step));
        model
    }
}
