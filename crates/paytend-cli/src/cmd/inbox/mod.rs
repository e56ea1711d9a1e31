//! `paytend inbox`: receives notifications into a store, and manages the store.

pub(crate) mod any_store;
mod audit;
pub(crate) mod config;
pub(crate) mod connections;
mod endpoints;
pub(crate) mod forward;
mod health;
mod key_directory;
pub(crate) mod listing;
pub(crate) mod manage;
mod nats;
pub(crate) mod operator;
mod serve;
pub(crate) mod server;
pub(crate) mod store;
pub(crate) mod time;

use clap::Subcommand;
use tracing::Level;

use crate::exit::Failure;
use crate::signals::run_service;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Receive notifications, store each one before it is acknowledged, and optionally forward them
    Serve(Box<serve::Args>),
    /// List stored notifications
    List(listing::ListArgs),
    /// Show a stored notification
    Show(listing::ShowArgs),
    /// Make dead letters ready again
    Redrive(manage::RedriveArgs),
    /// Turn a notification that has not been processed yet into a dead letter
    Bury(manage::BuryArgs),
    /// Show the number of notifications in each state
    Stats(listing::StatsArgs),
    /// Check the store's integrity and its engine's settings
    Check(manage::CheckArgs),
    /// List operator actions: showing content, redriving, burying and erasing notifications, and backups
    Audit(audit::AuditArgs),
    /// Remove the content and the business ID of all notifications about an object, such as an order
    Erase(manage::EraseArgs),
    /// Create a key file for a store
    GenerateKey(manage::GenerateKeyArgs),
    /// Copy an SQLite store to a new file, even while the store is in use
    Backup(manage::BackupArgs),
}

/// Writes the log to standard error. The log contains no content and no business IDs.
fn log_to_stderr(level: Level) {
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::env::var_os("NO_COLOR").is_none())
        .with_max_level(level)
        .finish();
    // This fails if a global option such as `-v` has already set a subscriber, which is then kept.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let level = if matches!(command, Command::Serve(_)) { Level::INFO } else { Level::WARN };
    log_to_stderr(level);
    run_service(runtime, async {
        match command {
            Command::Serve(args) => serve::run(*args).await,
            Command::List(args) => listing::list(args).await,
            Command::Show(args) => listing::show(args).await,
            Command::Redrive(args) => manage::redrive(args).await,
            Command::Bury(args) => manage::bury(args).await,
            Command::Stats(args) => listing::stats(args).await,
            Command::Check(args) => manage::check(args).await,
            Command::Audit(args) => audit::audit(args).await,
            Command::Erase(args) => manage::erase(args).await,
            Command::GenerateKey(args) => manage::generate_key(&args),
            Command::Backup(args) => manage::backup(args).await,
        }
    })
}
