//! The `paytend` command.

mod cmd;
mod exit;
mod inputs;
mod keyfiles;
mod output;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "paytend", version, about = "Sealed and signed messages with Paytend, PayBy and PayerMax", after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Watch a partner and a Paytend talk over real HTTP, on this machine
    Demo(cmd::demo::Args),
    /// Generate and inspect RSA keys
    #[command(subcommand)]
    Keys(cmd::keys::Command),
    /// Seal and sign a message; the wire document goes to standard output
    Seal(cmd::seal::Args),
    /// Open and verify a wire document from standard input
    Open(cmd::open::Args),
    /// Verify a detached signature over a raw body from standard input
    Verify(cmd::verify::Args),
    /// Say why a message from standard input is not authentic
    Explain(cmd::explain::Args),
    /// Run a Paytend of your own, with a page to look at and faults on command
    Sandbox(cmd::sandbox::Args),
    /// Tell a running sandbox what to do: faults, time, notifications
    Control(cmd::control::Args),
    /// Run stories against a sandbox of their own, and say whether they hold
    Scenario(cmd::scenario::Args),
    /// List the operations, their paths, and how sure we are of each
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
