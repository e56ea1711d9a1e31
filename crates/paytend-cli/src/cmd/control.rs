//! `paytend control`: controls a running sandbox over its control interface.

use clap::{Args as ClapArgs, Subcommand};
use paytend_sandbox::Fault;
use reqwest::Method;
use serde_json::{Value, json};

use crate::cmd::sandbox_control::client::ControlArgs;
use crate::exit::Failure;
use crate::{output, signals};

#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    control: ControlArgs,
    /// Has no effect: the output of this command is always JSON
    #[arg(long = "json", global = true)]
    _json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Add a fault, such as topup:resetAfter:next or "notify baas 2:late:1m:times=3:percent=50"
    Fault { fault: Fault },
    /// Remove all faults
    ClearFaults,
    /// Advance the clock
    Advance {
        /// Duration, such as 90s, 15h, 3d or 1h30m
        by: String,
    },
    /// Trigger an event and send its notification
    Trigger {
        /// Product: baas, issuing, payby or payermax
        product: String,
        /// Paytend notification type (notifyType), for baas and issuing
        notify_type: Option<String>,
        /// JSON object whose fields replace the generated fields
        #[arg(long, value_name = "JSON")]
        content: Option<String>,
        /// URL to post the notification to, for payby and payermax
        #[arg(long, value_name = "URL")]
        to: Option<String>,
    },
    /// Show balances, cards, users and orders, without personal data
    State,
    /// Show all notifications and their deliveries
    Deliveries,
    /// Reset the sandbox
    Reset,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let (method, path, body) = match args.command {
        Command::Fault { fault } => {
            (Method::POST, "/faults", Some(serde_json::to_string(&fault).map_err(Failure::usage)?))
        }
        Command::ClearFaults => (Method::DELETE, "/faults", None),
        Command::Advance { by } => (Method::POST, "/clock/advance", Some(json!({ "by": by }).to_string())),
        Command::Trigger { product, notify_type, content, to } => {
            (Method::POST, "/trigger", Some(trigger(&product, notify_type, content, to)?))
        }
        Command::State => (Method::GET, "/state", None),
        Command::Deliveries => (Method::GET, "/deliveries", None),
        Command::Reset => (Method::POST, "/reset", Some("{}".to_owned())),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sandbox = args.control.sandbox()?;
    let response = signals::run(runtime, sandbox.text(method, path, body))?;
    Ok(output::json_line(&response)?)
}

/// Builds the body of a trigger request. The content is inserted unchanged, so numbers keep all their digits.
fn trigger(
    product: &str,
    notify_type: Option<String>,
    content: Option<String>,
    to: Option<String>,
) -> Result<String, Failure> {
    let quoted = |text: &str| Value::from(text).to_string();
    let mut body = format!("{{\"product\":{}", quoted(product));
    for (name, value) in [("notifyType", notify_type), ("url", to)] {
        if let Some(value) = value {
            body.push_str(&format!(",\"{name}\":{}", quoted(&value)));
        }
    }
    if let Some(content) = content {
        serde_json::from_str::<Value>(&content)
            .map_err(|error| Failure::usage(format!("--content: {error}; pass a JSON object")))?;
        body.push_str(&format!(",\"content\":{content}"));
    }
    Ok(body + "}")
}
