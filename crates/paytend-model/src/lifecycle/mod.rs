//! Defines the states of cards, topups, accounts and transfer orders, and merges updates that can arrive out of order.
//!
//! The provider's codes for these states are in the partner documentation. The partner maps the codes to these states,
//! or to a custom type that implements [`Lifecycle::next`]. The documentation of each type lists which states and
//! transitions the provider documents.
//!
//! ```
//! use paytend_model::lifecycle::{CardState, Merged, Tracked};
//! let mut card = Tracked::new(CardState::Active, Some(100));
//! assert_eq!(card.merge(CardState::Frozen, Some(300)), Merged::Moved { from: CardState::Active });
//! // A late update with an earlier state changes nothing.
//! assert_eq!(card.merge(CardState::Lost, Some(200)), Merged::Older);
//! // An impossible transition is reported and changes nothing.
//! assert_eq!(card.merge(CardState::Active, Some(400)), Merged::Illegal { from: CardState::Frozen });
//! assert_eq!(card.state(), &CardState::Frozen);
//! ```

mod states;

pub use states::{AccountState, CardState, TopupState, TransferOrderState, UserLevel};

use std::fmt;

use serde::{Deserialize, Serialize};

/// The possible states of an object, and the transitions between these states.
pub trait Lifecycle: Clone + Eq + fmt::Debug {
    /// Returns the states that can directly follow this state. A final state has no successors.
    fn next(&self) -> Vec<Self>;

    /// Returns whether the state is final.
    fn is_final(&self) -> bool {
        self.next().is_empty()
    }

    /// Returns whether `later` can follow this state, directly or through intermediate states whose updates may have
    /// been lost.
    fn leads_to(&self, later: &Self) -> bool {
        let mut reached = self.next();
        let mut index = 0;
        while let Some(state) = reached.get(index).cloned() {
            if state == *later {
                return true;
            }
            for next in state.next() {
                if !reached.contains(&next) {
                    reached.push(next);
                }
            }
            index += 1;
        }
        false
    }
}

/// A state with the time of its last update. `T` is the type of the time, for example milliseconds or a sequence
/// number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracked<S, T = i64> {
    state: S,
    /// The time of the newest update that reported this state, or `None` if any update that reported it had no
    /// time.
    at: Option<T>,
    /// The current state was last reported at this time or later. `None` if no update had a time.
    since: Option<T>,
}

/// The result of merging an update into a [`Tracked`] state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Merged<S> {
    /// The update is newer, and the state has changed.
    Moved {
        /// The previous state.
        from: S,
    },
    /// The update reports the current state.
    Same,
    /// The update is older, and the state is unchanged.
    Older,
    /// The transition is impossible, and the state is unchanged. Investigate the cause.
    Illegal {
        /// The current state.
        from: S,
    },
    /// Either state can follow the other, and the times do not determine the order. The state is unchanged. Query the
    /// provider.
    Undecided,
}

impl<S: Lifecycle, T: Ord + Clone> Tracked<S, T> {
    /// Creates a tracked state from the first update. `at` is the time in the update, or `None` if the update has no
    /// time. Do not pass the time at which the update arrived.
    pub fn new(state: S, at: Option<T>) -> Self {
        Self { state, since: at.clone(), at }
    }

    /// Returns the current state.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// Returns the time of the newest update that reported this state, or `None` if any update that reported it had no
    /// time.
    pub fn at(&self) -> Option<&T> {
        self.at.as_ref()
    }

    /// Merges an update. Updates can arrive in any order, and an older update never replaces a newer one. If both
    /// updates have a time, the update with the later time is newer. Otherwise an update is newer if its state can
    /// follow the current state but cannot precede it.
    pub fn merge(&mut self, state: S, at: Option<T>) -> Merged<S> {
        if state == self.state {
            self.since = self.since.take().max(at.clone());
            // An update without a time may be newer than all other updates, so the newest time is unknown.
            self.at = match (self.at.take(), at) {
                (Some(known), Some(at)) => Some(known.max(at)),
                _ => None,
            };
            return Merged::Same;
        }
        let (forward, backward) = (self.state.leads_to(&state), state.leads_to(&self.state));
        let newer = match (&self.at, &self.since, &at) {
            (Some(known), _, Some(at)) if known != at => Some(at > known),
            // The current state was last reported at `since` or later, so an update from `since` or before is older.
            (None, Some(since), Some(at)) if at <= since => Some(false),
            _ if forward != backward => Some(forward),
            _ if forward => return Merged::Undecided,
            _ => None,
        };
        match newer {
            Some(true) if forward => {
                let since = self.since.take().max(at.clone());
                Merged::Moved { from: std::mem::replace(self, Self { state, at, since }).state }
            }
            Some(false) if backward => Merged::Older,
            _ => Merged::Illegal { from: self.state.clone() },
        }
    }

    /// Sets the state unconditionally, for example after a query.
    pub fn set(&mut self, state: S, at: Option<T>) {
        *self = Self::new(state, at);
    }
}

#[cfg(test)]
mod tests {
    use CardState::*;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn possible_transitions_decide_which_state_is_newer_if_timestamps_are_missing() {
        let mut topup = Tracked::<_, i64>::new(TopupState::Processing, None);
        assert_eq!(topup.merge(TopupState::Succeeded, None), Merged::Moved { from: TopupState::Processing });
        assert_eq!(topup.merge(TopupState::Processing, None), Merged::Older);
        assert_eq!(topup.merge(TopupState::Succeeded, None), Merged::Same);
        assert_eq!(topup.merge(TopupState::Failed, None), Merged::Illegal { from: TopupState::Succeeded });
        assert_eq!(topup.state(), &TopupState::Succeeded);
        // Neither update has a time, so the order is unknown. `Lost` can precede `Active`, if the loss report was
        // cancelled, or follow it.
        let mut card = Tracked::<_, i64>::new(Active, None);
        assert_eq!(card.merge(Lost, None), Merged::Undecided);
        assert_eq!(card.state(), &Active);
    }

    #[test]
    fn later_timestamp_wins_if_both_updates_have_one() {
        let mut card = Tracked::new(Active, Some(10));
        assert_eq!(card.merge(Lost, Some(20)), Merged::Moved { from: Active });
        assert_eq!(card.merge(Active, Some(15)), Merged::Older);
        assert_eq!(card.merge(Active, Some(20)), Merged::Undecided);
        assert_eq!(card.merge(Active, Some(30)), Merged::Moved { from: Lost });
        // The state was reported again at a later time, so an update with a time in between is older.
        assert_eq!(card.merge(Active, Some(50)), Merged::Same);
        assert_eq!(card.merge(Lost, Some(40)), Merged::Older);
        assert_eq!((card.state(), card.at()), (&Active, Some(&50)));
        // The update is earlier, but its state cannot precede the current state.
        assert_eq!(card.merge(Cancelled, Some(1)), Merged::Illegal { from: Active });
        card.set(Cancelled, None);
        assert_eq!((card.state(), card.at()), (&Cancelled, None));
    }

    #[test]
    fn state_without_a_timestamp_does_not_inherit_the_previous_timestamp() {
        let mut card = Tracked::new(Active, Some(10));
        assert_eq!(card.merge(Frozen, None), Merged::Moved { from: Active });
        assert_eq!(card.at(), None);
        assert_eq!(card.merge(Lost, Some(20)), Merged::Older);
        let mut card = Tracked::new(Lost, None);
        assert_eq!(card.merge(Lost, Some(20)), Merged::Same);
        assert_eq!((card.merge(Active, Some(30)), card.merge(Active, Some(20))), (Merged::Undecided, Merged::Older));
        let mut card = Tracked::new(Active, Some(10));
        assert_eq!(card.merge(Active, None), Merged::Same);
        assert_eq!((card.merge(Lost, Some(20)), card.merge(Lost, Some(10))), (Merged::Undecided, Merged::Older));
        let mut account = Tracked::new(AccountState::Registered, Some(1));
        assert_eq!(account.merge(AccountState::Rejected, None), Merged::Moved { from: AccountState::Registered });
        assert_eq!(account.merge(AccountState::UnderAudit, Some(3)), Merged::Undecided);
        assert_eq!(account.state(), &AccountState::Rejected);
    }

    #[test]
    fn tracked_state_survives_serialization() {
        let mut card = Tracked::new(Active, Some(10));
        assert_eq!(card.merge(Frozen, None), Merged::Moved { from: Active });
        let stored = serde_json::to_string(&card).unwrap();
        assert_eq!(stored, r#"{"state":"frozen","at":null,"since":10}"#);
        assert_eq!(serde_json::from_str::<Tracked<CardState>>(&stored).unwrap(), card);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// The updates of a valid history can arrive out of order and more than once. Merging them always results in
        /// the last state.
        #[test]
        fn any_order_of_arrival_ends_in_the_same_state(
            turns in prop::collection::vec(any::<prop::sample::Index>(), 1..8),
            arrivals in prop::collection::vec(any::<prop::sample::Index>(), 0..24),
        ) {
            let mut history = vec![Applied];
            for turn in turns {
                let next = history.last().unwrap().next();
                if next.is_empty() { break; }
                history.push(*turn.get(&next));
            }
            let last = history.len() - 1;
            let mut order: Vec<usize> = arrivals.iter().map(|at| at.index(history.len())).collect();
            // Every update arrives at least once, and the last update arrives at a random position.
            order.extend(0..=last);
            let turn = arrivals.first().map_or(0, |at| at.index(order.len()));
            order.rotate_left(turn);
            let mut tracked = Tracked::new(history[order[0]], Some(order[0]));
            for at in order.iter().skip(1) {
                let merged = tracked.merge(history[*at], Some(*at));
                prop_assert!(!matches!(merged, Merged::Illegal { .. } | Merged::Undecided), "{merged:?}");
            }
            prop_assert_eq!((tracked.state(), tracked.at()), (&history[last], Some(&last)));
        }

        /// Some updates have a time, and others do not.
        #[test]
        fn older_update_never_replaces_a_newer_one(
            turns in prop::collection::vec(any::<prop::sample::Index>(), 1..8),
            arrivals in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..24),
        ) {
            let mut history = vec![Applied];
            for turn in turns {
                let next = history.last().unwrap().next();
                if next.is_empty() { break; }
                history.push(*turn.get(&next));
            }
            let mut arrivals = arrivals.into_iter().map(|(at, timed)| (at.index(history.len()), timed));
            let (mut newest, timed) = arrivals.next().unwrap();
            let mut tracked = Tracked::new(history[newest], timed.then_some(newest));
            for (at, timed) in arrivals {
                match tracked.merge(history[at], timed.then_some(at)) {
                    Merged::Moved { .. } => {
                        prop_assert!(at > newest, "{at} after {newest} of {history:?}");
                        newest = at;
                    }
                    Merged::Same => newest = newest.max(at),
                    Merged::Older => prop_assert!(at < newest, "{at} before {newest} of {history:?}"),
                    Merged::Undecided => {}
                    Merged::Illegal { from } => prop_assert!(false, "{from:?} {at} of {history:?}"),
                }
                prop_assert_eq!(tracked.state(), &history[newest]);
            }
        }
    }
}
