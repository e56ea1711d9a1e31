//! The outbox store, which uses the same file as the inbox.

mod admin;
mod claim;
mod clocks;
mod rows;

use std::any::Any;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use paytend_client::History;
use paytend_inbox::{FinishError, HandlerError, Lease, Mac, SealedPayload, Store as _, StoreError, StoreErrorKind};
use paytend_outbox::{
    BeginSendError, ClaimOrders, ClaimedOrder, Ended, IllegalTransition, NewOrder, OrderNotice, OrderRelease,
    OutboxStore, Progress, SubmitError, Submitted, millis,
};
use rusqlite::{Connection, Transaction};

use crate::error::{OpError, store_error, suspect_cause};
use crate::store::{RELEASE, SqliteEffect, SqliteStore, effect_error};
use rows::{Part, Stored};

pub(crate) use clocks::Clocks;

/// The names of changes that cannot make another order due, so they do not wake dispatchers.
pub(crate) const BEGIN_SEND: &str = "count a send";
pub(crate) const RECORD: &str = "store a result";
pub(crate) const COMPLETE: &str = "complete an order";

/// The maximum number of transactions in a claim that finds only orders that cannot be read.
const MAX_CLAIMS: usize = 100;

/// The maximum delay of an attempt that is not scheduled, in milliseconds.
const MAX_DELAY_MILLIS: i64 = 24 * 3_600_000;

/// Makes orders due if their due time is later than their scheduled time and further in the future than the maximum
/// delay. Such a due time means that the system clock was set back.
pub(crate) fn repair_times(connection: &Connection, now: i64) -> Result<(), rusqlite::Error> {
    let condition = "is_open = 1 AND due_at > ?2 AND due_at > coalesce(not_before, 0)";
    let latest = now.saturating_add(MAX_DELAY_MILLIS);
    // In most cases, no order matches. This check avoids taking the write lock.
    let sql = format!("SELECT 1 FROM paytend_order WHERE {condition} AND ?1 = ?1");
    if connection.prepare(&sql)?.exists([now, latest])? {
        connection.execute(&format!("UPDATE paytend_order SET due_at = ?1 WHERE {condition}"), [now, latest])?;
    }
    Ok(())
}

impl SqliteStore {
    /// Submits an order in a transaction on this database file. This can be the transaction of an effect or a call of
    /// [`transaction`](Self::transaction). The order is stored if and only if the transaction is committed.
    ///
    /// ```
    /// use paytend_inbox::HandlerError;
    /// use paytend_outbox::{NewOrder, SubmitError};
    /// use paytend_store_sqlite::{SqliteStore, in_transaction};
    ///
    /// # fn example(store: SqliteStore, order: NewOrder) {
    /// // In the handler of a notification; `order` comes from `Outbox::prepare`.
    /// let completion = in_transaction(move |transaction| {
    ///     transaction.execute("INSERT INTO payout (number) VALUES (?1)", [&order.facts().number])?;
    ///     store.submit_in(transaction, &order).map_err(SubmitError::into_handler_error)?;
    ///     Ok(())
    /// });
    /// # drop(completion);
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`SubmitError::Conflict`] if the order number belongs to an order with different content, or
    /// [`SubmitError::Store`] if SQLite fails. Return the error from the transaction, so that it is rolled back.
    pub fn submit_in(&self, transaction: &Transaction<'_>, order: &NewOrder) -> Result<Submitted, SubmitError> {
        submit(transaction, self.shared.options.clock.now(), order)
    }

    /// Records a notification about an order in an open transaction on this database file, such as the transaction of
    /// an effect. Returns `true` if the order exists and either this is its first notification or the notification
    /// makes the order due.
    ///
    /// # Errors
    /// Returns [`StoreError`] if SQLite fails.
    pub fn notice_in(&self, transaction: &Transaction<'_>, notice: &OrderNotice) -> Result<bool, StoreError> {
        self::notice(transaction, self.shared.options.clock.now(), notice)
            .map_err(|error| store_error("record a notice", error))
    }

    /// Runs a function in the writer's transaction. The function can return any error type. If the function returns an
    /// error, its changes are rolled back. The rules for [`in_transaction`](crate::in_transaction) apply.
    ///
    /// After a disk error, the store closes and checks the file. It finds such an error in a `rusqlite::Error`,
    /// [`StoreError`], [`SubmitError`], [`HandlerError`] or `Box<dyn Error + Send + Sync>`, and in the sources of these
    /// errors. It cannot find the error in another type.
    ///
    /// ```
    /// # use paytend_outbox::NewOrder;
    /// # use paytend_store_sqlite::SqliteStore;
    /// # type Failure = Box<dyn std::error::Error + Send + Sync>;
    /// # async fn example(store: SqliteStore, order: NewOrder) -> Result<(), Failure> {
    /// let handle = store.clone();
    /// store
    ///     .transaction(move |transaction| -> Result<(), Failure> {
    ///         transaction.execute("UPDATE account SET balance = balance - 2500", [])?;
    ///         handle.submit_in(transaction, &order)?;
    ///         Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the function's error, or a commit error. After a commit error, it is unknown
    /// whether the changes are stored.
    pub async fn transaction<T, E>(
        &self,
        function: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let refused = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&refused);
        let written = self.run("write", move |transaction| match function(transaction) {
            Ok(_) if transaction.is_autocommit() => {
                Err(StoreError::unavailable("the function ended the transaction").into())
            }
            Ok(value) => Ok(value),
            Err(error) => {
                let suspect = suspect_error(&error);
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Err(suspect.map_or_else(|| StoreError::unavailable("the function failed").into(), OpError::Sql))
            }
        });
        let written = written.await.map_err(StoreError::from);
        let refused = refused.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (written, refused) {
            (Ok(value), _) => Ok(value),
            (Err(_), Some(error)) => Err(error),
            (Err(error), None) => Err(error.into()),
        }
    }

    /// Claims orders in one transaction.
    async fn claim_once(&self, request: ClaimOrders) -> Result<claim::Found, StoreError> {
        let shared = Arc::clone(&self.shared);
        let claimed = self.run(crate::store::CLAIM, move |transaction| {
            let now = shared.options.clock.now();
            let permit = shared.clocks.check(transaction, now, request.lease)?;
            let found = claim::claim(transaction, now, &request, permit.takes_over, &shared.skipped)?;
            let recorded = Clocks::record(transaction, permit, found.claimed.is_empty())?;
            Ok((found, recorded))
        });
        let (found, recorded) = claimed.await.map_err(StoreError::from)?;
        self.shared.clocks.committed(recorded);
        Ok(found)
    }

    /// Changes an order whose lease is valid.
    async fn change_held<T: Send + 'static>(
        &self,
        doing: &'static str,
        lease: Lease,
        change: impl FnOnce(&Transaction<'_>, i64, &mut Stored) -> Result<T, OpError> + Send + 'static,
    ) -> Result<T, FinishError> {
        let clock = self.shared.options.clock.clone();
        self.run(doing, move |transaction| {
            let mut held = held(transaction, lease)?;
            let value = change(transaction, clock.now(), &mut held)?;
            finish(transaction, &held)?;
            Ok(value)
        })
        .await
    }
}

/// Searches a function's error for an error of the disk or the file. Only the error types of SQLite, the store and the
/// outbox, and boxed errors, can be searched.
fn suspect_error(error: &dyn Any) -> Option<rusqlite::Error> {
    if let Some(error) = error.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        return suspect_cause(error.as_ref());
    }
    if let Some(error) = error.downcast_ref::<HandlerError>() {
        return error.source().and_then(suspect_cause);
    }
    let found = error.downcast_ref::<rusqlite::Error>().map(|error| error as &(dyn Error + 'static));
    let found = found.or_else(|| error.downcast_ref::<StoreError>().map(|error| error as _));
    found.or_else(|| error.downcast_ref::<SubmitError>().map(|error| error as _)).and_then(suspect_cause)
}

fn submit(transaction: &Transaction<'_>, now: i64, order: &NewOrder) -> Result<Submitted, SubmitError> {
    let failed = |error| SubmitError::Store(store_error("submit an order", error));
    let facts = order.facts();
    if let Some(known) = rows::by_number(transaction, &facts.number).map_err(failed)? {
        let request = rows::request(transaction, known.id).map_err(failed)?;
        order.check_same(&known.facts, request.as_ref())?;
        if let Some(moved) = order.moved_file(&known.facts, &known.progress, request.as_ref())? {
            rows::put_part(transaction, known.id, Part::Request, &moved).map_err(failed)?;
        }
        return Ok(Submitted::Known { state: known.progress.state });
    }
    let mut progress = Progress::new(now, facts.not_before.map(millis));
    if admin::recovering_since(transaction).map_err(failed)?.is_some() {
        progress.recover(now, facts.not_before.map(millis));
    }
    let id = rows::insert(transaction, now, facts, &progress).map_err(failed)?;
    rows::put_part(transaction, id, Part::Request, order.request()).map_err(failed)?;
    Ok(Submitted::New)
}

fn notice(transaction: &Transaction<'_>, now: i64, notice: &OrderNotice) -> Result<bool, rusqlite::Error> {
    let found = rows::by_number(transaction, &notice.number)?;
    let Some(mut stored) = found.filter(|stored| stored.facts.operation == notice.operation) else { return Ok(false) };
    let is_new = stored.progress.notice(now);
    rows::save(transaction, stored.id, &stored.progress)?;
    Ok(is_new)
}

/// Returns the order for a lease, or an error if the lease is lost.
fn held(transaction: &Transaction<'_>, lease: Lease) -> Result<Stored, OpError> {
    let stored = rows::by_id(transaction, lease.id.get())?.filter(|stored| stored.progress.is_held(lease));
    stored.ok_or_else(|| FinishError::LeaseLost.into())
}

/// Writes a changed order. If the order is completed, the next order with the same order key can be claimed.
fn finish(transaction: &Transaction<'_>, stored: &Stored) -> Result<(), rusqlite::Error> {
    rows::save(transaction, stored.id, &stored.progress)?;
    if stored.progress.is_open { Ok(()) } else { rows::promote(transaction, &stored.facts) }
}

fn illegal(error: IllegalTransition) -> OpError {
    StoreError::new(StoreErrorKind::Corrupt, error.to_string()).into()
}

impl OutboxStore for SqliteStore {
    type Effect = SqliteEffect;

    async fn bind_outbox_keys(&self, check: Mac) -> Result<(), StoreError> {
        self.bind_keys(check).await
    }

    async fn submit_order(&self, order: NewOrder) -> Result<Submitted, SubmitError> {
        let store = self.clone();
        self.transaction(move |transaction| store.submit_in(transaction, &order)).await
    }

    async fn claim_orders(&self, request: ClaimOrders) -> Result<Vec<ClaimedOrder>, StoreError> {
        for _ in 0..MAX_CLAIMS {
            let found = self.claim_once(request.clone()).await?;
            if found.is_complete || !found.claimed.is_empty() {
                return Ok(found.claimed);
            }
        }
        Ok(Vec::new())
    }

    async fn extend_order(&self, lease: Lease, time: Duration) -> Result<(), FinishError> {
        let clock = self.shared.options.clock.clone();
        self.run(crate::store::EXTEND, move |transaction| {
            let mut held = held(transaction, lease)?;
            let before = held.progress.clone();
            held.progress.extend(clock.now(), time);
            Ok(rows::save_change(transaction, held.id, &before, &held.progress)?)
        })
        .await
    }

    async fn begin_send(&self, lease: Lease) -> Result<History, BeginSendError> {
        let begun = self.change_held(BEGIN_SEND, lease, |transaction, now, held| {
            if claim::is_paused(transaction, &held.facts.operation)? {
                return Ok(Err(BeginSendError::Paused));
            }
            let begun = held.progress.begin_send(now, held.facts.not_before.map(millis));
            Ok(begun.map(|()| held.progress.history).map_err(BeginSendError::from))
        });
        match begun.await {
            Ok(begun) => begun,
            Err(FinishError::LeaseLost) => Err(BeginSendError::LeaseLost),
            Err(error) => Err(StoreError::from(error).into()),
        }
    }

    async fn record_outcome(&self, lease: Lease, ended: Ended, result: SealedPayload) -> Result<(), FinishError> {
        self.change_held(RECORD, lease, move |transaction, _, held| {
            held.progress.record_outcome(ended).map_err(illegal)?;
            Ok(rows::put_part(transaction, held.id, Part::Result, &result)?)
        })
        .await
    }

    async fn complete_order(
        &self,
        lease: Lease,
        ended: Ended,
        effect: Option<SqliteEffect>,
    ) -> Result<(), FinishError> {
        let store = self.clone();
        self.change_held(COMPLETE, lease, move |transaction, _, held| {
            if let Some(effect) = effect {
                store.apply(effect, transaction).map_err(effect_error)?;
                // The effect may have changed the order, for example with a notice.
                *held = self::held(transaction, lease)?;
            }
            held.progress.complete(ended).map_err(illegal)
        })
        .await
    }

    async fn release_order(
        &self,
        lease: Lease,
        release: OrderRelease,
        result: Option<SealedPayload>,
    ) -> Result<(), FinishError> {
        self.change_held(RELEASE, lease, move |transaction, now, held| {
            held.progress.release(now, &release).map_err(illegal)?;
            if let Some(result) = result {
                rows::put_part(transaction, held.id, Part::Result, &result)?;
            }
            Ok(())
        })
        .await
    }

    async fn notice_order(&self, notice: OrderNotice) -> Result<bool, StoreError> {
        let store = self.clone();
        self.transaction(move |transaction| store.notice_in(transaction, &notice)).await
    }

    async fn orders_changed(&self) {
        self.changed().await;
    }
}
