//! The mutable part of an order, and the functions that change it.
//!
//! Each store applies these functions to a locked row, so that the rules for state changes are the same in every store.

use std::time::Duration;

use paytend_client::History;
use paytend_inbox::Lease;

use crate::error::ActionError;
use crate::obstacle;
use crate::record::{Action, Ended, OrderRelease};
use crate::terms::{Decision, State, after, millis, system_time};

/// The longest delay before the next attempt.
const MAX_DELAY: Duration = Duration::from_secs(24 * 3600);

/// The mutable part of an order. Times are in milliseconds since the Unix epoch, by the store's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The current state.
    pub state: State,
    /// Whether the order still has to be processed, because it is not final or its handler has not succeeded.
    pub is_open: bool,
    /// The history of sends and queries.
    pub history: History,
    /// How many times this order has been claimed so far. It never decreases.
    pub fence: i64,
    /// A random number that identifies the last claim.
    pub holder: u64,
    /// The number of attempts since the state last changed.
    pub tries: u32,
    /// Whether a dispatcher holds the order.
    pub is_leased: bool,
    /// The time of the next attempt, or the time at which the lease expires. `None` if the order waits for an operator.
    pub due_at: Option<i64>,
    /// The operator's decision about the outcome, if any.
    pub decision: Option<Decision>,
    /// Whether a notification about the order has arrived.
    pub is_notified: bool,
    /// Whether a notification about the order has arrived, or an operator has decided its outcome, during the current
    /// attempt.
    pub is_due_again: bool,
    /// The cause of the last failure.
    pub cause: Option<String>,
}

/// The error returned for a change that the order's state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the order is in state {from} and cannot change to state {to}")]
#[non_exhaustive]
pub struct IllegalTransition {
    /// The current state.
    pub from: State,
    /// The requested state.
    pub to: State,
}

impl Progress {
    /// Returns the progress of a new order.
    pub fn new(now: i64, not_before: Option<i64>) -> Self {
        Self {
            state: State::Recorded,
            is_open: true,
            history: History::new(),
            fence: 0,
            holder: 0,
            tries: 0,
            is_leased: false,
            due_at: Some(not_before.map_or(now, |time| time.max(now))),
            decision: None,
            is_notified: false,
            is_due_again: false,
            cause: None,
        }
    }

    fn become_state(&mut self, to: State) -> Result<(), IllegalTransition> {
        if !self.state.may_become(to) {
            return Err(IllegalTransition { from: self.state, to });
        }
        self.state = to;
        Ok(())
    }

    /// Returns whether the order can be claimed. The store also checks that the order is the first open order of its
    /// order key.
    pub fn is_due(&self, now: i64) -> bool {
        self.is_open && self.due_at.is_some_and(|due_at| due_at <= now)
    }

    /// Returns whether the next attempt would send the order for the first time. A pause of the operation prevents such
    /// a send.
    pub fn is_unsent(&self) -> bool {
        self.history.sends == 0 && self.state == State::Recorded && self.decision.is_none()
    }

    /// Claims the order. If its last lease expired during a send, its state becomes `unknown`.
    pub fn claim(&mut self, now: i64, lease: Duration, holder: u64) {
        if self.state == State::Sending {
            self.state = State::Unknown;
        }
        (self.fence, self.holder) = (self.fence + 1, holder);
        self.tries = self.tries.saturating_add(1);
        (self.is_leased, self.is_due_again) = (true, false);
        self.cause = self.cause.take().and_then(obstacle::earlier);
        self.due_at = Some(after(now, lease));
    }

    /// Returns whether a lease is the current lease of the order.
    pub fn is_held(&self, lease: Lease) -> bool {
        self.is_leased && (self.fence, self.holder) == (lease.fence, lease.holder)
    }

    /// Extends the lease.
    pub fn extend(&mut self, now: i64, time: Duration) {
        self.due_at = Some(after(now, time));
    }

    /// Counts a send. The store commits this change before the first byte is sent.
    ///
    /// # Errors
    /// - Returns [`IllegalTransition`] if the order is final, stuck or already being sent, or if `not_before` has not
    ///   passed.
    /// - Returns [`IllegalTransition`] if an operator has decided the outcome, or a notification has reported the
    ///   order.
    pub fn begin_send(&mut self, now: i64, not_before: Option<i64>) -> Result<(), IllegalTransition> {
        let is_early = not_before.is_some_and(|time| time > now);
        if is_early || self.decision.is_some() || self.is_notified {
            return Err(IllegalTransition { from: self.state, to: State::Sending });
        }
        self.become_state(State::Sending)?;
        self.history.begin_send(system_time(now));
        Ok(())
    }

    /// Ends an attempt without completing the order.
    ///
    /// # Errors
    /// Returns [`IllegalTransition`] if the state does not allow the change.
    pub fn release(&mut self, now: i64, release: &OrderRelease) -> Result<(), IllegalTransition> {
        let due_after = |delay: Duration| Some(after(now, delay.min(MAX_DELAY)));
        match release {
            OrderRelease::NotSent { history, after, cause } => {
                let is_unsent = history.sends == 0 && !self.is_notified;
                let state = if is_unsent { State::Recorded } else { State::Unknown };
                // If the attempt ended before its send was counted, the order still has this state.
                if self.state != state {
                    self.become_state(state)?;
                }
                (self.history, self.due_at) = (*history, due_after(*after));
                self.cause = Some(cause.clone());
            }
            OrderRelease::Unknown { history, after, cause } => {
                self.become_state(State::Unknown)?;
                (self.history, self.due_at, self.tries) = (*history, due_after(*after), 0);
                // An order that can be sent again is claimed before the orders that are queried. In a long queue, its
                // confirmations would otherwise become too old.
                if after.is_zero() && history.confirmations > 0 {
                    let sent = history.last_sent.map(millis).filter(|sent| *sent < now);
                    self.due_at = Some(sent.unwrap_or(now.saturating_sub(24 * 3600 * 1000)));
                }
                self.cause.clone_from(cause);
            }
            OrderRelease::Stuck { history, cause } => {
                if self.state != State::Stuck {
                    self.become_state(State::Stuck)?;
                }
                (self.history, self.due_at, self.tries) = (*history, None, 0);
                self.cause = Some(cause.clone());
            }
            OrderRelease::Unhandled { ended, after, cause } => {
                self.end(*ended)?;
                self.due_at = after.and_then(due_after);
                self.cause = Some(cause.clone());
            }
            OrderRelease::GiveBack { after, cause } => {
                self.due_at = due_after(*after);
                self.cause = cause.clone().or_else(|| self.cause.take());
                self.tries = self.tries.saturating_sub(1);
            }
        }
        self.is_leased = false;
        // A notification about the order proves that it was sent, even if this attempt sent nothing.
        if self.is_notified && self.history.sends == 0 && !self.state.is_final() {
            self.history.may_have_been_sent();
            if self.state == State::Recorded {
                (self.state, self.due_at) = (State::Unknown, Some(now));
            }
        }
        // The operator decided the outcome during the attempt, so the next attempt runs the handler.
        if self.decision.is_some() && self.is_due_again && !self.state.is_final() {
            self.due_at = Some(now);
        }
        if self.is_due_again && matches!(self.state, State::Unknown | State::Stuck) && self.history.sends > 0 {
            (self.state, self.due_at) = (State::Unknown, Some(now));
        }
        Ok(())
    }

    /// Changes the state to the final state for an outcome, unless the order already has this state.
    fn end(&mut self, ended: Ended) -> Result<(), IllegalTransition> {
        if self.state == ended.state() {
            return Ok(());
        }
        let is_refuted = match ended {
            Ended::Rejected => self.is_notified,
            Ended::Decided => self.decision.is_none(),
            Ended::Responded | Ended::Found => false,
        };
        if is_refuted {
            return Err(IllegalTransition { from: self.state, to: ended.state() });
        }
        self.become_state(ended.state())?;
        (self.tries, self.cause) = (1, None);
        Ok(())
    }

    /// Records the outcome of the order. The lease is kept, because the handler still has to run. Recording the same
    /// outcome again changes nothing.
    ///
    /// # Errors
    /// - Returns [`IllegalTransition`] if the state does not allow the change.
    /// - Returns [`IllegalTransition`] if the order would be rejected although a notification has reported it.
    /// - Returns [`IllegalTransition`] if the outcome is a decision that no operator has made.
    pub fn record_outcome(&mut self, ended: Ended) -> Result<(), IllegalTransition> {
        self.end(ended)
    }

    /// Completes the order after its handler has succeeded.
    ///
    /// # Errors
    /// Returns [`IllegalTransition`] if this outcome was neither [recorded](Self::record_outcome) nor decided by an
    /// operator.
    pub fn complete(&mut self, ended: Ended) -> Result<(), IllegalTransition> {
        if self.state != ended.state() && ended != Ended::Decided {
            return Err(IllegalTransition { from: self.state, to: ended.state() });
        }
        self.end(ended)?;
        self.cause = None;
        self.close();
        Ok(())
    }

    fn close(&mut self) {
        (self.is_open, self.is_leased, self.due_at, self.tries) = (false, false, None, 0);
    }

    /// Ends the current lease. Its holder can no longer change the order.
    fn end_lease(&mut self) {
        (self.fence, self.is_leased) = (self.fence + 1, false);
    }

    /// Applies an operator action.
    ///
    /// # Errors
    /// Returns [`ActionError`] if the state does not allow the action. Nothing is changed.
    pub fn act(&mut self, now: i64, action: Action) -> Result<(), ActionError> {
        match action {
            Action::Decide(decision) => self.decide(now, decision)?,
            Action::Retry => match self.state {
                State::Stuck => {
                    self.state = if self.history.sends == 0 { State::Recorded } else { State::Unknown };
                    self.query_again();
                    self.make_due(now);
                }
                // Only the handler has to run again.
                state if state.is_final() && self.is_open && !self.is_leased => self.make_due(now),
                _ => return Err(ActionError::NotStuck),
            },
            Action::Close => {
                match self.state {
                    _ if !self.is_open => return Err(ActionError::Completed),
                    state if state.is_final() => {}
                    _ if self.decision.is_some() => self.state = State::Decided,
                    _ => return Err(ActionError::Undecided),
                }
                self.end_lease();
                self.close();
            }
        }
        Ok(())
    }

    fn decide(&mut self, now: i64, decision: Decision) -> Result<(), ActionError> {
        let lease_ended = self.due_at.is_some_and(|end| end <= now);
        match self.state {
            _ if self.decision.is_some() || self.state.is_final() => return Err(ActionError::Final),
            State::Sending if !lease_ended => return Err(ActionError::Sending),
            State::Recorded | State::Stuck if decision == Decision::Executed && self.history.sends == 0 => {
                return Err(ActionError::NotSent);
            }
            State::Sending => {
                self.state = State::Unknown;
                self.end_lease();
            }
            _ => {}
        }
        self.decision = Some(decision);
        self.is_due_again |= self.is_leased;
        self.make_due(now);
        Ok(())
    }

    /// Discards the confirmations from earlier queries, and resets the query counts.
    fn query_again(&mut self) {
        self.history.discard_confirmations();
        (self.history.queries, self.history.failed_queries) = (0, 0);
    }

    fn make_due(&mut self, now: i64) {
        self.tries = 0;
        if !self.is_leased {
            self.due_at = Some(now);
        }
    }

    /// Records that a notification about the order has arrived. Returns `true` if this is the first notification about
    /// the order or if it makes the order due.
    ///
    /// The first notification revokes a rejection, or a decision that the order was not executed, if the handler has
    /// not succeeded. The order is then queried again, and a running handler loses its lease.
    pub fn notice(&mut self, now: i64) -> bool {
        let is_new = !std::mem::replace(&mut self.is_notified, true);
        if is_new && self.is_denied() {
            self.revoke(now);
            return true;
        }
        self.is_due_again |= self.is_leased;
        match self.state {
            // The notification proves that the order was sent, although this store has no record of the send.
            State::Recorded if self.history.sends == 0 => {
                self.history.may_have_been_sent();
                self.state = State::Unknown;
            }
            State::Stuck => {
                self.state = State::Unknown;
                self.query_again();
            }
            State::Unknown => {}
            // The order is not made due in the other states. If a dispatcher holds it, `release` checks `is_due_again`.
            _ => return is_new,
        }
        self.make_due(now);
        true
    }

    /// Returns whether the order was rejected, or an operator has decided that it was not executed.
    fn is_denied(&self) -> bool {
        match self.state {
            State::Rejected => true,
            State::Responded | State::Found => false,
            _ => self.decision == Some(Decision::NotExecuted),
        }
    }

    fn revoke(&mut self, now: i64) {
        if !self.is_open {
            tracing::error!(
                "a notification reports an order that was completed as rejected or not executed: find it with \
                 `paytend outbox list --json`, whose member `notified` is true"
            );
            return;
        }
        self.end_lease();
        (self.state, self.decision) = (State::Unknown, None);
        if self.history.sends == 0 {
            self.history.may_have_been_sent();
        }
        self.query_again();
        self.make_due(now);
    }

    /// Prepares an order in a store that was restored from a backup. An order that is not final may have been sent
    /// after the backup, so it is queried first. The query is not due before `not_before`. Returns whether the order
    /// was changed.
    pub fn recover(&mut self, now: i64, not_before: Option<i64>) -> bool {
        if self.state.is_final() || self.decision.is_some() {
            return false;
        }
        self.history.may_have_been_sent();
        // The leases in the backup belong to processes that should have ended. If such a process is still running, the
        // larger fence prevents it from changing the order.
        self.state = State::Unknown;
        self.end_lease();
        self.make_due(not_before.map_or(now, |time| time.max(now)));
        true
    }

    /// Prepares an order that is claimed during a recovery, or that is still open when the recovery ends. An order
    /// without a recorded send was not recovered, because it could not be read at that time. Returns whether the order
    /// will be queried because of this change.
    pub fn recover_unsent(&mut self, now: i64, not_before: Option<i64>) -> bool {
        self.is_unsent() && self.recover(now, not_before)
    }
}

/// The cause text for an order that a notification reports but the query does not find.
pub(crate) const CONTRADICTION: &str = "a notification reports the order, but the query does not find it";
