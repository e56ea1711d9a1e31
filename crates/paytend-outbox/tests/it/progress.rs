//! Tests of notices, decisions and recoveries that happen during an attempt.

use std::time::{Duration, SystemTime};

use paytend_client::{History, SendResult};
use paytend_outbox::{Action, ActionError, Decision, Ended, OrderRelease, Progress, State};

const LEASE: Duration = Duration::from_secs(60);

fn claimed(progress: &Progress) -> Progress {
    let mut progress = progress.clone();
    progress.claim(10, LEASE, 7);
    progress
}

/// Returns a claimed order whose only send has an unknown outcome.
fn unknown() -> Progress {
    let mut progress = claimed(&Progress::new(0, None));
    progress.begin_send(11, None).unwrap();
    let history = progress.history;
    progress.release(12, &OrderRelease::Unknown { history, after: LEASE, cause: None }).unwrap();
    claimed(&progress)
}

#[test]
fn notice_after_the_claim_prevents_the_send() {
    for mut progress in [claimed(&Progress::new(0, None)), unknown()] {
        progress.notice(20);
        assert!(progress.begin_send(21, None).is_err());
        progress.release(22, &OrderRelease::GiveBack { after: LEASE, cause: None }).unwrap();
        assert_eq!((progress.state, progress.history.sends, progress.due_at), (State::Unknown, 1, Some(22)));
    }
}

#[test]
fn notice_received_during_an_attempt_is_kept_even_if_the_attempt_sends_nothing() {
    for is_stuck in [false, true] {
        let mut progress = claimed(&Progress::new(0, None));
        progress.begin_send(11, None).unwrap();
        progress.notice(12);
        let (history, cause) = (History::new(), "no connection".to_owned());
        let release = match is_stuck {
            false => OrderRelease::NotSent { history, after: LEASE, cause },
            true => OrderRelease::Stuck { history, cause },
        };
        progress.release(13, &release).unwrap();
        assert_eq!((progress.state, progress.history.sends, progress.due_at), (State::Unknown, 1, Some(13)));
        assert!(claimed(&progress).begin_send(14, None).is_err());
    }
}

#[test]
fn order_that_a_notification_reported_cannot_be_marked_as_rejected() {
    let mut progress = claimed(&Progress::new(0, None));
    progress.begin_send(11, None).unwrap();
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
fn recovery_keeps_the_schedule_and_the_result_of_the_last_send() {
    let mut scheduled = Progress::new(0, Some(5_000));
    assert!(scheduled.recover(10, Some(5_000)));
    assert_eq!((scheduled.state, scheduled.history.sends, scheduled.due_at), (State::Unknown, 1, Some(5_000)));
    let mut sent = unknown();
    sent.history.last_send = SendResult::Unreadable;
    assert!(sent.recover(20, None));
    assert_eq!((sent.history.last_send, sent.due_at), (SendResult::Unreadable, Some(20)));
    assert!(sent.history.last_sent.is_some_and(|time| time > SystemTime::UNIX_EPOCH));
}

/// Returns a claimed order whose rejection is recorded and whose handler is running.
fn rejected() -> Progress {
    let mut progress = claimed(&Progress::new(0, None));
    progress.begin_send(11, None).unwrap();
    progress.history.last_send = SendResult::Rejected;
    progress.record_outcome(Ended::Rejected).unwrap();
    progress
}

fn unhandled(ended: Ended) -> OrderRelease {
    OrderRelease::Unhandled { ended, after: Some(LEASE), cause: "failed".into() }
}

#[test]
fn notice_revokes_a_rejection_whose_handler_has_not_succeeded() {
    let mut waiting = rejected();
    waiting.release(13, &unhandled(Ended::Rejected)).unwrap();
    for mut progress in [rejected(), waiting] {
        let fence = progress.fence;
        assert!(progress.notice(20));
        assert_eq!((progress.state, progress.due_at, progress.is_leased), (State::Unknown, Some(20), false));
        assert!(progress.fence > fence, "the running handler could complete the order");
        assert!(progress.complete(Ended::Rejected).is_err());
        let mut progress = claimed(&progress);
        assert!(progress.release(22, &unhandled(Ended::Rejected)).is_err());
        assert!(progress.begin_send(22, None).is_err());
        progress.record_outcome(Ended::Found).unwrap();
    }
    let mut closed = rejected();
    closed.complete(Ended::Rejected).unwrap();
    assert!(closed.notice(20), "the first notification is reported as new");
    assert_eq!((closed.state, closed.is_open, closed.is_notified), (State::Rejected, false, true));
}

#[test]
fn notice_revokes_a_decision_that_the_order_was_not_executed() {
    let decide = |mut progress: Progress| {
        progress.act(15, Action::Decide(Decision::NotExecuted)).unwrap();
        progress
    };
    let mut failed = claimed(&decide(unknown()));
    failed.release(16, &unhandled(Ended::Decided)).unwrap();
    for mut progress in [decide(unknown()), claimed(&decide(unknown())), decide(Progress::new(0, None)), failed] {
        assert!(progress.notice(20));
        assert_eq!((progress.state, progress.decision, progress.due_at), (State::Unknown, None, Some(20)));
        assert!(!progress.is_leased && progress.history.sends == 1);
        assert!(progress.complete(Ended::Decided).is_err());
        assert!(claimed(&progress).release(21, &unhandled(Ended::Decided)).is_err());
        // The operator decided again after the notification arrived. Repeating the notification does not revoke the
        // new decision.
        let mut progress = decide(progress);
        progress.notice(30);
        assert_eq!(progress.decision, Some(Decision::NotExecuted));
        claimed(&progress).complete(Ended::Decided).unwrap();
    }
    let mut executed = unknown();
    executed.act(15, Action::Decide(Decision::Executed)).unwrap();
    executed.notice(20);
    assert_eq!(executed.decision, Some(Decision::Executed));
}

#[test]
fn repeated_recovery_keeps_the_schedule() {
    let mut progress = Progress::new(0, Some(5_000));
    for now in [10, 20, 30] {
        assert!(progress.recover(now, Some(5_000)));
        assert_eq!(progress.due_at, Some(5_000));
    }
    let mut early = claimed(&Progress::new(0, None));
    assert!(early.begin_send(4_999, Some(5_000)).is_err());
    early.begin_send(5_000, Some(5_000)).unwrap();
}

#[test]
fn decided_order_is_not_claimed_again_until_its_delay_has_elapsed() {
    let mut decided = unknown();
    decided.act(15, Action::Decide(Decision::Executed)).unwrap();
    decided.release(16, &OrderRelease::GiveBack { after: LEASE, cause: None }).unwrap();
    assert_eq!(decided.due_at, Some(16), "the decision arrived during the attempt");
    let mut decided = claimed(&decided);
    decided.release(20, &OrderRelease::GiveBack { after: LEASE, cause: None }).unwrap();
    assert_eq!(decided.due_at, Some(20 + 60_000));
    let mut decided = claimed(&decided);
    let release = OrderRelease::Unhandled { ended: Ended::Decided, after: None, cause: "unreadable".into() };
    decided.release(30, &release).unwrap();
    assert_eq!((decided.state, decided.due_at), (State::Decided, None));
    decided.act(40, Action::Retry).unwrap();
    assert_eq!(decided.due_at, Some(40));
}

#[test]
fn order_with_a_known_outcome_is_closed_without_its_handler() {
    let mut progress = unknown();
    assert_eq!(progress.act(15, Action::Close), Err(ActionError::Undecided));
    progress.act(15, Action::Decide(Decision::Executed)).unwrap();
    let fence = progress.fence;
    progress.act(16, Action::Close).unwrap();
    assert_eq!((progress.state, progress.is_open, progress.due_at), (State::Decided, false, None));
    assert!(progress.fence > fence && !progress.is_leased);
    assert_eq!(progress.act(17, Action::Close), Err(ActionError::Completed));
    let mut rejected = rejected();
    rejected.act(20, Action::Close).unwrap();
    assert_eq!((rejected.state, rejected.is_open), (State::Rejected, false));
}

#[test]
fn order_that_was_never_sent_cannot_be_marked_as_executed() {
    let stuck = |history| {
        let mut progress = claimed(&Progress::new(0, None));
        progress.begin_send(11, None).unwrap();
        progress.release(12, &OrderRelease::Stuck { history, cause: "no connection".into() }).unwrap();
        assert_eq!(progress.state, State::Stuck);
        progress
    };
    let unsent = stuck(History::new());
    let mut progress = unsent.clone();
    assert_eq!(progress.act(20, Action::Decide(Decision::Executed)), Err(ActionError::NotSent));
    assert_eq!(progress, unsent, "a refused decision changes nothing");
    progress.act(20, Action::Retry).unwrap();
    assert_eq!((progress.state, progress.due_at), (State::Recorded, Some(20)));
    claimed(&progress).begin_send(21, None).unwrap();
    let mut progress = unsent.clone();
    progress.act(20, Action::Decide(Decision::NotExecuted)).unwrap();
    assert!(claimed(&progress).begin_send(21, None).is_err());
    // After a notification or a restored backup, the order is treated as sent.
    let (mut noticed, mut recovered) = (unsent.clone(), unsent);
    noticed.notice(20);
    recovered.recover(20, None);
    let mut history = History::new();
    history.begin_send(SystemTime::UNIX_EPOCH);
    for mut progress in [noticed, recovered, stuck(history)] {
        progress.act(21, Action::Decide(Decision::Executed)).unwrap();
    }
}

#[test]
fn order_being_sent_cannot_be_decided_before_its_lease_expires() {
    let mut progress = claimed(&Progress::new(0, None));
    progress.begin_send(11, None).unwrap();
    let (fence, end) = (progress.fence, progress.due_at.unwrap());
    assert_eq!(progress.act(end - 1, Action::Decide(Decision::Executed)), Err(ActionError::Sending));
    progress.act(end, Action::Decide(Decision::Executed)).unwrap();
    assert!(progress.fence > fence && !progress.is_leased);
    assert_eq!((progress.state, progress.due_at), (State::Unknown, Some(end)));
    claimed(&progress).complete(Ended::Decided).unwrap();
}

#[test]
fn attempt_that_ends_before_its_send_is_counted_keeps_the_history() {
    let mut progress = claimed(&Progress::new(0, None));
    let release = OrderRelease::NotSent { history: History::new(), after: LEASE, cause: "no file".into() };
    progress.release(12, &release).unwrap();
    assert_eq!((progress.state, progress.history.sends), (State::Recorded, 0));
    // A notification that arrives during the attempt is kept.
    let mut progress = claimed(&progress);
    progress.notice(70_000);
    progress.release(70_001, &release).unwrap();
    assert_eq!((progress.state, progress.history.sends, progress.due_at), (State::Unknown, 1, Some(70_001)));
}

#[test]
fn missing_payload_key_does_not_replace_the_cause_of_the_last_failure() {
    let mut progress = unknown();
    progress.cause = Some("no response".into());
    let obstacle = "payload key 3 is missing: restore the key file; earlier: no response";
    progress.release(13, &OrderRelease::GiveBack { after: LEASE, cause: Some(obstacle.into()) }).unwrap();
    assert_eq!(progress.cause.as_deref(), Some(obstacle));
    assert_eq!(claimed(&progress).cause.as_deref(), Some("no response"));
}
