//! The next step for an order: a pure function of its history, without network access or a clock.

use std::time::{Duration, SystemTime};

use crate::policy::history::{History, SendResult};
use crate::policy::resolution::Resolution;

/// The next step for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NextStep {
    /// Send the order, either for the first time or again with the same bytes.
    Send,
    /// Query the order.
    Query,
    /// Stop: the order was rejected and does not exist.
    Rejected,
    /// Stop: it is unknown whether the order was executed. An operator must decide.
    Unresolved,
}

impl Resolution {
    /// Returns the next step for an order with this history.
    ///
    /// An order that may have been sent is queried. It is sent again only if no response arrived, it was sent fewer
    /// than [`max_sends`](Self::max_sends) times, and enough queries have reported during the settle time that it does
    /// not exist.
    pub fn next_step(&self, history: &History) -> NextStep {
        if history.sends == 0 {
            return NextStep::Send;
        }
        if !self.is_enough(history.confirmations, history.settled) {
            return NextStep::Query;
        }
        match history.last_send {
            // If the order was sent twice, the last rejection says nothing about the first send.
            SendResult::Rejected if history.sends == 1 => NextStep::Rejected,
            SendResult::Unknown if history.sends < self.allowed_sends() => NextStep::Send,
            SendResult::Rejected | SendResult::Unreadable | SendResult::Unknown => NextStep::Unresolved,
        }
    }

    /// Records in the history that a query reported the order as unknown.
    pub fn confirm(&self, history: &mut History, now: SystemTime) {
        history.confirm(now, self.query_pause());
    }

    /// Returns the minimum time between two queries for an order.
    pub fn query_pause(&self) -> Duration {
        // The pause is rounded up to milliseconds, so that a store with millisecond resolution does not shorten it.
        let pause = self.pause();
        let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(millis.saturating_add(u64::from(!pause.subsec_nanos().is_multiple_of(1_000_000))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::error::kind::{ErrorKind, Outcome};

    const SECOND: Duration = Duration::from_secs(1);

    fn resolution() -> Resolution {
        Resolution::new().unknown_order_codes(["X1"])
    }

    #[test]
    fn next_step_follows_from_the_history() {
        use NextStep::{Query, Rejected, Send, Unresolved};
        use SendResult as Last;
        for (sends, last_send, confirmations, settled, expected) in [
            (0, Last::Unknown, 0, 0, Send),
            // Confirmations are ignored if there was no send.
            (0, Last::Unknown, 9, 99, Send),
            (1, Last::Unknown, 0, 0, Query),
            (1, Last::Rejected, 0, 0, Query),
            (1, Last::Unreadable, 0, 0, Query),
            (1, Last::Unknown, 2, 99, Query),
            (1, Last::Unknown, 99, 9, Query),
            (1, Last::Unknown, 3, 10, Send),
            (1, Last::Rejected, 2, 99, Query),
            (1, Last::Rejected, 3, 10, Rejected),
            (1, Last::Unreadable, 3, 10, Unresolved),
            (2, Last::Unknown, 3, 9, Query),
            (2, Last::Unknown, 3, 10, Unresolved),
            (2, Last::Rejected, 3, 10, Unresolved),
            (2, Last::Unreadable, 3, 10, Unresolved),
            (u32::MAX, Last::Unknown, u32::MAX, 99, Unresolved),
        ] {
            let history = History { sends, last_send, confirmations, settled: SECOND * settled, ..History::default() };
            assert_eq!(resolution().next_step(&history), expected, "{history:?}");
        }
        let once = resolution().max_sends(1);
        let history = History { sends: 1, confirmations: 3, settled: SECOND * 10, ..History::default() };
        assert_eq!(once.next_step(&history), Unresolved);
        assert_eq!(resolution().max_sends(3).next_step(&History { sends: 2, ..history }), Send);
    }

    #[test]
    fn failed_send_is_counted_unless_nothing_was_sent() {
        let start = SystemTime::UNIX_EPOCH;
        for (kind, outcome, sends, last_send) in [
            (ErrorKind::Connect, Outcome::NotSent, 0, SendResult::Unknown),
            (ErrorKind::Timeout, Outcome::NotSent, 0, SendResult::Unknown),
            (ErrorKind::Timeout, Outcome::Unknown, 1, SendResult::Unknown),
            (ErrorKind::UnsignedFailure, Outcome::Unknown, 1, SendResult::Unknown),
            (ErrorKind::InvalidResponse, Outcome::Unknown, 1, SendResult::Unknown),
            (ErrorKind::Mismatch, Outcome::Unknown, 1, SendResult::Unknown),
            (ErrorKind::Rejected, Outcome::Rejected, 1, SendResult::Rejected),
            (ErrorKind::Data, Outcome::Unknown, 1, SendResult::Unreadable),
        ] {
            let mut history = History::new();
            history.begin_send(start);
            history.send_failed(&Error::new(kind).with_outcome(outcome));
            assert_eq!((history.sends, history.last_send), (sends, last_send), "{kind:?} {outcome:?}");
        }
        // If the second send fails before anything was sent, the outcome of the first send is unknown, and the
        // confirmations are reset.
        let mut history = History { confirmations: 4, settled: SECOND * 10, ..History::default() };
        history.sends = 1;
        history.begin_send(start);
        history.send_failed(&Error::new(ErrorKind::Connect));
        assert_eq!((history.sends, resolution().next_step(&history)), (1, NextStep::Query));
    }

    /// Returns how many confirmations are needed before the order is sent again. `times` are the clock times of the
    /// confirmations, in seconds.
    fn confirmations_until_send(times: impl IntoIterator<Item = u64>) -> usize {
        let mut history = History::new();
        history.begin_send(SystemTime::UNIX_EPOCH);
        let mut count = 0;
        for time in times {
            resolution().confirm(&mut history, SystemTime::UNIX_EPOCH + SECOND * u32::try_from(time).unwrap());
            count += 1;
            if resolution().next_step(&history) == NextStep::Send {
                break;
            }
        }
        count
    }

    #[test]
    fn clock_steps_do_not_end_the_settle_time_early() {
        // The planned pause is 3.334 s, so a pause of 4 s counts as 3.334 s.
        assert_eq!(confirmations_until_send((0..).map(|n| 100 + n * 4)), 4);
        // If the clock is set forward by years between two queries, the interval counts as only one pause.
        assert_eq!(confirmations_until_send([100, 900_000_000, 900_000_000, 900_000_000, 900_000_004, 900_000_008]), 6);
        // If the clock is set back, the interval counts as zero.
        assert_eq!(confirmations_until_send([100_000, 4, 8, 12, 16]), 5);
        // If the clock is stopped, the settle time never ends.
        assert_eq!(confirmations_until_send([100; 1000]), 1000);
    }

    #[test]
    fn failed_query_resets_the_confirmations() {
        let mut history = History::new();
        history.begin_send(SystemTime::UNIX_EPOCH);
        for second in [0, 4, 8] {
            resolution().confirm(&mut history, SystemTime::UNIX_EPOCH + SECOND * second);
        }
        history.query_failed();
        assert_eq!((history.confirmations, history.settled, history.queries), (0, Duration::ZERO, 4));
        assert_eq!(history.failed_queries, 1);
        resolution().confirm(&mut history, SystemTime::UNIX_EPOCH + SECOND * 99);
        assert_eq!((history.confirmations, history.settled, history.failed_queries), (1, Duration::ZERO, 0));
    }

    #[test]
    fn order_that_may_have_been_sent_is_queried() {
        let mut history = History { confirmations: 9, settled: SECOND * 99, ..History::default() };
        history.may_have_been_sent();
        assert_eq!((history.sends, resolution().next_step(&history)), (1, NextStep::Query));
    }

    #[test]
    fn pause_is_a_whole_number_of_milliseconds() {
        assert_eq!(resolution().query_pause(), Duration::from_millis(3334));
        assert_eq!(resolution().settle_time(Duration::ZERO).query_pause(), Duration::ZERO);
        assert_eq!(resolution().settle_time(SECOND).confirmations(1).query_pause(), SECOND);
    }
}
