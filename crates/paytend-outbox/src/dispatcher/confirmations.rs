//! The age check for confirmations, which are query responses that report an order as nonexistent.

use std::time::{Duration, SystemTime};

use paytend_client::History;

/// The fixed part of the maximum age of a confirmation. Twice the pause between queries is added to this time.
const MAX_CONFIRMATION_AGE: Duration = Duration::from_secs(60);
/// How far in the future a confirmation can be. Its time is computed from the time before its claim, so it is late by
/// the time that the claim took.
const MAX_LEAD: Duration = Duration::from_secs(1);

/// How the confirmations of an order can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confirmations {
    /// They can be used, or there are none.
    Current,
    /// They count, but the order is queried again before it is sent. The order has waited for a long time, because many
    /// orders are queried. If its confirmations did not count, it would wait as long after each query, and it would
    /// never be sent.
    Waited,
    /// They do not count, because the order may have been sent since then: they are from before this dispatcher used
    /// the store without an error, so the store may have been restored from a backup, or the clock was set back.
    Outdated,
}

/// The times that decide how confirmations can be used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) now: SystemTime,
    /// The time of the dispatcher's first claim since the last error of the store.
    pub(super) since: SystemTime,
    /// The planned time between two queries.
    pub(super) query_pause: Duration,
    /// The time window of the rate limit, or zero. An order can wait for it between a query and a send.
    pub(super) rate_window: Duration,
}

impl Confirmations {
    /// Returns how the confirmations in a history can be used.
    pub(super) fn of(history: &History, times: &Times) -> Self {
        let Some(last) = history.last_confirmed.filter(|_| history.sends > 0) else { return Self::Current };
        let limit = MAX_CONFIRMATION_AGE + times.query_pause * 2 + times.rate_window;
        match times.now.duration_since(last) {
            Ok(age) if age <= limit => Self::Current,
            Ok(_) if last >= times.since => Self::Waited,
            Err(lead) if lead.duration() <= MAX_LEAD => Self::Current,
            _ => Self::Outdated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confirmations_are_used_by_their_age() {
        use Confirmations::{Current, Outdated, Waited};
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let since = now - Duration::from_secs(1_000);
        let old = Times { now, since, query_pause: Duration::from_secs(3), rate_window: Duration::ZERO };
        let (new, limited) = (Times { since: now, ..old }, Times { rate_window: Duration::from_secs(90), ..old });
        let mut history = History::new();
        assert_eq!(Confirmations::of(&history, &old), Current);
        history.begin_send(now);
        assert_eq!(Confirmations::of(&history, &old), Current, "there is no confirmation");
        for (age, of_old, of_new, of_limited) in [
            (0, Current, Current, Current),
            (66, Current, Current, Current),
            (67, Waited, Outdated, Current),
            (156, Waited, Outdated, Current),
            (157, Waited, Outdated, Waited),
            (1_000, Waited, Outdated, Waited),
            (1_001, Outdated, Outdated, Outdated),
            (86_400, Outdated, Outdated, Outdated),
            (-1, Current, Current, Current),
            (-2, Outdated, Outdated, Outdated),
            (-86_400, Outdated, Outdated, Outdated),
        ] {
            let distance = Duration::from_secs(i64::unsigned_abs(age));
            history.last_confirmed = Some(if age < 0 { now + distance } else { now - distance });
            let found = [&old, &new, &limited].map(|times| Confirmations::of(&history, times));
            assert_eq!(found, [of_old, of_new, of_limited], "{age} s");
        }
    }
}
