//! The audit log, which contains all operator actions.

use std::fmt;
use std::time::SystemTime;

use crate::record::{Audit, AuditEntry};
use crate::terms::millis;

/// Selects operator actions for [`order_audit`](crate::OutboxAdmin::order_audit).
#[derive(Clone, Default)]
pub struct OrderAuditQuery {
    /// Selects only actions on the order with this number.
    pub order: Option<String>,
    /// Selects only actions at this time or later.
    pub since: Option<SystemTime>,
    /// Selects only actions with a smaller ID, to request the next page.
    pub before: Option<i64>,
    /// The maximum number of actions to return.
    pub limit: usize,
}

// The order number can be personal data.
impl fmt::Debug for OrderAuditQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderAuditQuery")
            .field("since", &self.since)
            .field("before", &self.before)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// An operator action in the audit log.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedAction {
    /// The ID of the action. Later actions have larger IDs.
    pub number: i64,
    /// The number of the order, or `None` if the action does not concern a single order.
    pub order: Option<String>,
    /// The action, its time and its operator.
    pub entry: AuditEntry,
}

impl RecordedAction {
    /// Creates a recorded action. A store uses this function when it reads the audit log.
    pub fn new(number: i64, order: Option<String>, entry: AuditEntry) -> Self {
        Self { number, order, entry }
    }
}

// The order number can be personal data.
impl fmt::Debug for RecordedAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedAction")
            .field("number", &self.number)
            .field("entry", &self.entry)
            .finish_non_exhaustive()
    }
}

impl AuditEntry {
    /// The action that is recorded for each order whose content was removed.
    pub const DROP_CONTENT: &'static str = "drop-content";

    /// Creates the entry for a removal of the content of `count` orders that were submitted before `before`.
    pub fn dropped_content(at: SystemTime, before: SystemTime, count: u64, audit: Audit) -> Self {
        let before = jiff::Timestamp::from_millisecond(millis(before)).unwrap_or(jiff::Timestamp::MAX);
        Self::new(at, format!("{} before {before}, orders: {count}", Self::DROP_CONTENT), audit)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn entry_of_removed_content_contains_the_time_and_the_count() {
        let audit = Audit { who: "a test".into(), why: String::new() };
        let entry = |before| AuditEntry::dropped_content(SystemTime::UNIX_EPOCH, before, 7, audit.clone()).action;
        let day = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
        assert_eq!(entry(day), "drop-content before 1970-01-02T00:00:00Z, orders: 7");
        let distant = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
        assert!(entry(distant).ends_with(", orders: 7"));
    }

    #[test]
    fn order_numbers_are_not_in_debug_output() {
        let audit = Audit { who: "a test".into(), why: String::new() };
        let entry = AuditEntry::new(SystemTime::UNIX_EPOCH, "retry".into(), audit);
        let query = OrderAuditQuery { order: Some("SECRET".into()), ..OrderAuditQuery::default() };
        let shown = format!("{query:?} {:?}", RecordedAction::new(1, Some("SECRET".into()), entry));
        assert!(!shown.contains("SECRET"), "{shown}");
    }
}
