//! The age check for confirmations, which are query responses that report an order as nonexistent.

use std::time::{Duration, SystemTime};

use paytend_client::History;

/// The fixed part of the maximum age of a confirmation. Twice the pause between queries is added to this time.
const MAX_CONFIRMATION_AGE: Duration = Duration::from_secs(60);

/// Returns whether the last confirmation cannot be used to decide on another send, because it is too old or its time is
/// in the future.
pub(super) fn is_outdated(history: &History, now: SystemTime, query_pause: Duration) -> bool {
    let limit = MAX_CONFIRMATION_AGE + query_pause * 2;
    let age = history.last_confirmed.map(|last| now.duration_since(last));
    history.sends > 0 && age.is_some_and(|age| age.map_or(true, |age| age > limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_future_confirmations_are_outdated() {
        let pause = Duration::from_secs(3);
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let mut history = History::new();
        assert!(!is_outdated(&history, now, pause));
        history.begin_send(now);
        assert!(!is_outdated(&history, now, pause), "a missing confirmation is not outdated");
        for (age, expected) in [(0, false), (66, false), (67, true), (86_400, true), (-1, true), (-86_400, true)] {
            let distance = Duration::from_secs(i64::unsigned_abs(age));
            history.last_confirmed = Some(if age < 0 { now + distance } else { now - distance });
            assert_eq!(is_outdated(&history, now, pause), expected, "{age} s");
        }
    }
}
