//! The outbox store, which uses the same database as the inbox.
//!
//! All transactions lock the rows of orders first, and then an order key, so that they cannot deadlock.

mod admin;
mod claim;
mod rows;

use std::time::Duration;

use futures_util::future::BoxFuture;
use paytend_client::History;
use paytend_inbox::{FinishError, Lease, Mac, SealedPayload, Store as _, StoreError, StoreErrorKind};
use paytend_outbox::{
    BeginSendError, ClaimOrders, ClaimedOrder, Ended, IllegalTransition, NewOrder, OrderNotice, OrderRelease,
    OutboxStore, Progress, SubmitError, Submitted, millis,
};
use tokio_postgres::Transaction;

use crate::effect::{self, PostgresEffect};
use crate::error::OpError;
use crate::locks;
use crate::store::{PostgresStore, not_completed};
use rows::{REQUEST, RESULT, Stored};

/// The maximum number of transactions in a claim that finds only orders that cannot be read.
const MAX_CLAIMS: usize = 100;

impl PostgresStore {
    /// Submits an order in a transaction on this database. This can be the transaction of an effect or the caller's
    /// own transaction. The order is stored if and only if the transaction is committed. The isolation level must be
    /// `READ COMMITTED`, which is the default.
    ///
    /// ```
    /// use paytend_inbox::HandlerError;
    /// use paytend_outbox::{NewOrder, SubmitError};
    /// use paytend_store_postgres::{PostgresStore, in_transaction};
    ///
    /// # fn example(store: PostgresStore, order: NewOrder) {
    /// // In the handler of a notification; `order` comes from `Outbox::prepare`.
    /// let completion = in_transaction(move |transaction| {
    ///     Box::pin(async move {
    ///         transaction.execute("INSERT INTO payout (number) VALUES ($1)", &[&order.facts().number]).await?;
    ///         store.submit_in(transaction, &order).await.map_err(SubmitError::into_handler_error)?;
    ///         Ok(())
    ///     })
    /// });
    /// # drop(completion);
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`SubmitError::Conflict`] if the order number belongs to an order with different content, or
    /// [`SubmitError::Store`] if PostgreSQL fails. Roll back the transaction after an error.
    pub async fn submit_in(&self, transaction: &Transaction<'_>, order: &NewOrder) -> Result<Submitted, SubmitError> {
        let submitted = submit(transaction, order).await;
        submitted.unwrap_or_else(|error| Err(SubmitError::Store(error.into_finish("submit an order").into())))
    }

    /// Records a notification about an order in an open transaction on this database, such as the transaction of an
    /// effect. Returns `true` if the order exists and either this is its first notification or the notification makes
    /// the order due.
    ///
    /// # Errors
    /// Returns [`StoreError`] if PostgreSQL fails.
    pub async fn notice_in(&self, transaction: &Transaction<'_>, notice: &OrderNotice) -> Result<bool, StoreError> {
        let noticed = self::notice(transaction, notice).await;
        noticed.map_err(|error| error.into_finish("record a notice").into())
    }

    /// Changes an order whose lease is valid.
    async fn change_held<T: Send + 'static>(
        &self,
        doing: &'static str,
        lease: Lease,
        change: impl for<'a> FnOnce(&'a Transaction<'a>, i64, &'a mut Stored) -> BoxFuture<'a, Result<T, OpError>>
        + Send
        + 'static,
    ) -> Result<T, FinishError> {
        let changed = self.run(doing, move |transaction| {
            Box::pin(async move {
                let mut held = held(transaction, lease).await?;
                let now = rows::now(transaction).await?;
                let value = change(transaction, now, &mut held).await?;
                finish(transaction, &held).await?;
                Ok(value)
            })
        });
        let changed = changed.await?;
        self.notify();
        Ok(changed)
    }
}

async fn submit(transaction: &Transaction<'_>, order: &NewOrder) -> Result<Result<Submitted, SubmitError>, OpError> {
    let facts = order.facts();
    // The row is not locked, because its facts never change. Locking it could also deadlock with a completion that has
    // locked the row and waits for the order key.
    if let Some(known) = rows::find(transaction, &facts.number).await? {
        return same(transaction, order, &known).await;
    }
    if let Some(key) = &facts.order_key {
        // The lock ensures that the IDs are in the order of the commits, and that a concurrent completion finds the new
        // order.
        locks::lock_key_of(transaction, key.as_bytes()).await?;
    }
    let now = rows::now(transaction).await?;
    let mut progress = Progress::new(now, facts.not_before.map(millis));
    if let Some(id) = rows::insert(transaction, now, facts, &progress).await? {
        rows::put_part(transaction, id, REQUEST, order.request()).await?;
        // Whether a recovery is in progress is read after the insertion, because the insertion waits for a recovery
        // that begins at the same time.
        if admin::recovering_since(transaction).await?.is_some() {
            progress.recover(now, facts.not_before.map(millis));
            rows::save(transaction, id, &progress).await?;
        }
        return Ok(Ok(Submitted::New));
    }
    // A concurrent transaction has stored the order and committed.
    match rows::find(transaction, &facts.number).await? {
        Some(known) => same(transaction, order, &known).await,
        None => Err(StoreError::unavailable("a concurrent submission was rolled back").into()),
    }
}

async fn same(
    transaction: &Transaction<'_>,
    order: &NewOrder,
    known: &Stored,
) -> Result<Result<Submitted, SubmitError>, OpError> {
    let request = rows::part(transaction, known.id, REQUEST).await?;
    if let Err(conflict) = order.check_same(&known.facts, request.as_ref()) {
        return Ok(Err(conflict));
    }
    if let Some(moved) = order.moved_file(&known.facts, &known.progress, request.as_ref())? {
        rows::put_part(transaction, known.id, REQUEST, &moved).await?;
    }
    Ok(Ok(Submitted::Known { state: known.progress.state }))
}

async fn notice(transaction: &Transaction<'_>, notice: &OrderNotice) -> Result<bool, OpError> {
    let found = rows::by_number(transaction, &notice.number).await?;
    let Some(mut stored) = found.filter(|stored| stored.facts.operation == notice.operation) else { return Ok(false) };
    let is_new = stored.progress.notice(rows::now(transaction).await?);
    rows::save(transaction, stored.id, &stored.progress).await?;
    Ok(is_new)
}

/// Applies the effect, if there is one, and completes an order whose lease is valid.
async fn complete(
    transaction: &Transaction<'_>,
    lease: Lease,
    ended: Ended,
    effect: Option<PostgresEffect>,
    limit: Duration,
) -> Result<(), OpError> {
    let mut stored = held(transaction, lease).await?;
    if let Some(effect) = effect {
        let number = effect::limit(transaction, limit).await?;
        effect::apply_guarded(effect, transaction, limit, &number).await?;
        // The effect may have changed the order, for example with a notice.
        stored = held(transaction, lease).await?;
    }
    stored.progress.complete(ended).map_err(illegal)?;
    finish(transaction, &stored).await
}

/// Locks and returns the order for a lease, or returns an error if the lease is lost. Claims skip the locked row, even
/// after the lease has expired.
async fn held(transaction: &Transaction<'_>, lease: Lease) -> Result<Stored, OpError> {
    let stored = rows::by_id(transaction, lease.id.get()).await?.filter(|stored| stored.progress.is_held(lease));
    stored.ok_or_else(|| FinishError::LeaseLost.into())
}

/// Makes orders due if their due time is later than their scheduled time and further in the future than the maximum
/// delay. Such a due time means that the server's clock was set back. Returns the number of changed rows.
pub(crate) async fn repair_times(transaction: &Transaction<'_>, max_delay: i64) -> Result<u64, OpError> {
    let sql = "UPDATE paytend_order SET due_at = paytend_now_ms() WHERE id IN (SELECT id FROM paytend_order \
         WHERE is_open AND due_at > paytend_now_ms() + $1 AND due_at > coalesce(not_before, 0) \
         FOR UPDATE SKIP LOCKED)";
    Ok(transaction.execute(sql, &[&max_delay]).await?)
}

/// Writes a changed order. If the order is completed, the next order with the same order key can be claimed.
async fn finish(transaction: &Transaction<'_>, stored: &Stored) -> Result<(), OpError> {
    let key = stored.facts.order_key.as_ref().filter(|_| !stored.progress.is_open);
    if let Some(key) = key {
        locks::lock_key_of(transaction, key.as_bytes()).await?;
    }
    rows::save(transaction, stored.id, &stored.progress).await?;
    match key {
        Some(key) => rows::promote(transaction, key).await,
        None => Ok(()),
    }
}

fn illegal(error: IllegalTransition) -> OpError {
    StoreError::new(StoreErrorKind::Corrupt, error.to_string()).into()
}

impl OutboxStore for PostgresStore {
    type Effect = PostgresEffect;

    async fn bind_outbox_keys(&self, check: Mac) -> Result<(), StoreError> {
        self.bind_keys(check).await
    }

    async fn submit_order(&self, order: NewOrder) -> Result<Submitted, SubmitError> {
        let submitted = self
            .write("submit an order", move |transaction| Box::pin(async move { submit(transaction, &order).await }));
        let submitted = submitted.await?;
        self.notify();
        submitted
    }

    async fn claim_orders(&self, request: ClaimOrders) -> Result<Vec<ClaimedOrder>, StoreError> {
        self.repair_times_if_due().await?;
        for _ in 0..MAX_CLAIMS {
            let (store, request) = (self.clone(), request.clone());
            let found = self.write("claim orders", move |transaction| {
                Box::pin(async move { claim::claim(transaction, &request, store.skipped_orders()).await })
            });
            let found = found.await?;
            if found.is_complete || !found.claimed.is_empty() {
                return Ok(found.claimed);
            }
        }
        Ok(Vec::new())
    }

    async fn extend_order(&self, lease: Lease, time: Duration) -> Result<(), FinishError> {
        self.run("extend a lease", move |transaction| {
            Box::pin(async move {
                let mut held = held(transaction, lease).await?;
                held.progress.extend(rows::now(transaction).await?, time);
                rows::save(transaction, held.id, &held.progress).await
            })
        })
        .await
    }

    async fn begin_send(&self, lease: Lease) -> Result<History, BeginSendError> {
        let begun = self.change_held("count a send", lease, |transaction, now, held| {
            Box::pin(async move {
                if claim::is_paused(transaction, &held.facts.operation).await? {
                    return Ok(Err(BeginSendError::Paused));
                }
                let begun = held.progress.begin_send(now, held.facts.not_before.map(millis));
                Ok(begun.map(|()| held.progress.history).map_err(BeginSendError::from))
            })
        });
        match begun.await {
            Ok(begun) => begun,
            Err(FinishError::LeaseLost) => Err(BeginSendError::LeaseLost),
            Err(error) => Err(StoreError::from(error).into()),
        }
    }

    async fn record_outcome(&self, lease: Lease, ended: Ended, result: SealedPayload) -> Result<(), FinishError> {
        self.change_held("store a result", lease, move |transaction, _, held| {
            Box::pin(async move {
                held.progress.record_outcome(ended).map_err(illegal)?;
                rows::put_part(transaction, held.id, RESULT, &result).await
            })
        })
        .await
    }

    async fn complete_order(
        &self,
        lease: Lease,
        ended: Ended,
        effect: Option<PostgresEffect>,
    ) -> Result<(), FinishError> {
        let (store, doing, limit, has_effect) =
            (self.clone(), "complete an order", self.effect_timeout(), effect.is_some());
        let completing = tokio::spawn(async move {
            let attempted =
                store.attempt(doing, move |transaction| Box::pin(complete(transaction, lease, ended, effect, limit)));
            let attempted = attempted.await;
            let completed = if has_effect { effect::ended(attempted) } else { attempted.0 };
            completed.map_err(|error| error.into_finish(doing))
        });
        completing.await.unwrap_or_else(|_| Err(not_completed()))?;
        self.notify();
        Ok(())
    }

    async fn release_order(
        &self,
        lease: Lease,
        release: OrderRelease,
        result: Option<SealedPayload>,
    ) -> Result<(), FinishError> {
        self.change_held("end an attempt", lease, move |transaction, now, held| {
            Box::pin(async move {
                held.progress.release(now, &release).map_err(illegal)?;
                match result {
                    Some(result) => rows::put_part(transaction, held.id, RESULT, &result).await,
                    None => Ok(()),
                }
            })
        })
        .await
    }

    async fn notice_order(&self, notice: OrderNotice) -> Result<bool, StoreError> {
        let noticed = self.write("record a notice", move |transaction| {
            Box::pin(async move { self::notice(transaction, &notice).await })
        });
        let noticed = noticed.await?;
        self.notify();
        Ok(noticed)
    }

    async fn orders_changed(&self) {
        self.changed().await;
    }
}
