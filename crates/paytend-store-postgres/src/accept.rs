//! Stores notifications and sightings.

use std::collections::HashMap;
use std::slice;

use deadpool_postgres::Transaction;
use futures_util::join;
use paytend_inbox::{Accepted, Id, Mac, NewNotification};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::batch;
use crate::error::OpError;
use crate::locks::lock_key;
use crate::plans::use_indexes;
use crate::rows::{count, get};

/// The row of a notification that is already stored.
struct Known {
    id: i64,
    content_tag: Vec<u8>,
    order_key: Option<Vec<u8>>,
}

/// The result of storing a notification.
pub(crate) struct Stored {
    pub(crate) accepted: Accepted,
    /// The day (UTC) of a new notification, or `None` for a duplicate.
    pub(crate) day: Option<String>,
}

/// Stores a notification. If it is already stored, records a sighting instead. Returns `None` if a concurrent
/// transaction has stored the notification. The caller then tries again in a new transaction. If the sighting were
/// recorded in the same transaction, it could deadlock, because it waits for completions that wait for the order key's
/// lock.
pub(crate) async fn accept(transaction: &Transaction<'_>, new: &NewNotification) -> Result<Option<Stored>, OpError> {
    if let Some(known) = find(transaction, &new.facts.dedup).await? {
        return sight(transaction, new, &known).await.map(Some);
    }
    // While the order key is locked, IDs are assigned in commit order, and no completion misses the new notification.
    let inserted = batch::insert(transaction, slice::from_ref(new)).await?.pop().flatten();
    Ok(inserted.map(|(id, day)| Stored { accepted: Accepted::New(id), day: Some(day) }))
}

/// Stores sightings of known notifications. The notifications must not be of a kind that is requeued when a duplicate
/// arrives.
pub(crate) async fn accept_known(
    transaction: &Transaction<'_>,
    again: &[&NewNotification],
) -> Result<Vec<Option<Accepted>>, OpError> {
    let sql = "SELECT id, content_tag, order_key, dedup FROM paytend_notification WHERE dedup = ANY($1) \
         ORDER BY id FOR NO KEY UPDATE";
    let statement = transaction.prepare_cached(sql).await?;
    let dedups: Vec<&[u8]> = again.iter().map(|new| new.facts.dedup.as_bytes().as_slice()).collect();
    let mut known = HashMap::new();
    let values: [&(dyn ToSql + Sync); 1] = [&dedups];
    let (planned, rows) = join!(use_indexes(transaction), transaction.query(&statement, &values));
    for row in planned.and(rows)? {
        known.insert(get::<Vec<u8>>(&row, 3)?, read_known(&row)?);
    }
    let mut accepted = Vec::with_capacity(again.len());
    for new in again {
        accepted.push(match known.get(new.facts.dedup.as_bytes().as_slice()) {
            Some(known) => Some(sight(transaction, new, known).await?.accepted),
            None => None,
        });
    }
    Ok(accepted)
}

/// Finds a stored notification, and locks its row against other sightings.
async fn find(transaction: &Transaction<'_>, dedup: &Mac) -> Result<Option<Known>, OpError> {
    let sql = "SELECT id, content_tag, order_key FROM paytend_notification WHERE dedup = $1 FOR NO KEY UPDATE";
    let statement = transaction.prepare_cached(sql).await?;
    let dedup = dedup.as_bytes().as_slice();
    let values: [&(dyn ToSql + Sync); 1] = [&dedup];
    let (planned, row) = join!(use_indexes(transaction), transaction.query_opt(&statement, &values));
    planned.and(row)?.map(|row| read_known(&row)).transpose()
}

fn read_known(row: &Row) -> Result<Known, OpError> {
    Ok(Known { id: get(row, 0)?, content_tag: get(row, 1)?, order_key: get(row, 2)? })
}

/// Queues a notification after the pending notifications with the same order key. The caller must hold the key's lock.
/// The next claim continues from the last fence of the notification, even if it was completed.
pub(crate) async fn enqueue(
    transaction: &Transaction<'_>,
    id: i64,
    fence: i64,
    is_sighting: bool,
    cause: Option<&str>,
) -> Result<(), OpError> {
    let sql = "INSERT INTO paytend_work \
         (id, kind, order_key, ready, state, fence, tries, due_at, is_sighting, again, cause) \
         SELECT n.id, n.kind, n.order_key, \
         NOT EXISTS (SELECT 1 FROM paytend_work w WHERE w.order_key = n.order_key), \
         0, $2, 0, paytend_now(), $3, false, $4 \
         FROM paytend_notification n WHERE n.id = $1 ON CONFLICT (id) DO NOTHING";
    let statement = transaction.prepare_cached(sql).await?;
    transaction.execute(&statement, &[&id, &fence, &is_sighting, &cause]).await?;
    Ok(())
}

async fn sight(transaction: &Transaction<'_>, new: &NewNotification, known: &Known) -> Result<Stored, OpError> {
    let sql = "INSERT INTO paytend_sighting (id, number, sent_at, same_content) \
         SELECT $1, coalesce(max(number), 0) + 1, $2, $3 FROM paytend_sighting WHERE id = $1 RETURNING number";
    let statement = transaction.prepare_cached(sql).await?;
    let same_content = known.content_tag == new.facts.content_tag.as_bytes();
    let row = transaction.query_one(&statement, &[&known.id, &new.facts.sent_at, &same_content]).await?;
    let sighting = count(&row, 0)?;
    if new.requeue_sighting {
        requeue(transaction, known).await?;
    }
    Ok(Stored { accepted: Accepted::Duplicate { id: Id::new(known.id), sighting }, day: None })
}

/// Ensures that another attempt begins after the duplicate, unless the notification is a dead letter.
async fn requeue(transaction: &Transaction<'_>, known: &Known) -> Result<(), OpError> {
    // The statement waits for a completion in progress. If the current run has begun, its handler may already have
    // queried the state, so another run is necessary.
    let sql = "UPDATE paytend_work SET again = again OR fence > coalesce((SELECT max(fence) FROM paytend_outcome \
         WHERE id = $1 AND result = 'done'), 0) WHERE id = $1";
    let statement = transaction.prepare_cached(sql).await?;
    if transaction.execute(&statement, &[&known.id]).await? > 0 {
        return Ok(());
    }
    if let Some(key) = &known.order_key {
        lock_key(transaction, key).await?;
    }
    let sql = "SELECT (SELECT fence FROM paytend_outcome WHERE id = $1 ORDER BY fence DESC LIMIT 1), \
         (SELECT cause FROM paytend_outcome WHERE id = $1 ORDER BY fence DESC LIMIT 1), \
         EXISTS (SELECT 1 FROM paytend_dead WHERE id = $1)";
    let statement = transaction.prepare_cached(sql).await?;
    let row = transaction.query_one(&statement, &[&known.id]).await?;
    if get::<bool>(&row, 2)? {
        return Ok(());
    }
    let (fence, cause): (Option<i64>, Option<String>) = (get(&row, 0)?, get(&row, 1)?);
    enqueue(transaction, known.id, fence.unwrap_or_default(), true, cause.as_deref()).await
}
