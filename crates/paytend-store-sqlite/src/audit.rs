//! The audit log of operator actions.

use paytend_inbox::{AuditEntry, AuditEvent, AuditQuery, Id};
use rusqlite::{Connection, Transaction, params};

use crate::clock::{millis, system_time};

pub(crate) fn record(transaction: &Transaction<'_>, now: i64, event: &AuditEvent) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached("INSERT INTO paytend_audit (at, action, id, operator, detail) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![now, event.action, event.id.map(Id::get), event.operator, event.detail])
        .map(drop)
}

pub(crate) fn list(connection: &Connection, query: &AuditQuery) -> Result<Vec<AuditEntry>, rusqlite::Error> {
    let parameters = params![
        query.before.unwrap_or(i64::MAX),
        query.since.map_or(i64::MIN, millis),
        query.id.map(Id::get),
        i64::try_from(query.limit).unwrap_or(i64::MAX),
    ];
    connection
        .prepare_cached(
            "SELECT number, at, action, id, operator, detail FROM paytend_audit \
             WHERE number < ?1 AND at >= ?2 AND (?3 IS NULL OR id = ?3) ORDER BY number DESC LIMIT ?4",
        )?
        .query_map(parameters, |row| {
            let event = AuditEvent::new(row.get::<_, String>(2)?, row.get::<_, String>(4)?);
            let event = event.id(row.get::<_, Option<i64>>(3)?.map(Id::new)).detail(row.get(5)?);
            Ok(AuditEntry { number: row.get(0)?, at: system_time(row.get(1)?), event })
        })?
        .collect()
}
