//! The age check for confirmations, which are query responses that report an order as nonexistent.

use std::time::{Duration, SystemTime};

use paytend_client::History;

/// The fixed part of the maximum age of a confirmation. Twice the pause between queries is added to this time.
const MAX_CONFIRMATION_AGE: Duration = Duration::from_secs(60);

/// How the confirmations of an order can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confirmations {
    /// They can be used, or there are none.
    Current,
    /// They count, but the order is queried again before it is sent. The order has waited for a long time, because many
    /// orders are queried. If its confirmations did not count, it would wait as long after each query, and it would
    /// never be sent.
    Waited,
    /// They do not count, because the order may have been sent since then: they are from before the dispatcher's first
    /// claim, so the store may have been restored from a backup, or the clock was set back.
    Outdated,
}

impl Confirmations {
    /// Returns how the confirmations in a history can be used. `since` is the time of the dispatcher's first claim.
    pub(super) fn of(history: &History, now: SystemTime, since: SystemTime, query_pause: Duration) -> Self {
        let Some(last) = history.last_confirmed.filter(|_| history.sends > 0) else { return Self::Current };
        let limit = MAX_CONFIRMATION_AGE + query_pause * 2;
        match now.duration_since(last) {
            Ok(age) if age <= limit => Self::Current,
            Ok(_) if last >= since => Self::Waited,
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
        let pause = Duration::from_secs(3);
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let since = now - Duration::from_secs(1_000);
        let mut history = History::new();
        assert_eq!(Confirmations::of(&history, now, since, pause), Current);
        history.begin_send(now);
        assert_eq!(Confirmations::of(&history, now, since, pause), Current, "there is no confirmation");
        for (age, expected, of_new_process) in [
            (0, Current, Current),
            (66, Current, Current),
            (67, Waited, Outdated),
            (1_000, Waited, Outdated),
            (1_001, Outdated, Outdated),
            (86_400, Outdated, Outdated),
            (-1, Outdated, Outdated),
            (-86_400, Outdated, Outdated),
        ] {
            let distance = Duration::from_secs(i64::unsigned_abs(age));
            history.last_confirmed = Some(if age < 0 { now + distance } else { now - distance });
            assert_eq!(Confirmations::of(&history, now, since, pause), expected, "{age} s");
            assert_eq!(Confirmations::of(&history, now, now, pause), of_new_process, "{age} s");
        }
    }
}
