//! `paytend outbox`: shows the orders in an outbox, and records operator decisions.

mod audit;
mod keys;
mod listing;
mod manage;

use clap::Subcommand;
use paytend_inbox::{StoreError, StoreErrorKind};

use crate::exit::Failure;
use crate::operations::Target;

/// Matches on the type of store, and awaits a call on the concrete store.
macro_rules! each {
    ($store:expr, $inner:ident => $call:expr) => {
        match $store {
            $crate::cmd::inbox::any_store::AnyStore::Sqlite($inner) => $call.await,
            $crate::cmd::inbox::any_store::AnyStore::Postgres($inner) => $call.await,
            $crate::cmd::inbox::any_store::AnyStore::Nats(_) => $crate::cmd::outbox::no_orders(),
        }
    };
}
pub(crate) use each;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List orders
    List(listing::ListArgs),
    /// Show an order and its operator actions
    Show(listing::ShowArgs),
    /// Record the outcome of a stuck or unknown order, or cancel an order that was never sent
    Decide(manage::DecideArgs),
    /// Query a stuck order again, or run a failed handler again. An order that was never sent is sent
    Retry(manage::RetryArgs),
    /// Complete an order whose outcome is known or decided, without its handler
    Close(manage::CloseArgs),
    /// Stop sending orders for an operation, in all dispatchers, until `resume`
    Pause(manage::PauseArgs),
    /// Resume sending orders for an operation
    Resume(manage::ResumeArgs),
    /// Show the number of orders in each state, and the paused operations
    Stats(listing::StatsArgs),
    /// Check the integrity of the orders
    Check(manage::CheckArgs),
    /// List operator actions, such as decisions, pauses and the removal of content
    Audit(audit::AuditArgs),
    /// Remove the requests and results of completed orders after their retention period
    DropContent(manage::DropContentArgs),
    /// Prepare a store that was restored from a backup: orders without a known outcome, and new orders, are queried
    /// before anything is sent. Stop all dispatchers first
    Recover(manage::RecoverArgs),
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::List(args) => listing::list(args).await,
            Command::Show(args) => listing::show(args).await,
            Command::Decide(args) => manage::decide(args).await,
            Command::Retry(args) => manage::retry(args).await,
            Command::Close(args) => manage::close(args).await,
            Command::Pause(args) => manage::pause(args).await,
            Command::Resume(args) => manage::resume(args).await,
            Command::Stats(args) => listing::stats(args).await,
            Command::Check(args) => manage::check(args).await,
            Command::Audit(args) => audit::audit(args).await,
            Command::DropContent(args) => manage::drop_content(args).await,
            Command::Recover(args) => manage::recover(args).await,
        }
    })
}

/// Returns the error for a NATS store, which can contain notifications but no orders.
pub(crate) fn no_orders<T>() -> Result<T, StoreError> {
    let message = "a NATS store contains no orders: pass the outbox's SQLite file or PostgreSQL database";
    Err(StoreError::new(StoreErrorKind::Configuration, message))
}

/// Returns the path of an operation that was specified by name or path.
fn operation_path(name_or_path: &str) -> Result<String, Failure> {
    // The partner's program can define operations that `paytend-model` does not contain.
    Ok(match Target::find(name_or_path)? {
        Target::Known(entry) => entry.info.path.to_owned(),
        Target::Path(path) => path,
    })
}
