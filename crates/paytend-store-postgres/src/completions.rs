//! Completes notifications. Completions that wait at the same time are committed together if their effects are short.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use paytend_inbox::{FinishError, HandlerError, Lease};
use tokio::sync::{Notify, oneshot};

use crate::effect::{self, PostgresEffect};
use crate::error::OpError;
use crate::lanes::{self, Lane, Lanes};
use crate::lookup;
use crate::pace::Pace;
use crate::rows::get;
use crate::store::{PostgresStore, not_completed};
use crate::together::{EFFECT_TIME, Member, MemberProgress, Report};

/// The maximum number of completions in one transaction. Up to 64 savepoints in a transaction do not slow down other
/// PostgreSQL transactions.
const MAX_TOGETHER: usize = 32;
/// The maximum number of concurrent transactions with several completions. While they commit, other completions wait in
/// the queue.
const LANES: usize = 4;

const DOING: &str = "complete a notification";

type Reply = Result<(), FinishError>;

/// A completion that is waiting.
pub(crate) struct Waiting {
    lease: Lease,
    effect: Option<PostgresEffect>,
    caller: oneshot::Sender<Reply>,
}

/// The queues of completions.
pub(crate) struct Completions {
    together: Arc<Lanes<Waiting>>,
    /// The queue of completions that need separate transactions.
    alone: Arc<Lanes<Waiting>>,
    interrupted: Arc<Notify>,
    pace: Pace,
}

impl Default for Completions {
    fn default() -> Self {
        let interrupted = Arc::<Notify>::default();
        let [together, alone] = [(); 2].map(|()| Lanes::new(Arc::clone(&interrupted)));
        Self { together, alone, interrupted, pace: Pace::default() }
    }
}

impl PostgresStore {
    /// Completes a notification, possibly together with other waiting notifications. The commit continues if the caller
    /// stops waiting.
    pub(crate) async fn complete_queued(&self, lease: Lease, effect: Option<PostgresEffect>) -> Reply {
        let (caller, reply) = oneshot::channel();
        let completions = self.completions();
        let queue = if completions.pace.is_alone(lease.id) { &completions.alone } else { &completions.together };
        // The queue needs no limit, because each caller adds only one completion.
        let _ = queue.push(Waiting { lease, effect, caller }, usize::MAX);
        let reply = lanes::reply(&completions.interrupted, reply, || self.start_lanes());
        reply.await.unwrap_or_else(|| Err(not_completed()))
    }

    /// Starts a lane (a task that processes a queue) for each queue with waiting completions, unless all lanes of the
    /// queue are already running.
    fn start_lanes(&self) {
        let (completions, connections) = (self.completions(), self.pool().status().max_size);
        if let Some(lane) = completions.together.start(LANES.min(connections)) {
            tokio::spawn(run_together(self.clone(), lane));
        }
        if let Some(lane) = completions.alone.start(connections) {
            tokio::spawn(run_alone(self.clone(), lane));
        }
    }

    /// Returns whether any constraint can be deferred until the commit. The error from such a constraint would not show
    /// which effect has violated it.
    async fn has_deferrable_constraints(&self) -> Result<bool, FinishError> {
        let pace = &self.completions().pace;
        if let Some(known) = pace.has_deferrable() {
            return Ok(known);
        }
        let found = self.run(DOING, |transaction| {
            async move {
                let sql = "SELECT EXISTS (SELECT FROM pg_trigger \
                     WHERE tgdeferrable AND tgname <> 'paytend_require_durability')";
                get(&transaction.query_one(sql, &[]).await?, 0)
            }
            .boxed()
        });
        let found = found.await?;
        pace.set_deferrable(found);
        Ok(found)
    }

    /// Completes a notification in its own transaction.
    async fn complete_alone(&self, lease: Lease, effect: Option<PostgresEffect>) -> Reply {
        let limit = self.effect_timeout();
        let has_effect = effect.is_some();
        let attempted =
            self.attempt(DOING, move |transaction| Box::pin(effect::complete(transaction, lease, effect, limit))).await;
        let result = if has_effect { effect::ended(attempted) } else { attempted.0 };
        let took = match &result {
            Ok((_, took)) => *took,
            Err(OpError::Stuck(_)) => limit,
            Err(_) => Duration::ZERO,
        };
        let completed = match result {
            Ok((others_are_ready, _)) => {
                if others_are_ready {
                    self.notify();
                }
                Ok(())
            }
            Err(OpError::Unknown(error)) => self.looked_up(&[lease], OpError::Unknown(error)).await.remove(0),
            Err(error) => Err(error.into_finish(DOING)),
        };
        self.completions().pace.completed_alone(lease.id, took, completed.is_ok());
        completed
    }

    /// Looks up the results of completions for which it is unknown whether the commit succeeded.
    async fn looked_up(&self, leases: &[Lease], error: OpError) -> Vec<Reply> {
        let wanted = leases.to_vec();
        let found = self.run(DOING, move |transaction| Box::pin(lookup::completed(transaction, wanted))).await;
        match found {
            Ok(found) => {
                let replies = leases.iter().map(|lease| match found.contains(&lease.id) {
                    true => Ok(()),
                    false => Err(FinishError::NotApplied),
                });
                replies.collect()
            }
            Err(_) => {
                let error = paytend_inbox::StoreError::from(error.into_finish(DOING));
                leases.iter().map(|_| Err(error.clone().into())).collect()
            }
        }
    }
}

async fn run_alone(store: PostgresStore, mut lane: Lane<Waiting>) {
    while let Some(taken) = lane.take(|waiting| waiting.pop_front().into_iter().collect()) {
        for Waiting { lease, effect, caller } in taken {
            let store = store.clone();
            let completing = tokio::spawn(async move { store.complete_alone(lease, effect).await });
            // The completion runs in a separate task, so that a panic does not end the lane.
            let _ = caller.send(completing.await.unwrap_or_else(|_| Err(not_completed())));
        }
    }
}

async fn run_together(store: PostgresStore, mut lane: Lane<Waiting>) {
    while let Some(taken) = lane.take(take_together) {
        let completing = tokio::spawn(complete_together(store.clone(), taken));
        // After this time, the lane takes the next completions, so that a slow effect does not delay them.
        let _ = tokio::time::timeout(EFFECT_TIME, completing).await;
    }
}

/// Takes up to [`MAX_TOGETHER`] completions. If several are for the same notification, takes only the first of them.
fn take_together(waiting: &mut VecDeque<Waiting>) -> Vec<Waiting> {
    let (mut ids, mut taken, mut left) = (HashSet::new(), Vec::new(), VecDeque::new());
    while taken.len() < MAX_TOGETHER
        && let Some(next) = waiting.pop_front()
    {
        if ids.insert(next.lease.id) { taken.push(next) } else { left.push_back(next) }
    }
    left.append(waiting);
    *waiting = left;
    taken
}

async fn complete_together(store: PostgresStore, mut taken: Vec<Waiting>) {
    if taken.len() == 1
        && let Some(Waiting { lease, effect, caller }) = taken.pop()
    {
        let _ = caller.send(store.complete_alone(lease, effect).await);
        return;
    }
    metrics::histogram!("paytend_postgres_batch_completions").record(u32::try_from(taken.len()).unwrap_or(u32::MAX));
    let has_deferrable = store.has_deferrable_constraints().await;
    let (mut members, callers): (Vec<_>, Vec<_>) =
        taken.into_iter().map(|waiting| (Member::new(waiting.lease, waiting.effect), waiting.caller)).unzip();
    let result = match has_deferrable {
        Ok(false) => effect::ended(store.attempt_together(DOING, &mut members).await),
        // No shared transaction is started. With an empty report, `settle` queues each completion for a separate
        // transaction.
        Ok(true) | Err(_) => Ok(Report::default()),
    };
    settle(&store, members, callers, result).await;
}

/// Sends each caller the result of its completion after a shared transaction. Puts the completions that have not begun
/// back into a queue.
async fn settle(
    store: &PostgresStore,
    members: Vec<Member>,
    callers: Vec<oneshot::Sender<Reply>>,
    result: Result<Report, OpError>,
) {
    let Completions { together, alone, pace, .. } = store.completions();
    let mut applied: Vec<(Lease, oneshot::Sender<Reply>)> = Vec::new();
    let (mut later, mut separate) = (Vec::new(), Vec::new());
    let is_committed = result.is_ok();
    let unreachable = match &result {
        Err(OpError::Finish(FinishError::Store(error))) => Some(error.clone()),
        _ => None,
    };
    for (member, caller) in members.into_iter().zip(callers) {
        let is_held = member.is_held();
        let Member { lease, effect, progress, .. } = member;
        match progress {
            MemberProgress::Applied | MemberProgress::Begun => applied.push((lease, caller)),
            MemberProgress::Failed(error) => drop(caller.send(Err(repeat_alone(pace, lease, error)))),
            MemberProgress::FailedFirst(error) => {
                pace.mark(lease.id);
                let _ = caller.send(Err(FinishError::Effect(error)));
            }
            MemberProgress::Waiting if is_committed && is_held => later.push(Waiting { lease, effect, caller }),
            MemberProgress::Waiting => match &unreachable {
                Some(error) => drop(caller.send(Err(error.clone().into()))),
                None => separate.push(Waiting { lease, effect, caller }),
            },
        }
    }
    let replies = match result {
        Ok(report) => {
            if report.has_conflict {
                pace.conflict();
            } else {
                pace.completed_together(report.begun, report.long, report.failed);
            }
            if report.others_are_ready {
                store.notify();
            }
            applied.iter().map(|_| Ok(())).collect()
        }
        Err(error) => {
            tracing::debug!("a shared transaction was rolled back; its completions will be repeated one by one");
            pace.conflict();
            applied.iter().for_each(|(lease, _)| pace.mark(lease.id));
            let leases: Vec<Lease> = applied.iter().map(|(lease, _)| *lease).collect();
            match error {
                error @ OpError::Unknown(_) => store.looked_up(&leases, error).await,
                _ => leases.iter().map(|_| Err(FinishError::NotApplied)).collect(),
            }
        }
    };
    for ((_, caller), reply) in applied.into_iter().zip(replies) {
        let _ = caller.send(reply);
    }
    let count = later.len().max(separate.len());
    together.put_back(later.into_iter());
    alone.put_back(separate.into_iter());
    (0..count).for_each(|_| store.start_lanes());
}

/// Returns the error for a notification whose effect failed in a shared transaction. This failure does not count, and
/// the notification's next effect runs in a separate transaction.
fn repeat_alone(pace: &Pace, lease: Lease, error: HandlerError) -> FinishError {
    tracing::debug!(
        id = lease.id.get(),
        ?error,
        "an effect failed in a shared transaction and will run again in its own transaction"
    );
    pace.mark(lease.id);
    FinishError::NotApplied
}
