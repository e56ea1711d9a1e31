//! Stores several new notifications with few statements.

use std::borrow::Cow;
use std::collections::HashMap;

use deadpool_postgres::Transaction;
use futures_util::join;
use paytend_inbox::{Id, NewNotification};
use tokio_postgres::types::ToSql;

use crate::error::OpError;
use crate::locks::{lock_keys, lock_number};
use crate::payloads::DAY;
use crate::plans::use_indexes;
use crate::rows::{get, text};

/// Inserts the facts in the order of the dedup keys. All transactions use this order, so that they cannot deadlock.
const INSERT: &str = "INSERT INTO paytend_notification AS n (dedup, content_tag, route, kind, notify_type, \
     business_kind, business_id, business_state, order_key, verified_by, traceparent, sent_at) \
     SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], \
     $8::text[], $9::bytea[], $10::text[], $11::text[], $12::bigint[]) AS new(dedup) ORDER BY new.dedup \
     ON CONFLICT (dedup) DO NOTHING RETURNING n.id, n.dedup, ";

/// Stores the content, and queues each notification after the pending notifications with the same order key.
const ENQUEUE: &str = "WITH new AS MATERIALIZED (SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], \
     $4::bytea[], $5::bytea[]) AS new(id, day, key_id, nonce, sealed)), \
     stored AS (INSERT INTO paytend_payload (received_on, id, key_id, nonce, sealed) \
     SELECT day::date, id, key_id, nonce, sealed FROM new) \
     INSERT INTO paytend_work (id, kind, order_key, ready, state, fence, tries, due_at, is_sighting, again) \
     SELECT n.id, n.kind, n.order_key, \
     NOT EXISTS (SELECT 1 FROM paytend_work w WHERE w.order_key = n.order_key), \
     0, 0, 0, paytend_now(), false, false FROM new JOIN paytend_notification n ON n.id = new.id ORDER BY n.id";

/// Stores new notifications, at most one for each order key. Returns the ID and day of each notification, or `None` if
/// the notification is already stored.
pub(crate) async fn insert(
    transaction: &Transaction<'_>,
    new: &[NewNotification],
) -> Result<Vec<Option<(Id, String)>>, OpError> {
    let keys = new.iter().filter_map(|new| new.facts.order_key.as_ref());
    let locking = lock_keys(transaction, keys.map(|key| lock_number(key.as_bytes())).collect());
    let (planned, locked) = join!(use_indexes(transaction), locking);
    planned?;
    locked?;
    let mut inserted = insert_facts(transaction, new).await?;
    let (mut ids, mut days, mut key_ids, mut nonces, mut sealed) = (vec![], vec![], vec![], vec![], vec![]);
    let mut stored = Vec::with_capacity(new.len());
    for new in new {
        // A duplicate in the same call counts as already stored.
        let Some((id, day)) = inserted.remove(new.facts.dedup.as_bytes().as_slice()) else {
            stored.push(None);
            continue;
        };
        let payload = new.payload.seal(id)?;
        ids.push(id.get());
        days.push(day.clone());
        key_ids.push(i64::from(payload.key_id));
        nonces.push(payload.nonce.to_vec());
        sealed.push(payload.ciphertext);
        stored.push(Some((id, day)));
    }
    if !ids.is_empty() {
        let statement = transaction.prepare_cached(ENQUEUE).await?;
        transaction.execute(&statement, &[&ids, &days, &key_ids, &nonces, &sealed]).await?;
    }
    Ok(stored)
}

/// Inserts the facts. Returns the IDs and days by dedup key.
async fn insert_facts(
    transaction: &Transaction<'_>,
    new: &[NewNotification],
) -> Result<HashMap<Vec<u8>, (Id, String)>, OpError> {
    let facts = || new.iter().map(|new| &new.facts);
    let dedup: Vec<&[u8]> = facts().map(|facts| facts.dedup.as_bytes().as_slice()).collect();
    let tag: Vec<&[u8]> = facts().map(|facts| facts.content_tag.as_bytes().as_slice()).collect();
    let route: Vec<&str> = facts().map(|facts| facts.route.as_str()).collect();
    let kind: Vec<_> = facts().map(|facts| text(facts.kind.as_str())).collect();
    let notify_type: Vec<_> = facts().map(|facts| text(&facts.notify_type)).collect();
    let business_kind: Vec<_> = facts().map(|facts| optional(facts.business_kind.as_ref())).collect();
    let business_id: Vec<_> = facts().map(|facts| optional(facts.business_id.as_ref())).collect();
    let business_state: Vec<_> = facts().map(|facts| optional(facts.business_state.as_ref())).collect();
    let order_key: Vec<Option<&[u8]>> =
        facts().map(|facts| facts.order_key.as_ref().map(|key| key.as_bytes().as_slice())).collect();
    let verified_by: Vec<_> = facts().map(|facts| text(&facts.verified_by)).collect();
    let traceparent: Vec<_> = facts().map(|facts| optional(facts.traceparent.as_ref())).collect();
    let sent_at: Vec<Option<i64>> = facts().map(|facts| facts.sent_at).collect();
    let columns: [&(dyn ToSql + Sync); 12] = [
        &dedup,
        &tag,
        &route,
        &kind,
        &notify_type,
        &business_kind,
        &business_id,
        &business_state,
        &order_key,
        &verified_by,
        &traceparent,
        &sent_at,
    ];
    let statement = transaction.prepare_cached(&format!("{INSERT}{DAY}")).await?;
    let rows = transaction.query(&statement, &columns).await?;
    rows.iter().map(|row| Ok((get(row, 1)?, (Id::new(get(row, 0)?), get(row, 2)?)))).collect()
}

/// Replaces characters that PostgreSQL text values cannot contain. The encrypted content still contains them.
fn optional(value: Option<&String>) -> Option<Cow<'_, str>> {
    value.map(|value| text(value))
}
