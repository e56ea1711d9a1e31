//! The `paytend` command.

mod cmd;
mod exit;
mod inputs;
mod keyfiles;
mod output;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "paytend",
    version,
    about = "Seal, open and verify messages of Paytend, PayBy and PayerMax, and run a local sandbox",
    after_help = exit::HELP
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a demo of a partner and a local Paytend sandbox that communicate over HTTP
    Demo(cmd::demo::Args),
    /// Generate and inspect RSA keys
    #[command(subcommand)]
    Keys(cmd::keys::Command),
    /// Encrypt and sign a message, and write the JSON document to standard output
    Seal(cmd::seal::Args),
    /// Decrypt and verify a JSON document from standard input
    Open(cmd::open::Args),
    /// Verify the `sign` header of PayBy or PayerMax over a body from standard input
    Verify(cmd::verify::Args),
    /// Explain why a message from standard input is not authentic
    Explain(cmd::explain::Args),
    /// Run a local Paytend sandbox with fault injection and a web page
    Sandbox(cmd::sandbox::Args),
    /// Receive notifications into a durable store, and manage it
    #[command(subcommand)]
    Inbox(cmd::inbox::Command),
    /// Show and decide the orders of a durable store
    #[command(subcommand)]
    Outbox(cmd::outbox::Command),
    /// Compare the provider's lists with notifications and orders, and report every difference
    Reconcile(Box<cmd::reconcile::Args>),
    /// Control a running sandbox: faults, time, notifications
    Control(cmd::control::Args),
    /// Run scenarios, each against a new sandbox, and report whether they pass
    Scenario(cmd::scenario::Args),
    /// List the API operations and their paths, and whether each path is documented, observed or inferred
    Endpoints(cmd::endpoints::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo(args) => cmd::demo::run(&args),
        Command::Keys(command) => cmd::keys::run(&command),
        Command::Seal(args) => cmd::seal::run(&args),
        Command::Open(args) => cmd::open::run(&args),
        Command::Verify(args) => cmd::verify::run(&args),
        Command::Explain(args) => cmd::explain::run(&args),
        Command::Sandbox(args) => cmd::sandbox::run(args),
        Command::Inbox(command) => cmd::inbox::run(command),
        Command::Outbox(command) => cmd::outbox::run(command),
        Command::Reconcile(args) => cmd::reconcile::run(*args),
        Command::Control(args) => cmd::control::run(args),
        Command::Scenario(args) => cmd::scenario::run(&args),
        Command::Endpoints(args) => cmd::endpoints::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            failure.code()
        }
    }
}
