//! The states of things that live longer than a call, and a merge for news of them that arrives in any order.
//!
//! The codes that the provider sends for these states are in the partner's documents: a partner maps them to these
//! states, or to states of its own, which need no more than [`Lifecycle::next`]. What is documented of states and
//! transitions is said at each.
//!
//! ```
//! use paytend_model::lifecycle::{CardState, Merged, Tracked};
//! let mut card = Tracked::new(CardState::Active, Some(100));
//! assert_eq!(card.merge(CardState::Frozen, Some(300)), Merged::Moved { from: CardState::Active });
//! // Late news of what was before changes nothing,
//! assert_eq!(card.merge(CardState::Lost, Some(200)), Merged::Older);
//! // and what cannot be is reported and changes nothing.
//! assert_eq!(card.merge(CardState::Active, Some(400)), Merged::Illegal { from: CardState::Frozen });
//! assert_eq!(card.state(), &CardState::Frozen);
//! ```

mod states;

pub use states::{AccountState, CardState, TopupState, TransferOrderState, UserLevel};

use std::fmt;

use serde::{Deserialize, Serialize};

/// States and the transitions between them.
pub trait Lifecycle: Clone + Eq + fmt::Debug {
    /// The states that may follow this one directly; none after a final state.
    fn next(&self) -> Vec<Self>;

    /// Whether nothing can follow.
    fn is_final(&self) -> bool {
        self.next().is_empty()
    }

    /// Whether a state can follow this one, directly or after others: news of those may have been lost.
    fn leads_to(&self, later: &Self) -> bool {
        let mut reached = self.next();
        let mut looked_at = 0;
        while let Some(state) = reached.get(looked_at).cloned() {
            if state == *later {
                return true;
            }
            for next in state.next() {
                if !reached.contains(&next) {
                    reached.push(next);
                }
            }
            looked_at += 1;
        }
        false
    }
}

/// What is known of one thing's state, and since when. `T` is what times are told in: milliseconds, a sequence number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracked<S, T = i64> {
    state: S,
    /// The time of the newest news of the state, if all news of it told theirs.
    at: Option<T>,
    /// A time that the newest news cannot be before.
    since: Option<T>,
}

/// What news did to a [`Tracked`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Merged<S> {
    /// It is newer: the state has changed.
    Moved {
        /// The state before.
        from: S,
    },
    /// It is the state already known.
    Same,
    /// It is of an earlier time: nothing has changed.
    Older,
    /// No history has both states in this order: nothing has changed, and somebody should look.
    Illegal {
        /// The state known, which stays.
        from: S,
    },
    /// Either state may follow the other, and no time tells which did: nothing has changed. Ask the provider.
    Undecided,
}

impl<S: Lifecycle, T: Ord + Clone> Tracked<S, T> {
    /// The first news. `at` is the time that the news itself tells, never the time of its arrival; `None` if it tells
    /// none.
    pub fn new(state: S, at: Option<T>) -> Self {
        Self { state, since: at.clone(), at }
    }

    /// The state.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// The time of the newest news of this state; `None` unless all news of it told theirs.
    pub fn at(&self) -> Option<&T> {
        self.at.as_ref()
    }

    /// Takes in news, in whatever order it arrives. Where both have a time, the later one is newer; otherwise the one
    /// that can only follow the other. Older news never takes the place of newer.
    pub fn merge(&mut self, state: S, at: Option<T>) -> Merged<S> {
        if state == self.state {
            self.since = self.since.take().max(at.clone());
            // News without a time may be newer than any that is known.
            self.at = match (self.at.take(), at) {
                (Some(known), Some(told)) => Some(known.max(told)),
                _ => None,
            };
            return Merged::Same;
        }
        let (forward, backward) = (self.state.leads_to(&state), state.leads_to(&self.state));
        let newer = match (&self.at, &self.since, &at) {
            (Some(known), _, Some(told)) if known != told => Some(told > known),
            // Of the state's own time no more is known than what it is not before.
            (None, Some(since), Some(told)) if told <= since => Some(false),
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

    /// Sets the state, whatever was known: after somebody has looked.
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
    fn without_times_what_can_only_follow_is_newer() {
        let mut topup = Tracked::<_, i64>::new(TopupState::Processing, None);
        assert_eq!(topup.merge(TopupState::Succeeded, None), Merged::Moved { from: TopupState::Processing });
        assert_eq!(topup.merge(TopupState::Processing, None), Merged::Older);
        assert_eq!(topup.merge(TopupState::Succeeded, None), Merged::Same);
        assert_eq!(topup.merge(TopupState::Failed, None), Merged::Illegal { from: TopupState::Succeeded });
        assert_eq!(topup.state(), &TopupState::Succeeded);
        // A loss may be before or after its cancellation.
        let mut card = Tracked::<_, i64>::new(Active, None);
        assert_eq!(card.merge(Lost, None), Merged::Undecided);
        assert_eq!(card.state(), &Active);
    }

    #[test]
    fn times_decide_where_both_are_told() {
        let mut card = Tracked::new(Active, Some(10));
        assert_eq!(card.merge(Lost, Some(20)), Merged::Moved { from: Active });
        assert_eq!(card.merge(Active, Some(15)), Merged::Older);
        assert_eq!(card.merge(Active, Some(20)), Merged::Undecided);
        assert_eq!(card.merge(Active, Some(30)), Merged::Moved { from: Lost });
        // The same state again, later: an older change no longer counts.
        assert_eq!(card.merge(Active, Some(50)), Merged::Same);
        assert_eq!(card.merge(Lost, Some(40)), Merged::Older);
        assert_eq!((card.state(), card.at()), (&Active, Some(&50)));
        // Earlier by its time, and impossible before what is known.
        assert_eq!(card.merge(Cancelled, Some(1)), Merged::Illegal { from: Active });
        card.set(Cancelled, None);
        assert_eq!((card.state(), card.at()), (&Cancelled, None));
    }

    /// The state's own time is not known; that of what it followed is no time of its.
    #[test]
    fn what_came_without_a_time_is_not_taken_to_be_old() {
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

    /// A state is kept where things are kept.
    #[test]
    fn what_is_known_can_be_stored() {
        let mut card = Tracked::new(Active, Some(10));
        assert_eq!(card.merge(Frozen, None), Merged::Moved { from: Active });
        let stored = serde_json::to_string(&card).unwrap();
        assert_eq!(stored, r#"{"state":"frozen","at":null,"since":10}"#);
        assert_eq!(serde_json::from_str::<Tracked<CardState>>(&stored).unwrap(), card);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever the order in which the news of a legal history arrives, however often, the last state stands at the
        /// end.
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
            // Every piece of news arrives at least once, the last one somewhere among the others.
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

        /// Whatever news tells its time and whatever does not, none that is older takes the place of newer.
        #[test]
        fn older_news_never_wins(
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
                    Merged::Moved { .. } => { prop_assert!(at > newest, "{at} after {newest} of {history:?}"); newest = at; }
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
