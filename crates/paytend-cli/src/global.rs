//! The options that all commands have: colours and logs.

use std::io::{self, IsTerminal as _};

use clap::{ArgAction, Args, ColorChoice};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::output;
use crate::profiles::variable;

/// The environment variable that contains the log filter, such as `info` or `paytend_client=debug`.
const FILTER_VARIABLE: &str = "RUST_LOG";

#[derive(Args)]
pub(crate) struct GlobalArgs {
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    color: ColorChoice,
    /// Write logs to standard error: -v for information, -vv for details, -vvv for all. RUST_LOG sets a filter
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

/// The option of commands that print text or JSON.
#[derive(Args, Clone, Copy)]
pub(crate) struct JsonArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The `--json` option of commands whose output is always JSON. It exists so that scripts can use it with every
/// command.
#[derive(Args)]
pub(crate) struct AlwaysJsonArgs {
    /// Print JSON; the output of this command is always JSON
    #[arg(long = "json")]
    _json: bool,
}

impl GlobalArgs {
    /// Applies the options to the whole program.
    pub(crate) fn apply(&self) {
        output::set_colors(self.color);
        if let Some(filter) = self.filter() {
            let layer = tracing_subscriber::fmt::layer()
                .with_writer(io::stderr)
                .with_ansi(output::Style::stderr().is_coloured() && io::stderr().is_terminal());
            let subscriber = tracing_subscriber::registry().with(filter).with(layer);
            // This call does not fail, because no other subscriber has been set.
            let _ = tracing::subscriber::set_global_default(subscriber);
        }
    }

    /// Returns the log filter, or `None` if neither `-v` nor `RUST_LOG` is set.
    fn filter(&self) -> Option<Targets> {
        if let Some(text) = variable(FILTER_VARIABLE) {
            match text.parse() {
                Ok(filter) => return Some(filter),
                Err(_) => output::warn(format!("{FILTER_VARIABLE} is ignored: an example is paytend_client=debug")),
            }
        }
        let level = match self.verbose {
            0 => return None,
            1 => LevelFilter::INFO,
            2 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        };
        // Other crates can log the data that they send, so details from them require RUST_LOG.
        Some(Targets::new().with_default(LevelFilter::WARN).with_target("paytend", level))
    }
}
