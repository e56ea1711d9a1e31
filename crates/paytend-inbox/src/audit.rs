//! The audit log, which records operator actions.

use std::borrow::Cow;
use std::time::SystemTime;

use crate::terms::Id;

/// An operator action.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEvent {
    /// The action, such as [`REVEAL`](Self::REVEAL).
    pub action: Cow<'static, str>,
    /// The ID of the notification, or `None` if the action concerns several notifications.
    pub id: Option<Id>,
    /// The name of the operator, as set by the program that records the event.
    pub operator: String,
    /// The options that were passed to the action, such as the provider. They must not contain personal data.
    pub detail: Option<String>,
}

impl AuditEvent {
    /// Decrypting and showing the content of a notification.
    pub const REVEAL: &'static str = "reveal";
    /// Making dead letters ready to be processed again.
    pub const REDRIVE: &'static str = "redrive";
    /// Turning a notification into a dead letter.
    pub const BURY: &'static str = "bury";
    /// Erasing the notifications about an object.
    pub const ERASE: &'static str = "erase";
    /// Copying a store to a new file.
    pub const BACKUP: &'static str = "backup";

    /// Creates an event that has no notification ID and no detail.
    pub fn new(action: impl Into<Cow<'static, str>>, operator: impl Into<String>) -> Self {
        Self { action: action.into(), id: None, operator: operator.into(), detail: None }
    }

    /// Sets the ID of the notification that the action concerns.
    #[must_use]
    pub fn id(mut self, id: Option<Id>) -> Self {
        self.id = id;
        self
    }

    /// Sets the options that were passed to the action.
    #[must_use]
    pub fn detail(mut self, detail: Option<String>) -> Self {
        self.detail = detail;
        self
    }
}

/// A recorded event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// The ID of the event. Later events have larger IDs.
    pub number: i64,
    /// The time of the event, by the store's clock.
    pub at: SystemTime,
    /// The action, its operator and its options.
    pub event: AuditEvent,
}

/// Selects events for [`audit`](crate::StoreAdmin::audit).
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Selects only events about this notification.
    pub id: Option<Id>,
    /// Selects only events at this time or later.
    pub since: Option<SystemTime>,
    /// Selects only events with a smaller ID, to request the next page.
    pub before: Option<i64>,
    /// The maximum number of events to return.
    pub limit: usize,
}
