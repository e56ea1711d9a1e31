//! Completes several notifications in one transaction.
//!
//! Each effect has a savepoint, so that a failed effect can be rolled back separately. Settings, roles and limits are
//! reset between effects. An effect that ends the transaction would commit the earlier effects without their
//! completions. Therefore, the outcomes are inserted first, and their deferred trigger refuses every commit before the
//! last step.

use std::time::{Duration, Instant};

use deadpool_postgres::Transaction;
use futures_util::{future, join};
use paytend_inbox::{FinishError, HandlerError, Lease};
use tokio_postgres::Statement;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use crate::effect::{self, PostgresEffect, with_grace};
use crate::error::{OpError, postgres_code};
use crate::locks::{lock_keys, lock_number};
use crate::pace::SHORT;
use crate::plans::{PLAN_NORMALLY, USE_INDEXES, use_indexes};
use crate::rows::get;

/// The time limit for beginning another effect, measured from the start of the first effect.
const BATCH_TIME: Duration = Duration::from_millis(100);
/// The time limit for an effect in a shared transaction. An effect that exceeds it is applied again in a separate
/// transaction.
pub(crate) const EFFECT_TIME: Duration = Duration::from_millis(250);
/// The time limit for rolling back an effect, which waits until its statement ends.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(1);

/// Locks the pending rows of valid leases and inserts the outcomes, so that every commit before the last step is
/// refused. Skips locked rows, so that the transaction does not wait for effects in another transaction.
const HOLD: &str = "WITH held AS MATERIALIZED (SELECT w.id, w.fence, w.tries, w.is_sighting, w.again, w.cause, \
     w.order_key FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS l(id, fence, holder) \
     JOIN paytend_work w ON w.id = l.id AND w.fence = l.fence AND w.holder = l.holder WHERE w.state = 1 \
     ORDER BY w.id FOR UPDATE OF w SKIP LOCKED), \
     done AS (INSERT INTO paytend_outcome (id, fence, result, tries, is_sighting, cause) \
     SELECT id, fence, 'done', tries, is_sighting, cause FROM held) \
     SELECT id, again, order_key, pg_current_xact_id()::text, set_config('paytend.refuse_commit', 'on', true) \
     FROM held";
const REMOVE: &str = "DELETE FROM paytend_work WHERE id = ANY($1) AND pg_current_xact_id()::text = $2";
const REPEAT: &str = "UPDATE paytend_work SET state = 0, tries = 0, due_at = paytend_now(), is_sighting = true, \
     again = false WHERE id = ANY($1) AND pg_current_xact_id()::text = $2";
const UNDO: &str = "DELETE FROM paytend_outcome o USING unnest($1::bigint[], $2::bigint[]) AS l(id, fence) \
     WHERE o.id = l.id AND o.fence = l.fence AND pg_current_xact_id()::text = $3";
const PROMOTE: &str = "UPDATE paytend_work SET ready = true WHERE id IN (SELECT \
     (SELECT min(w.id) FROM paytend_work w WHERE w.order_key = k.order_key) FROM unnest($1::bytea[]) AS k(order_key))";

/// A completion in a shared transaction.
pub(crate) struct Member {
    pub(crate) lease: Lease,
    pub(crate) effect: Option<PostgresEffect>,
    pub(crate) progress: MemberProgress,
    work: Option<Work>,
}

/// The progress of a completion.
pub(crate) enum MemberProgress {
    /// The effect has not begun.
    Waiting,
    /// The effect has begun and cannot be applied again.
    Begun,
    /// The effect was applied, or there is no effect.
    Applied,
    /// The effect failed and was rolled back. An earlier effect may be the cause.
    Failed(HandlerError),
    /// The effect failed before any other effect and without a conflict, and was rolled back.
    FailedFirst(HandlerError),
}

/// The locked pending row of a member.
struct Work {
    again: bool,
    order_key: Option<Vec<u8>>,
}

impl Member {
    pub(crate) fn new(lease: Lease, effect: Option<PostgresEffect>) -> Self {
        Self { lease, effect, progress: MemberProgress::Waiting, work: None }
    }

    /// Returns whether the member's pending row was locked, which means that its lease is valid.
    pub(crate) fn is_held(&self) -> bool {
        self.work.is_some()
    }

    fn is_applied(&self) -> bool {
        matches!(self.progress, MemberProgress::Applied)
    }
}

/// A report about a shared transaction.
#[derive(Default)]
pub(crate) struct Report {
    /// Whether a notification became ready.
    pub(crate) others_are_ready: bool,
    /// The number of effects that have begun.
    pub(crate) begun: usize,
    /// The number of effects that took longer than [`SHORT`](crate::pace::SHORT).
    pub(crate) long: usize,
    /// The number of effects that failed.
    pub(crate) failed: usize,
    /// Whether an effect failed because it waited for a lock or because a statement took too long.
    pub(crate) has_conflict: bool,
}

/// Completes the members whose leases are held. After an error, the transaction must be rolled back.
pub(crate) async fn complete(
    transaction: &Transaction<'_>,
    members: &mut [Member],
    limit: Duration,
) -> Result<Report, OpError> {
    let effect_time = limit.min(EFFECT_TIME);
    let limits = format!("{}; SET LOCAL paytend.refuse_commit = on", effect::limits(effect_time, with_grace(limit)));
    let first = format!("{PLAN_NORMALLY}; {limits}; SAVEPOINT paytend_effect");
    let next = format!("RELEASE SAVEPOINT paytend_effect; {}; {limits}; SAVEPOINT paytend_effect", effect::RESET);
    let ending = Ending::prepare(transaction).await?;
    let number = hold(transaction, members, &first).await?;
    if !members.iter().any(Member::is_held) {
        return Ok(Report::default());
    }
    let (mut report, started, mut is_fresh) = (Report::default(), Instant::now(), true);
    for member in members.iter_mut().filter(|member| member.is_held()) {
        let Some(effect) = member.effect.take_if(|_| started.elapsed() < BATCH_TIME) else {
            if member.effect.is_none() {
                member.progress = MemberProgress::Applied;
            }
            continue;
        };
        member.progress = MemberProgress::Begun;
        report.begun += 1;
        if !is_fresh {
            transaction.batch_execute(&next).await?;
        }
        let began = Instant::now();
        let applied = effect::apply(effect, transaction, effect_time).await;
        report.long += usize::from(began.elapsed() > SHORT);
        is_fresh = applied.is_err();
        member.progress = match applied {
            Ok(()) => MemberProgress::Applied,
            Err(error) => {
                let error = effect_error(error)?;
                let has_conflict = is_conflict(&error) || began.elapsed() >= effect_time;
                report.has_conflict |= has_conflict;
                report.failed += 1;
                roll_back_effect(transaction).await?;
                match report.begun == 1 && !has_conflict {
                    true => MemberProgress::FailedFirst(error),
                    false => MemberProgress::Failed(error),
                }
            }
        };
    }
    report.others_are_ready = finish(transaction, &ending, Ends::of(members), &number, limit).await?;
    Ok(report)
}

/// Locks the members' pending rows, and begins the first savepoint. Returns the ID of the transaction.
async fn hold(transaction: &Transaction<'_>, members: &mut [Member], begin: &str) -> Result<String, OpError> {
    let ids: Vec<i64> = members.iter().map(|member| member.lease.id.get()).collect();
    let fences: Vec<i64> = members.iter().map(|member| member.lease.fence).collect();
    let holders: Vec<i64> = members.iter().map(|member| member.lease.holder.cast_signed()).collect();
    let statement = transaction.prepare_cached(HOLD).await?;
    let leases: [&(dyn ToSql + Sync); 3] = [&ids, &fences, &holders];
    // The statements are sent in this order, without waiting for replies in between.
    let (planned, rows, begun) =
        join!(use_indexes(transaction), transaction.query(&statement, &leases), transaction.batch_execute(begin));
    let ((), rows, ()) = (planned?, rows?, begun?);
    for row in &rows {
        let id: i64 = get(row, 0)?;
        if let Some(member) = members.iter_mut().find(|member| member.lease.id.get() == id) {
            member.work = Some(Work { again: get(row, 1)?, order_key: get(row, 2)? });
        }
    }
    rows.first().map_or(Ok(String::new()), |row| get(row, 3))
}

/// Rolls back an effect. The effect's statement may still be running. It ends when its time limit expires, unless the
/// effect has removed the limit.
async fn roll_back_effect(transaction: &Transaction<'_>) -> Result<(), OpError> {
    let rolled_back = transaction.batch_execute("ROLLBACK TO SAVEPOINT paytend_effect");
    match tokio::time::timeout(ROLLBACK_TIMEOUT, rolled_back).await {
        Ok(rolled_back) => Ok(rolled_back?),
        Err(_) => Err(OpError::Stuck(HandlerError::retry("the effect exceeded its time limit"))),
    }
}

/// The parameters of the statements that end a shared transaction.
#[derive(Default)]
struct Ends {
    removed: Vec<i64>,
    repeated: Vec<i64>,
    undone_ids: Vec<i64>,
    undone_fences: Vec<i64>,
    keys: Vec<Vec<u8>>,
}

impl Ends {
    fn of(members: &mut [Member]) -> Self {
        let mut ends = Self::default();
        for member in members {
            let (id, is_applied) = (member.lease.id.get(), member.is_applied());
            match &mut member.work {
                None => {}
                Some(_) if !is_applied => {
                    ends.undone_ids.push(id);
                    ends.undone_fences.push(member.lease.fence);
                }
                Some(work) if work.again => ends.repeated.push(id),
                Some(work) => {
                    ends.removed.push(id);
                    ends.keys.extend(work.order_key.take());
                }
            }
        }
        ends
    }
}

/// The statements that end a shared transaction. They are prepared before the first effect, which can change the search
/// path and the role.
struct Ending {
    remove: Statement,
    repeat: Statement,
    undo: Statement,
    promote: Statement,
}

impl Ending {
    async fn prepare(transaction: &Transaction<'_>) -> Result<Self, OpError> {
        Ok(Self {
            remove: transaction.prepare_cached(REMOVE).await?,
            repeat: transaction.prepare_cached(REPEAT).await?,
            undo: transaction.prepare_cached(UNDO).await?,
            promote: transaction.prepare_cached(PROMOTE).await?,
        })
    }
}

/// Removes the pending rows of applied members and the outcomes of all others, if the transaction still has this ID.
/// Returns whether a notification became ready.
async fn finish(
    transaction: &Transaction<'_>,
    ending: &Ending,
    ends: Ends,
    number: &str,
    limit: Duration,
) -> Result<bool, OpError> {
    let Ends { removed, repeated, undone_ids, undone_fences, keys } = ends;
    // The last effect may have changed the search path. It is reset, so that the following statements use the store's
    // tables.
    let limits = effect::limits(with_grace(limit), with_grace(limit));
    let end = format!("RELEASE SAVEPOINT paytend_effect; {}; {limits}; {USE_INDEXES}", effect::RESET);
    let end = transaction.batch_execute(&end);
    let end = if keys.is_empty() {
        future::Either::Left(end)
    } else {
        end.await?;
        // The next statements must see the rows that other transactions stored before the keys were locked. A statement
        // sees only rows that were committed before it began, so these statements are sent after the keys are locked.
        lock_keys(transaction, keys.iter().map(|key| lock_number(key)).collect()).await?;
        future::Either::Right(future::ready(Ok(())))
    };
    let removed_row: [&(dyn ToSql + Sync); 2] = [&removed, &number];
    let repeated_row: [&(dyn ToSql + Sync); 2] = [&repeated, &number];
    let undone_row: [&(dyn ToSql + Sync); 3] = [&undone_ids, &undone_fences, &number];
    let promoted_row: [&(dyn ToSql + Sync); 1] = [&keys];
    // All statements are sent in this order, without waiting for replies in between.
    let (ended, removed_count, repeated_count, undone_count, promoted) = join!(
        end,
        transaction.execute(&ending.remove, &removed_row),
        run_unless(repeated.is_empty(), transaction.execute(&ending.repeat, &repeated_row)),
        run_unless(undone_ids.is_empty(), transaction.execute(&ending.undo, &undone_row)),
        run_unless(keys.is_empty(), transaction.execute(&ending.promote, &promoted_row)),
    );
    ended?;
    let (count, promoted) = (removed_count? + repeated_count? + undone_count?, promoted?);
    if count != (removed.len() + repeated.len() + undone_ids.len()) as u64 {
        return Err(FinishError::Effect(HandlerError::retry("the effect ended the transaction")).into());
    }
    Ok(promoted > 0 || !repeated.is_empty())
}

/// Runs a statement, unless its list of rows is empty.
async fn run_unless<F>(is_empty: bool, statement: F) -> Result<u64, tokio_postgres::Error>
where
    F: Future<Output = Result<u64, tokio_postgres::Error>>,
{
    if is_empty { Ok(0) } else { statement.await }
}

/// Returns the error if it was caused by an effect. All other errors end the transaction.
fn effect_error(error: OpError) -> Result<HandlerError, OpError> {
    match error {
        OpError::Finish(FinishError::Effect(error)) | OpError::Stuck(error) => Ok(error),
        error => Err(error),
    }
}

/// Returns whether an effect failed because it waited for a lock, or because one of its statements took too long.
fn is_conflict(error: &HandlerError) -> bool {
    let codes = [
        SqlState::QUERY_CANCELED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
    ];
    postgres_code(error).is_some_and(|code| codes.contains(code))
}
