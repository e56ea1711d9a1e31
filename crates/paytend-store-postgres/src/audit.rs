//! The audit log of operator actions.

use deadpool_postgres::Transaction;
use paytend_inbox::{AuditEntry, AuditEvent, AuditQuery, Id};

use crate::error::OpError;
use crate::rows::{get, limit, millis_of, system_time, text};

pub(crate) async fn record(transaction: &Transaction<'_>, event: &AuditEvent) -> Result<(), OpError> {
    let sql = "INSERT INTO paytend_audit (action, id, operator, detail) VALUES ($1, $2, $3, $4)";
    let (action, id): (&str, _) = (&event.action, event.id.map(Id::get));
    transaction.execute(sql, &[&action, &id, &text(&event.operator), &event.detail.as_deref().map(text)]).await?;
    Ok(())
}

pub(crate) async fn list(transaction: &Transaction<'_>, query: &AuditQuery) -> Result<Vec<AuditEntry>, OpError> {
    let sql = format!(
        "SELECT number, {}, action, id, operator, detail FROM paytend_audit \
         WHERE number < $1 AND ($2::timestamptz IS NULL OR at >= $2) AND ($3::bigint IS NULL OR id = $3) \
         ORDER BY number DESC LIMIT $4",
        millis_of("at")
    );
    let (before, id) = (query.before.unwrap_or(i64::MAX), query.id.map(Id::get));
    let rows = transaction.query(&sql, &[&before, &query.since, &id, &limit(query.limit)]).await?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in &rows {
        let event = AuditEvent::new(get::<String>(row, 2)?, get::<String>(row, 4)?);
        let event = event.id(get::<Option<i64>>(row, 3)?.map(Id::new)).detail(get(row, 5)?);
        entries.push(AuditEntry { number: get(row, 0)?, at: system_time(get(row, 1)?), event });
    }
    Ok(entries)
}
