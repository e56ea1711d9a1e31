//! Tests of the record.

use super::*;

fn record() -> Record {
    Record::new(1, "fund-deposit".into(), Some(Mac::from_bytes([7; 32])), 100)
}

#[test]
fn fences_grow_and_attempts_can_be_given_back() {
    let mut record = record();
    for fence in 1..4 {
        record.claim(0, Duration::from_secs(1), 9);
        assert_eq!((record.fence, record.tries, record.due_at), (fence, 1, 1_000));
        let lease = record.lease();
        assert!(record.is_leased_with(lease));
        let others =
            [Lease { id: Id::new(2), ..lease }, Lease { fence: fence - 1, ..lease }, Lease { holder: 8, ..lease }];
        assert!(others.into_iter().all(|other| !record.is_leased_with(other)));
        record.release(5, &Release::GiveBack);
        assert_eq!((record.tries, record.due_at, record.state), (0, 5, StoredState::Ready));
    }
    record.claim(0, Duration::from_secs(1), 9);
    record.release(0, &Release::Retry { after: Duration::MAX, cause: "x".into() });
    assert_eq!(record.due_at, 24 * 3_600_000);
}

#[test]
fn duplicate_during_an_attempt_causes_another_run() {
    let mut record = record();
    record.claim(0, Duration::from_secs(1), 9);
    record.sight(1, true, 1);
    record.complete(2);
    assert_eq!((record.state, record.is_sighting, record.tries, record.due_at), (StoredState::Ready, true, 0, 2));
    // A duplicate before the run begins causes no separate run. A duplicate during an attempt causes another run, even
    // if this attempt fails and the next attempt succeeds.
    record.sight(1, true, 2);
    for (operation, again) in [(3, true), (4, false)] {
        record.claim(0, Duration::from_secs(1), 9);
        assert!(record.sight(1, again, operation));
        assert!(!record.sight(1, again, operation), "a repeated operation changes nothing");
        record.release(2, &Release::Retry { after: Duration::ZERO, cause: "x".into() });
        record.claim(0, Duration::from_secs(1), 9);
        record.complete(2);
        assert_eq!(record.state, if again { StoredState::Ready } else { StoredState::Done });
    }
    assert_eq!((record.sightings, record.completed_runs), (4, 3));
}

#[test]
fn repeated_operations_change_nothing() {
    let mut record = record();
    record.complete(0);
    assert!(record.sight(1, true, 1));
    record.complete(2);
    for operation in 2..=u64::try_from(REMEMBERED).unwrap() {
        assert!(record.sight(3, false, operation));
        assert!(!record.sight(3, true, 1));
    }
    assert_eq!((record.state, record.sightings), (StoredState::Done, REMEMBERED as u64));
    record.bury("x".into());
    assert!(record.redrive(4, 99) && !record.redrive(4, 98));
    record.bury("x".into());
    assert!(!record.redrive(5, 99) && record.recent.len() == REMEMBERED);
}

#[test]
fn record_of_a_lost_message_is_moved_once() {
    let mut record = record();
    record.miss();
    assert!(record.fits(1, 100) && !record.fits(1, 101) && !record.fits(2, 100));
    record.adopt(7, 5, 200);
    assert_eq!((record.state, record.formerly, record.due_at), (StoredState::Ready, Some(1), 7));
    assert!(record.fits(5, 200));
    record.bury("a handler".into());
    record.adopt(8, 5, 300);
    assert_eq!((record.state, record.formerly), (StoredState::Dead, None));
}

#[test]
fn redrive_restores_the_record_that_an_older_program_could_not_read() {
    let mut processed = record();
    processed.claim(0, Duration::from_secs(1), 9);
    processed.complete(0);
    processed.order_key = None;
    let replaced = |original: &Record| {
        let text = serde_json::to_vec(original).unwrap();
        let replaced = record().replacing_unreadable(&text, 9);
        // The dead letter is stored and read again.
        Record::read(&serde_json::to_vec(&replaced).unwrap()).unwrap()
    };
    let mut dead = replaced(&processed);
    assert!(dead.state == StoredState::Dead && dead.sight(1, false, 1) && dead.redrive(2, 2));
    assert_eq!((dead.state, dead.completed_runs, dead.sightings), (StoredState::Done, 1, 1));
    assert!(dead.fence == 9 && dead.order_key.is_none() && !dead.has_original());
    // A duplicate of the dead letter requires another run.
    let mut dead = replaced(&processed);
    assert!(dead.sight(1, true, 1) && dead.redrive(2, 2));
    assert_eq!((dead.state, dead.is_sighting, dead.due_at), (StoredState::Ready, true, 2));
    // The replaced record was pending.
    let mut pending = record();
    pending.claim(0, Duration::from_secs(1), 9);
    let mut dead = replaced(&pending);
    assert!(dead.redrive(2, 2) && dead.attempted);
    assert_eq!((dead.state, dead.tries, dead.due_at), (StoredState::Ready, 0, 2));
    // The replaced record is erased, too, so it does not keep the business ID.
    let facts = serde_json::json!({
        "dedup": "07".repeat(32), "content_tag": "07".repeat(32), "route": "paytend:baas", "kind": "fund-deposit",
        "notify_type": "2", "business_id": "F1", "verified_by": "key",
    });
    let facts: StoredFacts = serde_json::from_value(facts).unwrap();
    processed.removed = Some(Box::new(facts.clone()));
    let mut dead = replaced(&processed);
    assert_eq!(dead.removed.as_deref(), Some(&facts));
    dead.erase(facts);
    assert!(!serde_json::to_string(&dead).unwrap().contains("F1"));
}

#[test]
fn unreadable_record_is_replaced_by_a_dead_letter_with_its_counters() {
    for (payload, fence, runs) in
        [(r#"{"fence":70,"completed_runs":3}"#, 70, 3), (r#"{"fence":4}"#, 9, 0), ("nonsense", 9, 0), ("[]", 9, 0)]
    {
        assert!(Record::read(payload.as_bytes()).is_err());
        let replaced = record().replacing_unreadable(payload.as_bytes(), 9);
        assert_eq!((replaced.fence, replaced.completed_runs, replaced.state), (fence, runs, StoredState::Dead));
    }
    let mut record = record();
    record.id = 0;
    assert!(Record::read(&serde_json::to_vec(&record).unwrap()).is_err());
}

#[test]
fn records_round_trip() {
    let mut record = record();
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    record.order_key = None;
    record.cause = Some("\u{e9}\n".into());
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
}
