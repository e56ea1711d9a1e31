//! Tests of notices, decisions and recoveries that arrive during an attempt.

use std::time::{Duration, SystemTime};

use paytend_client::{History, SendResult};
use paytend_outbox::{Action, Decision, Ended, OrderRelease, Progress, State};

const LEASE: Duration = Duration::from_secs(60);

fn claimed(progress: &Progress) -> Progress {
    let mut progress = progress.clone();
    progress.claim(10, LEASE, 7);
    progress
}

/// Returns a claimed order whose only send has an unknown outcome.
fn unknown() -> Progress {
    let mut progress = claimed(&Progress::new(0, None));
    progress.begin_send(11).unwrap();
    let history = progress.history;
    progress.release(12, &OrderRelease::Unknown { history, after: LEASE, cause: None }).unwrap();
    claimed(&progress)
}

#[test]
fn notice_between_claim_and_send_prevents_the_send() {
    for mut progress in [claimed(&Progress::new(0, None)), unknown()] {
        progress.notice(20);
        assert!(progress.begin_send(21).is_err());
        progress.release(22, &OrderRelease::GiveBack { after: LEASE, cause: None }).unwrap();
        assert_eq!((progress.state, progress.history.sends, progress.due_at), (State::Unknown, 1, Some(22)));
    }
}

#[test]
fn notice_during_a_send_that_sends_nothing_is_kept() {
    for is_stuck in [false, true] {
        let mut progress = claimed(&Progress::new(0, None));
        progress.begin_send(11).unwrap();
        progress.notice(12);
        let (history, cause) = (History::new(), "no connection".to_owned());
        let release = match is_stuck {
            false => OrderRelease::NotSent { history, after: LEASE, cause },
            true => OrderRelease::Stuck { history, cause },
        };
        progress.release(13, &release).unwrap();
        assert_eq!((progress.state, progress.history.sends, progress.due_at), (State::Unknown, 1, Some(13)));
        assert!(claimed(&progress).begin_send(14).is_err());
    }
}

#[test]
fn rejection_of_an_order_with_a_notification_is_refused() {
    let mut progress = claimed(&Progress::new(0, None));
    progress.begin_send(11).unwrap();
    progress.notice(12);
    assert!(progress.record_outcome(Ended::Rejected).is_err());
    progress.record_outcome(Ended::Responded).unwrap();
    assert!(progress.complete(Ended::Rejected).is_err());
    progress.complete(Ended::Responded).unwrap();
}

#[test]
fn decision_during_an_attempt_makes_the_order_due() {
    let mut progress = unknown();
    progress.act(20, Action::Decide(Decision::Executed)).unwrap();
    let release = OrderRelease::Stuck { history: progress.history, cause: "no response".into() };
    progress.release(21, &release).unwrap();
    assert_eq!(progress.due_at, Some(21));
}

#[test]
fn recovered_order_keeps_its_schedule_and_its_signed_responses() {
    let mut scheduled = Progress::new(0, Some(5_000));
    assert!(scheduled.recover(10));
    assert_eq!((scheduled.state, scheduled.history.sends, scheduled.due_at), (State::Unknown, 1, Some(5_000)));
    let mut sent = unknown();
    sent.history.last_send = SendResult::Unreadable;
    assert!(sent.recover(20));
    assert_eq!((sent.history.last_send, sent.due_at), (SendResult::Unreadable, Some(20)));
    assert!(sent.history.last_sent.is_some_and(|time| time > SystemTime::UNIX_EPOCH));
}
