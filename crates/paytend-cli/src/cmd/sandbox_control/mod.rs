//! The subcommands of `paytend sandbox`, which control a running sandbox.

pub(crate) mod client;
pub(crate) mod exchange;
pub(crate) mod faults;
mod logs;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use paytend_inbox::Id;
use paytend_sandbox::{Fault, Sandbox};
use reqwest::Method;
use serde_json::{Value, json};

use self::client::SandboxArgs;
use crate::cmd::{events, scenario};
use crate::exit::Failure;
use crate::inputs::Inputs;
use crate::signals;
use crate::{duration, output};

/// The maximum size of an imported state, in bytes.
const MAX_STATE: usize = 256 << 20;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show the calls and deliveries of a running sandbox
    #[command(subcommand)]
    Logs(Logs),
    /// Set the callback URL for notifications
    Callback {
        /// The product or provider
        #[arg(value_enum)]
        product: Product,
        /// The URL that notifications are posted to
        #[arg(value_name = "URL")]
        callback: url::Url,
        #[command(flatten)]
        at: SandboxArgs,
    },
    /// Post a notification again, with the same content in a new message
    Resend {
        /// The ID of the delivery, as `paytend events list --sandbox URL` shows it
        id: Id,
        /// The URL to post to. The default is the previous URL, or the callback URL if there was none
        #[arg(long, value_name = "URL")]
        to: Option<url::Url>,
        #[command(flatten)]
        at: SandboxArgs,
    },
    /// List, set and remove faults
    #[command(subcommand)]
    Fault(FaultCommand),
    /// Advance or change the clock
    #[command(subcommand)]
    Clock(Clock),
    /// Add funds to the partner
    Seed {
        /// The amount, such as 500.00
        #[arg(long, value_name = "AMOUNT")]
        funds: paytend_model::Amount,
        /// The currency. The default is the sandbox's currency
        #[arg(long, value_name = "CODE")]
        currency: Option<String>,
        #[command(flatten)]
        at: SandboxArgs,
    },
    /// Print the sandbox's state in the format that `import` reads
    Export {
        #[command(flatten)]
        at: SandboxArgs,
    },
    /// Replace the sandbox's state
    Import {
        /// The file with the output of `export`; `-` for standard input
        file: PathBuf,
        #[command(flatten)]
        at: SandboxArgs,
    },
    /// List and run scenarios, each against a new sandbox
    #[command(subcommand)]
    Scenario(Scenario),
}

#[derive(Subcommand)]
pub(crate) enum Logs {
    /// Print the last entries, and new entries as they arrive
    Tail {
        #[command(flatten)]
        at: SandboxArgs,
    },
    /// List the entries, or show one entry with its documents, which contain personal data
    Show {
        /// The ID of the entry
        id: Option<u64>,
        #[command(flatten)]
        at: SandboxArgs,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Product {
    /// BaaS Core, Funding and Payout
    Baas,
    /// Issuing Cards
    Issuing,
    /// PayBy
    Payby,
    /// PayerMax
    Payermax,
}

#[derive(Subcommand)]
pub(crate) enum FaultCommand {
    /// List the active faults
    List {
        #[command(flatten)]
        at: SandboxArgs,
    },
    /// Explain the kinds of faults
    Kinds {
        /// Print JSON, one line for each kind
        #[arg(long)]
        json: bool,
    },
    /// Add a fault, such as topup:resetAfter:next or "notify baas 2:late:1m:times=3:percent=50"
    Set {
        /// The fault to add
        #[arg(value_parser = faults::parse)]
        fault: Fault,
        #[command(flatten)]
        at: SandboxArgs,
    },
    /// Remove all faults
    Clear {
        #[command(flatten)]
        at: SandboxArgs,
    },
}

#[derive(Subcommand)]
pub(crate) enum Clock {
    /// Show the time and the speed of the clock
    Show {
        #[command(flatten)]
        at: SandboxArgs,
    },
    /// Advance the clock, and run the events that become due
    Advance {
        /// The duration, such as 90s, 15h, 3d or 1h30m
        #[arg(value_parser = duration::positive)]
        by: Duration,
        #[command(flatten)]
        at: SandboxArgs,
    },
    /// Stop the clock
    Freeze {
        #[command(flatten)]
        at: SandboxArgs,
    },
    /// Set the speed of the clock; 1 is real time
    Rate {
        /// The speed factor
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        factor: u32,
        #[command(flatten)]
        at: SandboxArgs,
    },
}

#[derive(Subcommand)]
pub(crate) enum Scenario {
    /// List the included scenarios
    List {
        /// Print JSON, one line for each scenario
        #[arg(long)]
        json: bool,
    },
    /// Run scenarios, and report whether they pass
    Run(scenario::Args),
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Scenario(Scenario::List { json }) => return scenario::list(json),
        Command::Scenario(Scenario::Run(args)) => return scenario::run(&args),
        Command::Fault(FaultCommand::Kinds { json }) => return faults::kinds(json),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    signals::run(runtime, dispatch(command))
}

async fn dispatch(command: Command) -> Result<(), Failure> {
    match command {
        Command::Logs(Logs::Tail { at }) => logs::tail(&at).await,
        Command::Logs(Logs::Show { id, at }) => logs::show(&at, id).await,
        Command::Callback { product, callback, at } => {
            let product = product.to_possible_value().map(|value| value.get_name().to_owned());
            let body = json!({ "product": product, "url": callback.as_str() }).to_string();
            at.print(Method::POST, "/callback", Some(body), |_| String::new()).await
        }
        Command::Resend { id, to, at } => {
            let resent = events::resend_at(&at, id, to.as_ref()).await?;
            let printed = resent.print(at.json);
            if resent.acknowledged { printed } else { Err(events::unacknowledged(1)) }
        }
        Command::Fault(FaultCommand::List { at }) => faults::list(&at).await,
        Command::Fault(FaultCommand::Set { fault, at }) => faults::set(&at, &fault).await,
        Command::Fault(FaultCommand::Clear { at }) => faults::clear(&at).await,
        Command::Clock(command) => clock(command).await,
        Command::Seed { funds, currency, at } => {
            let body = json!({ "funds": funds, "currency": currency }).to_string();
            at.print(Method::POST, "/seed", Some(body), |_| String::new()).await
        }
        Command::Export { at } => Ok(output::json_line(&at.text(Method::GET, "/export", None).await?)?),
        Command::Import { file, at } => {
            let state = Inputs::default().read(&file, "FILE", MAX_STATE)?;
            let state =
                String::from_utf8(state.to_vec()).map_err(|_| Failure::usage("the state is not valid UTF-8"))?;
            at.print(Method::POST, "/import", Some(state), |_| String::new()).await
        }
        // Commands that need no running sandbox have already been handled by `run`.
        Command::Fault(FaultCommand::Kinds { .. }) | Command::Scenario(_) => Ok(()),
    }
}

async fn clock(command: Clock) -> Result<(), Failure> {
    let pace = |pace: Value| Some(json!({ "pace": pace }).to_string());
    match command {
        Clock::Show { at } => at.print(Method::GET, "/clock", None, shown_clock).await,
        Clock::Advance { by, at } => {
            let body = json!({ "by": format!("{}ms", by.as_millis()) }).to_string();
            at.print(Method::POST, "/clock/advance", Some(body), shown_clock).await
        }
        Clock::Freeze { at } => at.print(Method::POST, "/clock", pace("frozen".into()), shown_clock).await,
        Clock::Rate { factor: 1, at } => at.print(Method::POST, "/clock", pace("real".into()), shown_clock).await,
        Clock::Rate { factor, at } => {
            at.print(Method::POST, "/clock", pace(json!({ "accelerated": factor })), shown_clock).await
        }
    }
}

fn shown_clock(response: &Value) -> String {
    let time = |name: &str| {
        let time = response[name].as_i64().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
        time.map(|time| format!("{time:.0}"))
    };
    let pace = match &response["pace"] {
        Value::String(pace) => pace.clone(),
        pace => format!("{} times real time", pace["accelerated"]),
    };
    let due = time("nextDue").map(|due| format!("; next due at {due}")).unwrap_or_default();
    format!("{}, pace {pace}{due}", time("now").unwrap_or_default())
}

/// Prints the URLs of a sandbox and example commands.
pub(crate) fn greet(sandbox: &Sandbox, keys: &Path) -> Result<(), Failure> {
    let style = output::Style::stdout();
    let keys = shell_quoted(keys);
    let urls = [("API", sandbox.url()), ("control", sandbox.control_url()), ("web page", sandbox.ui_url())];
    let token = sandbox.token().map(|token| ("token", token.to_owned()));
    output::line(&style.bold("The sandbox is running."))?;
    for (name, value) in urls.into_iter().chain(token).chain([("keys", keys.clone())]) {
        output::line(&format!("  {name:<9} {value}"))?;
    }
    output::line(&style.bold("Try:"))?;
    output::line(&format!("  paytend call getPartnerBalance --keys {keys}"))?;
    output::line(&format!("  paytend sandbox logs tail --keys {keys}"))?;
    Ok(output::line(&style.dim("Ctrl-C stops the sandbox."))?)
}

/// Returns a path, quoted for a shell.
fn shell_quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    if plain { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
