//! The audit log of operator actions.
//!
//! Each event is the only message with its subject, in the work stream. Events are never replaced or deleted.

use std::collections::VecDeque;

use async_nats::jetstream::message::PublishMessage;
use paytend_inbox::{AuditEntry, AuditEvent, AuditQuery, Id, StoreError};
use serde::{Deserialize, Serialize};

use crate::clock::{millis, stored_at, system_time};
use crate::message::corrupt;
use crate::scan::read_all;
use crate::store::Shared;
use crate::streams::{Log, Written, operation_id};

/// The action reported for an event that cannot be read.
const UNREADABLE: &str = "unreadable";

/// The stored form of an event.
#[derive(Serialize, Deserialize)]
struct StoredEvent {
    at: i64,
    action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    operator: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Stores an event.
pub(crate) async fn record(shared: &Shared, event: &AuditEvent) -> Result<(), StoreError> {
    let stored = StoredEvent {
        at: shared.clock.now(),
        action: event.action.clone().into_owned(),
        id: event.id.map(Id::get),
        operator: event.operator.clone(),
        detail: event.detail.clone(),
    };
    let json = serde_json::to_vec(&stored).map_err(|_| corrupt())?;
    let subject = shared.streams.names.audit(event.id, &operation_id()?);
    match shared.streams.put(Log::Work, &subject, PublishMessage::build().payload(json.into()), 0).await? {
        Written::At(_) => Ok(()),
        Written::Conflict => Err(StoreError::unavailable("the event was not recorded: try again")),
    }
}

/// Returns events, latest first. Reads all events or, if the query specifies a notification, all events about this
/// notification.
pub(crate) async fn list(shared: &Shared, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
    let names = &shared.streams.names;
    let subject = query.id.map_or_else(|| names.audits(), |id| names.audit(Some(id), "*"));
    let since = query.since.map_or(i64::MIN, millis);
    let mut latest = VecDeque::new();
    let read = read_all(&shared.streams, Log::Work, Some(&subject), |scanned| {
        let number = i64::try_from(scanned.sequence).map_err(|_| corrupt())?;
        let stored = serde_json::from_slice(&scanned.message.payload).unwrap_or_else(|_| StoredEvent {
            at: scanned.message.info().map_or(0, |info| stored_at(info.published)),
            action: UNREADABLE.to_owned(),
            id: None,
            operator: String::new(),
            detail: Some("the event cannot be read".to_owned()),
        });
        let id = stored.id.map(Id::new);
        let is_wanted = stored.at >= since
            && query.before.is_none_or(|before| number < before)
            && query.id.is_none_or(|wanted| id == Some(wanted));
        if is_wanted {
            let event = AuditEvent::new(stored.action, stored.operator).id(id).detail(stored.detail);
            latest.push_front(AuditEntry { number, at: system_time(stored.at), event });
            latest.truncate(query.limit);
        }
        Ok(())
    });
    read.await?;
    Ok(latest.into())
}
