//! Tests of the index.

use super::*;

fn key() -> Mac {
    Mac::from_bytes([1; 32])
}

fn record(id: i64, state: StoredState) -> Record {
    let mut record = Record::new(id, "kind".into(), Some(key()), 10);
    record.state = state;
    record
}

fn dedup(id: i64) -> Mac {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&id.to_be_bytes());
    Mac::from_bytes(bytes)
}

fn claimable(index: &Index) -> Vec<i64> {
    let request = ClaimRequest { limit: 9, lease: Duration::ZERO, holder: 1, kind_limits: Vec::new() };
    index.candidates(10, &request, 0).into_iter().map(|candidate| candidate.record.id).collect()
}

#[test]
fn records_that_arrive_before_their_notification_or_out_of_order_are_kept() {
    let mut index = Index::default();
    assert!(index.apply(dedup(1), 5, record(1, StoredState::Done)));
    assert!(!index.add(dedup(1), record(1, StoredState::Ready)));
    assert!(!index.apply(dedup(1), 4, record(1, StoredState::Leased)));
    assert_eq!(index.known(1).unwrap().state, StoredState::Done);
    assert_eq!((index.stats(10).done, index.stats(10).ready), (1, 0));
    index.remove(1, dedup(2));
    assert_eq!(index.stats(10).done, 1);
    index.remove(1, dedup(1));
    assert_eq!(index.stats(10), Stats::default());
}

#[test]
fn notification_in_the_register_blocks_its_key_until_it_is_read() {
    let mut index = Index::default();
    index.add(dedup(1), record(1, StoredState::Ready));
    index.apply_order(key(), 7, Some(5));
    assert_eq!(claimable(&index), Vec::<i64>::new());
    index.settle_awaited(4);
    assert_eq!(claimable(&index), Vec::<i64>::new());
    // The notification is pending, so it stays the current notification.
    index.add(dedup(5), record(5, StoredState::Ready));
    index.settle_awaited(5);
    assert_eq!(claimable(&index), [5]);
    index.apply(dedup(5), 9, record(5, StoredState::Done));
    assert_eq!(claimable(&index), [1]);
    // The register names a notification that no longer exists.
    index.apply_order(key(), 10, Some(8));
    assert_eq!(index.order_problems(), Vec::<String>::new());
    index.settle_awaited(8);
    assert_eq!(claimable(&index), [1]);
    // A register that is older than the last register changes nothing.
    index.apply_order(key(), 8, Some(99));
    assert_eq!(claimable(&index), [1]);
}

#[test]
fn redriven_notification_is_not_selected_by_an_earlier_register() {
    let mut index = Index::default();
    index.apply(dedup(1), 6, record(1, StoredState::Dead));
    index.add(dedup(2), record(2, StoredState::Ready));
    index.apply(dedup(1), 7, record(1, StoredState::Ready));
    index.apply_order(key(), 5, Some(1));
    assert_eq!(claimable(&index), [2]);
    index.apply_order(key(), 8, Some(1));
    assert_eq!(claimable(&index), [1]);
    // An index that has read only the record after the redrive does not recognize the redrive. Therefore, it applies
    // the register.
    let mut index = Index::default();
    index.add(dedup(2), record(2, StoredState::Ready));
    index.apply(dedup(1), 7, record(1, StoredState::Ready));
    index.apply_order(key(), 5, Some(1));
    assert_eq!(claimable(&index), [1]);
}

#[test]
fn redriven_notification_waits_for_the_current_notification() {
    let mut index = Index::default();
    index.apply(dedup(1), 1, record(1, StoredState::Dead));
    index.apply(dedup(2), 2, record(2, StoredState::Leased));
    index.apply(dedup(1), 3, record(1, StoredState::Ready));
    index.add(dedup(3), record(3, StoredState::Ready));
    assert_eq!(claimable(&index), [2], "the notification's lease has expired");
    index.apply(dedup(2), 4, record(2, StoredState::Done));
    assert_eq!(claimable(&index), [1]);
    index.apply(dedup(1), 5, record(1, StoredState::Dead));
    assert_eq!(claimable(&index), [3]);
}

#[test]
fn message_determines_which_notification_has_an_id() {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in orders {
        let mut index = Index::default();
        for event in order {
            match event {
                0 => drop(index.add(dedup(1), record(5, StoredState::Ready))),
                1 => drop(index.apply(dedup(1), 3, record(5, StoredState::Leased))),
                _ => drop(index.apply(dedup(2), 4, record(5, StoredState::Done))),
            }
        }
        let known = index.known(5).unwrap();
        assert_eq!((known.dedup, known.state, known.has_message), (dedup(1), StoredState::Leased, true), "{order:?}");
        assert_eq!(index.displaced(), [dedup(2)]);
        assert_eq!((index.stats(10).leased, index.stats(10).done), (1, 0));
        // The notification that lost its ID is stored again with a new ID.
        let mut again = record(6, StoredState::Done);
        again.formerly = Some(5);
        index.apply(dedup(2), 9, again);
        assert_eq!((index.displaced(), index.stats(10).leased, index.stats(10).done), (vec![], 1, 1));
    }
}

#[test]
fn notification_without_a_message_is_delayed_until_its_record_changes() {
    let mut index = Index::default();
    index.add(dedup(1), record(1, StoredState::Ready));
    assert!(!index.delay(1, 11));
    assert_eq!(claimable(&index), Vec::<i64>::new());
    assert!(index.delay(1, 10));
    assert_eq!(claimable(&index), [1]);
    index.delay(1, 99);
    index.apply(dedup(1), 4, record(1, StoredState::Backoff));
    assert_eq!(claimable(&index), [1]);
    assert!(!index.delay(1, 11));
}

#[test]
fn forgotten_notification_is_removed_unless_its_record_has_changed() {
    let mut index = Index::default();
    index.apply(dedup(1), 4, record(1, StoredState::Done));
    index.forget(1, 3);
    index.apply(dedup(1), 5, record(1, StoredState::Ready));
    index.forget(1, 4);
    assert_eq!(claimable(&index), [1]);
    index.forget(1, 5);
    assert!(index.known(1).is_none());
}

#[test]
fn missing_current_notification_is_skipped_after_a_delay() {
    let mut index = Index::default();
    index.add(dedup(1), record(1, StoredState::Ready));
    index.apply_order(key(), 7, Some(5));
    index.settle_missing(Duration::from_secs(60));
    assert_eq!(claimable(&index), Vec::<i64>::new());
    index.settle_missing(Duration::ZERO);
    assert_eq!(claimable(&index), [1]);
}

#[test]
fn record_that_is_read_before_an_earlier_message_does_not_change_the_order() {
    // The record of the second notification exists because a duplicate of it has arrived. It is read first.
    let mut index = Index::default();
    index.apply(dedup(2), 5, record(2, StoredState::Ready));
    assert_eq!(claimable(&index), [2]);
    index.add(dedup(1), record(1, StoredState::Ready));
    index.add(dedup(2), record(2, StoredState::Ready));
    assert_eq!(claimable(&index), [1]);
    index.apply(dedup(1), 6, record(1, StoredState::Done));
    assert_eq!(claimable(&index), [2]);
    // The same applies if the first notification was attempted, and its record was written after the second record.
    let mut index = Index::default();
    index.apply(dedup(2), 5, record(2, StoredState::Ready));
    let mut attempted = record(1, StoredState::Backoff);
    attempted.fence = 1;
    index.apply(dedup(1), 6, attempted);
    assert_eq!(claimable(&index), [1]);
}

#[test]
fn earlier_message_does_not_replace_a_notification_that_is_being_processed() {
    // The register names the second notification.
    let mut index = Index::default();
    index.apply(dedup(2), 5, record(2, StoredState::Ready));
    index.apply_order(key(), 6, Some(2));
    index.add(dedup(1), record(1, StoredState::Ready));
    assert_eq!(claimable(&index), [2]);
    // It was claimed.
    let mut index = Index::default();
    let mut claimed = record(2, StoredState::Leased);
    claimed.fence = 1;
    index.apply(dedup(2), 5, claimed);
    index.add(dedup(1), record(1, StoredState::Ready));
    assert_eq!(claimable(&index), [2]);
    // The first notification was redriven, so it waits for the second notification.
    let mut index = Index::default();
    index.apply(dedup(1), 4, record(1, StoredState::Dead));
    index.add(dedup(2), record(2, StoredState::Ready));
    index.apply(dedup(1), 5, record(1, StoredState::Ready));
    assert_eq!(claimable(&index), [2]);
}

#[test]
fn renewed_notification_keeps_its_place() {
    let mut index = Index::default();
    let mut claimed = record(1, StoredState::Leased);
    claimed.fence = 1;
    index.apply(dedup(1), 4, claimed.clone());
    index.apply_order(key(), 5, Some(1));
    claimed.id = 2;
    index.apply(dedup(2), 6, claimed);
    // The record of the first notification is not found on a server that is behind.
    index.renew(dedup(1), record(1, StoredState::Ready));
    assert_eq!((claimable(&index), index.known(1).unwrap().sequence), (vec![1], 0));
    index.renew(dedup(3), record(3, StoredState::Ready));
    assert!(index.known(3).is_some());
}

#[test]
fn deleted_register_is_written_again() {
    let mut index = Index::default();
    assert!(!index.has_pending(key()));
    index.add(dedup(1), record(1, StoredState::Ready));
    index.apply_order(key(), 7, Some(1));
    index.remove_register(key());
    let request = ClaimRequest { limit: 9, lease: Duration::ZERO, holder: 1, kind_limits: Vec::new() };
    assert_eq!(index.candidates(10, &request, 0)[0].order, Some((key(), 0)));
    assert!(index.has_pending(key()));
    index.apply(dedup(1), 8, record(1, StoredState::Done));
    assert!(!index.has_pending(key()));
}
