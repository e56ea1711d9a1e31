//! Reads the notifications in an inbox.

use std::path::Path;
use std::time::{Duration, SystemTime};

use paytend_inbox::{
    AnyNotification, Entry as Stored, Inbox, NotificationType as _, Query, StoreAdmin as _, StoredPayload, types,
};
use paytend_model::Content;
use paytend_reconcile::{Entry, EntryTime, List, Notifications};

use crate::cmd::inbox::any_store::AnyStore;
use crate::cmd::inbox::store::StoreArgs;
use crate::exit::Failure;

/// The maximum number of notifications read from the store at once.
const PAGE: usize = 1_000;

/// Reads the notifications that were received at or after `since`, a time in milliseconds since the Unix epoch. Later
/// notifications are always read, because a notification can arrive days after its transaction.
pub(super) async fn notifications(args: &StoreArgs, key: Option<&Path>, since: i64) -> Result<Notifications, Failure> {
    let store = args.open().await?;
    let inbox = Inbox::open(store, args.name(None)?.keys(key)?).await?;
    let since = u64::try_from(since).ok().map(|millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
    let mut query = Query { since, limit: PAGE, ..Query::default() };
    let mut notifications = Notifications::new();
    loop {
        let listed = inbox.store().list(query.clone()).await?;
        for entry in &listed {
            if is_of_transaction(entry) {
                add(&inbox, entry, &mut notifications).await?;
            } else {
                notifications.ignore();
            }
        }
        match listed.last() {
            Some(last) if listed.len() == PAGE => query.after = Some(last.id),
            _ => return Ok(notifications),
        }
    }
}

/// Returns whether a notification is about a Paytend transaction.
fn is_of_transaction(entry: &Stored) -> bool {
    let kinds = [types::CardTransaction::KIND, types::FundDeposit::KIND, types::PaymentFailure::KIND];
    entry.facts.route.product().is_some() && kinds.contains(&entry.facts.kind)
}

/// Decrypts a notification and adds it to the list. If its content was removed, adds an unreadable entry with its ID,
/// time and number.
async fn add(inbox: &Inbox<AnyStore>, listed: &Stored, notifications: &mut Notifications) -> Result<(), Failure> {
    // `None` leaves the access out of the audit log, because the report contains only identifiers and amounts.
    let Some(entry) = inbox.store().show(listed.id, None).await? else { return Ok(()) };
    let facts = &entry.facts;
    let payload = entry.payload.as_ref().unwrap_or(&StoredPayload::Dropped);
    let (reference, received) = (entry.id.to_string(), millis(entry.received_at));
    let Some(content) = inbox.open_payload(entry.id, facts, payload)? else {
        let mut removed = Entry::new(List::Notifications, reference);
        removed.time = Some(EntryTime::Millis(received));
        removed.unreadable.push("content".to_owned());
        if facts.kind == types::PaymentFailure::KIND {
            removed.order_no = facts.business_id.clone();
        } else {
            removed.trade_no = facts.business_id.clone();
        }
        if facts.kind == types::FundDeposit::KIND {
            removed.kind = Some(paytend_reconcile::Kind::Deposit);
        }
        notifications.push_entry(removed);
        return Ok(());
    };
    match AnyNotification::read(facts.route, &facts.notify_type, &content) {
        AnyNotification::Paytend(content @ Content::Typed(_)) => notifications.push(reference, received, &content),
        _ => notifications.push_unreadable(reference, received),
    }
    Ok(())
}

pub(super) fn millis(time: SystemTime) -> i64 {
    let after = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(after.as_millis()).unwrap_or(i64::MAX)
}
