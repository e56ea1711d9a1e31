//! The states of things that live longer than a call, and a merge for news of them that arrives in any order.
//!
//! The codes that the provider sends for these states are in the partner's documents: a partner maps them to these states, or to
//! states of its own, which need no more than [`Lifecycle::next`]. What is documented of states and transitions is said at each.
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
    /// The first news. `at` is the time that the news itself tells, never the time of its arrival; `None` if it tells none.
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

    /// Takes in news, in whatever order it arrives. Where both have a time, the later one is newer; otherwise the one that can only
    /// follow the other. Older news never takes the place of newer.
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

/// A card of Issuing Cards.
///
/// Documented: that a card is applied for and shipped, or bought unactivated; activation, of virtual cards when shipped; loss and its cancellation;
/// that a replacement freezes the old card; that cards can be cancelled. Inferred: that a lost card may be replaced, and which states a
/// cancellation may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum CardState {
    /// Applied for, and not shipped yet.
    Applied,
    /// Shipped, or bought in bulk, and not active yet: physical cards alone.
    Unactivated,
    /// Active: by Active card, when shipped if virtual, or as the new card of a replacement.
    Active,
    /// Reported lost.
    Lost,
    /// Replaced by another card.
    Frozen,
    /// Cancelled for good. The documentation names cancellation, and no operation for it.
    Cancelled,
}

impl Lifecycle for CardState {
    fn next(&self) -> Vec<Self> {
        match self {
            Self::Applied => vec![Self::Unactivated, Self::Active],
            Self::Unactivated => vec![Self::Active, Self::Cancelled],
            Self::Active => vec![Self::Lost, Self::Frozen, Self::Cancelled],
            Self::Lost => vec![Self::Active, Self::Frozen, Self::Cancelled],
            Self::Frozen => vec![Self::Cancelled],
            Self::Cancelled => Vec::new(),
        }
    }
}

/// A topup. That it has a result to be queried is documented; the states are inferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum TopupState {
    /// Taken, and not booked yet.
    Processing,
    /// The money is on the card.
    Succeeded,
    /// It is not, and will not be.
    Failed,
}

impl Lifecycle for TopupState {
    fn next(&self) -> Vec<Self> {
        match self {
            Self::Processing => vec![Self::Succeeded, Self::Failed],
            Self::Succeeded | Self::Failed => Vec::new(),
        }
    }
}

/// The opening of an account of BaaS Core, by the order of calls of its section 4.4. That a review may be negative, and new documents may
/// follow, is inferred from its having a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum AccountState {
    /// The user is created.
    Registered,
    /// The documents are uploaded.
    DocumentsUploaded,
    /// The questionnaire is answered; Paytend reviews.
    UnderAudit,
    /// The account is open, with an IBAN.
    Open,
    /// The review was negative.
    Rejected,
}

impl Lifecycle for AccountState {
    fn next(&self) -> Vec<Self> {
        match self {
            Self::Registered => vec![Self::DocumentsUploaded],
            Self::DocumentsUploaded => vec![Self::UnderAudit],
            Self::UnderAudit => vec![Self::Open, Self::Rejected],
            Self::Rejected => vec![Self::DocumentsUploaded],
            Self::Open => Vec::new(),
        }
    }
}

/// The level of a user of BaaS Core. The two levels and the upgrade are documented; that users begin as junior ones is inferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum UserLevel {
    /// A junior user.
    Junior,
    /// After an upgrade, which may cost a fee.
    Standard,
}

impl Lifecycle for UserLevel {
    fn next(&self) -> Vec<Self> {
        match self {
            Self::Junior => vec![Self::Standard],
            Self::Standard => Vec::new(),
        }
    }
}

/// A transfer order: what Paytend asks about a transaction. The notification and the two operations are documented; in which order they come,
/// and what follows them, is not, so either may follow the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum TransferOrderState {
    /// A transaction has triggered it.
    Triggered,
    /// The information is submitted.
    InformationSubmitted,
    /// The file is uploaded.
    FileUploaded,
}

impl Lifecycle for TransferOrderState {
    fn next(&self) -> Vec<Self> {
        match self {
            Self::Triggered => vec![Self::InformationSubmitted, Self::FileUploaded],
            Self::InformationSubmitted => vec![Self::FileUploaded],
            Self::FileUploaded => vec![Self::InformationSubmitted],
        }
    }
}

#[cfg(test)]
mod tests {
    use CardState::*;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cards_go_only_where_the_documentation_lets_them() {
        let all = [Applied, Unactivated, Active, Lost, Frozen, Cancelled];
        let table: Vec<String> = all
            .iter()
            .map(|from| {
                let reached = all.iter().filter(|to| from.leads_to(to)).map(|to| format!("{to:?}"));
                format!("{from:?}: {}", reached.collect::<Vec<_>>().join(" "))
            })
            .collect();
        assert_eq!(
            table,
            [
                "Applied: Unactivated Active Lost Frozen Cancelled",
                "Unactivated: Active Lost Frozen Cancelled",
                "Active: Active Lost Frozen Cancelled",
                "Lost: Active Lost Frozen Cancelled",
                "Frozen: Cancelled",
                "Cancelled: ",
            ]
        );
        assert!(Cancelled.is_final() && !Frozen.is_final());
    }

    #[test]
    fn the_others_end_where_they_should() {
        assert!(TopupState::Processing.leads_to(&TopupState::Failed) && TopupState::Succeeded.is_final());
        assert!(!TopupState::Failed.leads_to(&TopupState::Succeeded));
        assert!(AccountState::Registered.leads_to(&AccountState::Open));
        assert!(AccountState::Rejected.leads_to(&AccountState::Open) && AccountState::Open.is_final());
        assert!(UserLevel::Junior.leads_to(&UserLevel::Standard) && UserLevel::Standard.is_final());
        assert!(TransferOrderState::Triggered.leads_to(&TransferOrderState::FileUploaded));
        assert!(TransferOrderState::FileUploaded.leads_to(&TransferOrderState::InformationSubmitted));
        assert!(!TransferOrderState::FileUploaded.leads_to(&TransferOrderState::Triggered));
    }

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

        /// Whatever the order in which the news of a legal history arrives, however often, the last state stands at the end.
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
