//! Decides whether effects share transactions.
//!
//! Effects that share a transaction hold their locks until all of them have ended. This is worthwhile for short
//! effects that do not wait for each other. After a long effect or a conflict, effects run in separate transactions
//! for some time.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use paytend_inbox::Id;

/// The longest duration of an effect that counts as short. If more than a quarter of the effects take longer, the
/// following effects run in separate transactions. The same applies if at least two effects, and at least a quarter of
/// all effects, fail.
pub(crate) const SHORT: Duration = Duration::from_millis(20);
/// The number of completions that run in separate transactions after a store is opened.
const FIRST_ALONE: u32 = 8;
/// The initial and the maximum number of completions that run in separate transactions after a conflict. The number
/// doubles if another conflict follows soon.
const AFTER_CONFLICT: (u32, u32) = (64, 16_384);
/// The maximum number of marked notifications. The next effect of a marked notification runs in a separate
/// transaction.
const MAX_MARKED: usize = 10_000;
/// How long the result of a search for deferrable constraints is used.
const CONSTRAINTS_TTL: Duration = Duration::from_secs(60);

/// Statistics about a store's effects, which determine whether effects share transactions.
pub(crate) struct Pace(Mutex<State>);

struct State {
    /// The number of further completions that must run in separate transactions.
    alone: u32,
    /// The number of completions that will run in separate transactions after the next conflict.
    penalty: u32,
    marked: Marks,
    /// Whether the database has deferrable constraints, and the time at which this was determined.
    deferrable: Option<(bool, Instant)>,
}

impl Default for Pace {
    fn default() -> Self {
        let (alone, penalty) = (FIRST_ALONE, AFTER_CONFLICT.0);
        Self(Mutex::new(State { alone, penalty, marked: Marks::default(), deferrable: None }))
    }
}

impl Pace {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether a completion must run in its own transaction.
    pub(crate) fn is_alone(&self, id: Id) -> bool {
        let state = self.state();
        state.alone > 0 || state.marked.contains(id) || state.deferrable() == Some(true)
    }

    /// Returns whether the database has deferrable constraints, or `None` if this must be determined again.
    pub(crate) fn has_deferrable(&self) -> Option<bool> {
        self.state().deferrable()
    }

    pub(crate) fn set_deferrable(&self, has_deferrable: bool) {
        self.state().deferrable = Some((has_deferrable, Instant::now()));
    }

    /// Counts a completion in a separate transaction. `took` is how long its effect ran.
    pub(crate) fn completed_alone(&self, id: Id, took: Duration, completed: bool) {
        let mut state = self.state();
        if completed {
            state.marked.remove(id);
        }
        state.alone = match took > SHORT {
            true => (state.alone + 3).min(AFTER_CONFLICT.1),
            false => state.alone.saturating_sub(1),
        };
    }

    /// Counts the completions in a shared transaction. `long` of their effects were long, and `failed` effects failed.
    pub(crate) fn completed_together(&self, count: usize, long: usize, failed: usize) {
        let mut state = self.state();
        if long * 4 > count || failed * 4 >= count.max(5) {
            return state.conflict();
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        state.penalty = state.penalty.saturating_sub(count).max(AFTER_CONFLICT.0);
    }

    /// Counts a conflict: a shared transaction failed, or one of its effects waited for too long.
    pub(crate) fn conflict(&self) {
        self.state().conflict();
    }

    /// Marks a notification so that its next effect runs in its own transaction.
    pub(crate) fn mark(&self, id: Id) {
        self.state().marked.insert(id);
    }
}

/// The marked notifications, whose effects did not succeed in a shared transaction. If there are too many marks, the
/// oldest mark is removed.
#[derive(Default)]
struct Marks {
    numbers: HashMap<Id, u64>,
    ids: BTreeMap<u64, Id>,
    next: u64,
}

impl Marks {
    fn contains(&self, id: Id) -> bool {
        self.numbers.contains_key(&id)
    }

    fn insert(&mut self, id: Id) {
        self.remove(id);
        if self.ids.len() >= MAX_MARKED
            && let Some((_, oldest)) = self.ids.pop_first()
        {
            self.numbers.remove(&oldest);
        }
        self.next += 1;
        self.ids.insert(self.next, id);
        self.numbers.insert(id, self.next);
    }

    fn remove(&mut self, id: Id) {
        if let Some(number) = self.numbers.remove(&id) {
            self.ids.remove(&number);
        }
    }
}

impl State {
    fn conflict(&mut self) {
        self.alone = self.alone.max(self.penalty);
        self.penalty = self.penalty.saturating_mul(2).min(AFTER_CONFLICT.1);
    }

    fn deferrable(&self) -> Option<bool> {
        self.deferrable.filter(|(_, at)| at.elapsed() < CONSTRAINTS_TTL).map(|(has, _)| has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_effects_share_transactions_until_a_conflict() {
        let (pace, id, short) = (Pace::default(), Id::new(1), Duration::from_millis(1));
        for _ in 0..FIRST_ALONE {
            assert!(pace.is_alone(id));
            pace.completed_alone(id, short, true);
        }
        assert!(!pace.is_alone(id));
        pace.mark(id);
        assert!(pace.is_alone(id) && !pace.is_alone(Id::new(2)));
        pace.completed_alone(id, short, false);
        assert!(pace.is_alone(id), "only a success removes the mark");
        pace.completed_alone(id, short, true);
        assert!(!pace.is_alone(id));
        for expected in [64, 128, 256] {
            pace.conflict();
            let mut count = 0;
            while pace.is_alone(id) {
                pace.completed_alone(id, short, true);
                count += 1;
            }
            assert_eq!(count, expected);
        }
        pace.completed_together(1000, 250, 249);
        assert!(!pace.is_alone(id));
        pace.completed_together(20, 6, 0);
        assert_eq!(pace.state().alone, 64, "many long effects count as a conflict");
        pace.completed_alone(id, SHORT * 2, true);
        assert_eq!(pace.state().alone, 67);
        pace.completed_together(4, 0, 1);
        assert_eq!(pace.state().alone, 67, "a single failure does not affect other effects");
        pace.completed_together(32, 0, 8);
        assert_eq!(pace.state().alone, 124, "many failures count as a conflict");
        pace.set_deferrable(true);
        assert_eq!(pace.has_deferrable(), Some(true));
    }

    #[test]
    fn only_the_oldest_marks_are_removed() {
        let pace = Pace::default();
        let is_marked = |id: i64| pace.state().marked.contains(Id::new(id));
        let count = i64::try_from(MAX_MARKED).unwrap();
        (1..=count).for_each(|id| pace.mark(Id::new(id)));
        // Marking a notification again makes its mark the newest.
        pace.mark(Id::new(1));
        pace.mark(Id::new(count + 1));
        assert!(is_marked(1) && !is_marked(2) && (3..=count + 1).all(is_marked));
        let state = pace.state();
        assert_eq!((state.marked.ids.len(), state.marked.numbers.len()), (MAX_MARKED, MAX_MARKED));
    }
}
