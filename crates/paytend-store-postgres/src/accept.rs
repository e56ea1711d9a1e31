//! Storing notifications.

use deadpool_postgres::Transaction;
use paytend_inbox::{Accepted, Facts, Id, Mac, NewNotification};

use crate::error::OpError;
use crate::rows::{count, get};

/// A known notification.
struct Known {
    id: i64,
    content_tag: Vec<u8>,
    order_key: Option<Vec<u8>>,
}

/// Stores a notification, or a sighting if it is known.
pub(crate) async fn accept(transaction: &Transaction<'_>, new: &NewNotification) -> Result<Accepted, OpError> {
    if let Some(known) = find(transaction, &new.facts.dedup).await? {
        return sight(transaction, new, &known).await;
    }
    if let Some(key) = &new.facts.order_key {
        // Numbers of one order key are in the order of the commits, and no completion misses the new notification.
        lock_key(transaction, key.as_bytes()).await?;
    }
    let Some(id) = insert(transaction, &new.facts).await? else {
        // A different transaction has stored it meanwhile, and has committed.
        return match find(transaction, &new.facts.dedup).await? {
            Some(known) => sight(transaction, new, &known).await,
            None => Err(paytend_inbox::StoreError::unavailable("a concurrent delivery was rolled back").into()),
        };
    };
    let sealed = new.payload.seal(Id::new(id))?;
    let insert = "INSERT INTO paytend_payload (id, key_id, nonce, sealed) VALUES ($1, $2, $3, $4)";
    let statement = transaction.prepare_cached(insert).await?;
    let key_id = i64::from(sealed.key_id);
    transaction.execute(&statement, &[&id, &key_id, &sealed.nonce.as_slice(), &sealed.ciphertext]).await?;
    enqueue(transaction, id, 0, false, None).await?;
    Ok(Accepted::New(Id::new(id)))
}

/// Takes the lock of an order key until the transaction ends. Keys that share a lock only wait for each other.
pub(crate) async fn lock_key(transaction: &tokio_postgres::Transaction<'_>, key: &[u8]) -> Result<(), OpError> {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(key) {
        *to = *from;
    }
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&i64::from_be_bytes(first)]).await?;
    Ok(())
}

/// Finds a known notification, and locks its row against other sightings.
async fn find(transaction: &Transaction<'_>, dedup: &Mac) -> Result<Option<Known>, OpError> {
    let sql = "SELECT id, content_tag, order_key FROM paytend_notification WHERE dedup = $1 FOR NO KEY UPDATE";
    let statement = transaction.prepare_cached(sql).await?;
    let row = transaction.query_opt(&statement, &[&dedup.as_bytes().as_slice()]).await?;
    row.map(|row| Ok(Known { id: get(&row, 0)?, content_tag: get(&row, 1)?, order_key: get(&row, 2)? })).transpose()
}

/// Inserts a notification. Returns `None` if a different transaction has inserted it.
async fn insert(transaction: &Transaction<'_>, facts: &Facts) -> Result<Option<i64>, OpError> {
    let sql = "INSERT INTO paytend_notification (dedup, content_tag, route, kind, notify_type, business_kind, \
         business_id, business_state, order_key, verified_by, traceparent, sent_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (dedup) DO NOTHING RETURNING id";
    let statement = transaction.prepare_cached(sql).await?;
    let row = transaction
        .query_opt(
            &statement,
            &[
                &facts.dedup.as_bytes().as_slice(),
                &facts.content_tag.as_bytes().as_slice(),
                &facts.route.as_str(),
                &facts.kind.as_str(),
                &facts.notify_type,
                &facts.business_kind,
                &facts.business_id,
                &facts.business_state,
                &facts.order_key.as_ref().map(|key| key.as_bytes().as_slice()),
                &facts.verified_by,
                &facts.traceparent,
                &facts.sent_at,
            ],
        )
        .await?;
    row.map(|row| get(&row, 0)).transpose()
}

/// Makes a notification pending, behind the pending notifications of its order key. The caller holds the key's lock.
/// A fence is not used twice, even if the notification was done meanwhile.
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

async fn sight(transaction: &Transaction<'_>, new: &NewNotification, known: &Known) -> Result<Accepted, OpError> {
    let sql = "INSERT INTO paytend_sighting (id, number, sent_at, same_content) \
         SELECT $1, coalesce(max(number), 0) + 1, $2, $3 FROM paytend_sighting WHERE id = $1 RETURNING number";
    let statement = transaction.prepare_cached(sql).await?;
    let same_content = known.content_tag == new.facts.content_tag.as_bytes();
    let row = transaction.query_one(&statement, &[&known.id, &new.facts.sent_at, &same_content]).await?;
    let sighting = count(&row, 0)?;
    if new.requeue_sighting {
        requeue(transaction, known).await?;
    }
    Ok(Accepted::Duplicate { id: Id::new(known.id), sighting })
}

/// Makes sure that an attempt begins after this moment, unless the notification is dead.
async fn requeue(transaction: &Transaction<'_>, known: &Known) -> Result<(), OpError> {
    // Waits for a completion in progress. An attempt of the current run may have queried the state already, unless the
    // run has not begun.
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
