//! The `paytend` command.

mod cmd;
mod completion;
mod connection;
mod duration;
mod event_kinds;
mod exit;
mod global;
mod inputs;
mod keyfiles;
mod keyring;
mod operations;
mod output;
mod payload;
mod profiles;
mod progress;
mod prompt;
mod settings;
mod signals;
mod suggest;
mod urls;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "paytend",
    version,
    disable_help_subcommand = true,
    about = "Call Paytend's APIs, receive notifications, seal and verify messages, and run a local sandbox",
    after_help = exit::HELP
)]
struct Cli {
    #[command(flatten)]
    global: global::GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a demo of a partner and a local Paytend sandbox that communicate over HTTP
    Demo(cmd::demo::Args),
    /// Manage profiles with connection settings
    #[command(subcommand)]
    Config(cmd::config::Command),
    /// Check the keys, the connection and the settings, and show what to do about each problem
    Doctor(Box<cmd::doctor::Args>),
    /// Call an operation of the API
    Call(cmd::call::Args),
    /// Print the items of a paginated list, one line of JSON each
    Pages(cmd::pages::Args),
    /// Generate and inspect RSA keys
    #[command(subcommand)]
    Keys(cmd::keys::Command),
    /// Encrypt and sign a message, and write the JSON document to standard output
    Seal(cmd::seal::Args),
    /// Decrypt and verify a JSON document from standard input
    Open(cmd::open::Args),
    /// Verify the `sign` header of a PayBy or PayerMax message whose body is read from standard input
    Verify(cmd::verify::Args),
    /// Describe the messages captured in documents, HTTP dumps, HAR files and log lines
    Inspect(cmd::inspect::Args),
    /// Explain why a message from standard input is not authentic
    Explain(cmd::explain::Args),
    /// Run a local Paytend sandbox with fault injection and a web page
    Sandbox(cmd::sandbox::Args),
    /// Receive notifications, store them durably, and manage the store
    #[command(subcommand)]
    Inbox(cmd::inbox::Command),
    /// Show the orders in a durable store, and record decisions about stuck orders
    #[command(subcommand)]
    Outbox(cmd::outbox::Command),
    /// Compare the provider's lists with notifications and orders, and report every difference
    Reconcile(Box<cmd::reconcile::Args>),
    /// Receive notifications and print a line for each notification
    Listen(cmd::listen::Args),
    /// Send signed notifications to a URL, like a provider
    Trigger(cmd::trigger::Args),
    /// List, show and resend the notifications in a store or from a sandbox
    #[command(subcommand)]
    Events(cmd::events::Command),
    /// Control a running sandbox: faults, clock and notifications
    Control(cmd::control::Args),
    /// Run scenarios, each against a new sandbox, and report whether they pass
    Scenario(cmd::scenario::Args),
    /// List the API operations and their paths, and whether each path is documented, observed or inferred
    Endpoints(cmd::endpoints::Args),
    /// Print the completion script for a shell
    Completions(cmd::completions::Args),
    /// Print or write the manual pages
    Man(cmd::man::Args),
    /// Print the help for a command; `help errors` explains the exit codes and the kinds of errors
    Help(cmd::help::Args),
}

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == completion::CALL) {
        let words: Vec<String> =
            words.skip_while(|word| word == "--").map(|word| word.to_string_lossy().into_owned()).collect();
        completion::print(Cli::command(), &words);
        return ExitCode::SUCCESS;
    }
    let cli = Cli::parse();
    cli.global.apply();
    let result = match cli.command {
        Command::Demo(args) => cmd::demo::run(&args),
        Command::Config(command) => cmd::config::run(command),
        Command::Doctor(args) => cmd::doctor::run(&args),
        Command::Call(args) => cmd::call::run(args),
        Command::Pages(args) => cmd::pages::run(&args),
        Command::Keys(command) => cmd::keys::run(&command),
        Command::Seal(args) => cmd::seal::run(&args),
        Command::Open(args) => cmd::open::run(&args),
        Command::Verify(args) => cmd::verify::run(&args),
        Command::Inspect(args) => cmd::inspect::run(&args),
        Command::Explain(args) => cmd::explain::run(&args),
        Command::Sandbox(args) => cmd::sandbox::run(args),
        Command::Inbox(command) => cmd::inbox::run(command),
        Command::Outbox(command) => cmd::outbox::run(command),
        Command::Reconcile(args) => cmd::reconcile::run(*args),
        Command::Listen(args) => cmd::listen::run(args),
        Command::Trigger(args) => cmd::trigger::run(&args),
        Command::Events(command) => cmd::events::run(command),
        Command::Control(args) => cmd::control::run(args),
        Command::Scenario(args) => cmd::scenario::run(&args),
        Command::Endpoints(args) => cmd::endpoints::run(&args),
        Command::Completions(args) => cmd::completions::run(&args, Cli::command()),
        Command::Man(args) => cmd::man::run(&args, Cli::command()),
        Command::Help(args) => cmd::help::run(&args, Cli::command()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            failure.code()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks all commands for conflicting names and options.
    #[test]
    fn commands_are_consistent() {
        Cli::command().debug_assert();
    }
}
