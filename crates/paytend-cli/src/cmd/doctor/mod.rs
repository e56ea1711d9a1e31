//! `paytend doctor`: checks a connection and everything that it depends on.

mod callback;
mod certificates;
mod hint;
mod keys;
mod network;
mod query;
mod report;
mod store;

use std::path::PathBuf;

use clap::Args as ClapArgs;
use paytend_inbox::Route;
use url::Url;

use self::callback::Callback;
use self::report::Report;
use crate::cmd::inbox::store::StoreArgs;
use crate::connection::ConnectionArgs;
use crate::exit::{Category, Failure};
use crate::signals;

/// Check the keys, the connection and the settings, and show what to do about each problem.
///
/// The only API request is a signed query of the partner balance. The exit code is 0 if no check fails.
#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Post two test notifications to this callback URL of your receiver: one that is signed with a sandbox's key, if
    /// there is one, and one that is signed with an unknown key. No provider uses their type, so receivers book nothing
    #[arg(long, value_name = "URL")]
    callback: Option<Url>,
    /// The sender and product of the test notifications: paytend:baas (the default), paytend:issuing, payby or payermax
    #[arg(long, value_name = "ROUTE", requires = "callback")]
    callback_route: Option<Route>,
    /// The directory with the sandbox's private keys for --callback, if it is not the directory of --keys
    #[arg(long, value_name = "DIR", requires = "callback")]
    callback_keys: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    signals::run(runtime, check(args))
}

async fn check(args: &Args) -> Result<(), Failure> {
    let mut report = Report::new(args.json);
    let settings = args.connection.settings();
    match &settings {
        Ok(settings) => {
            report.ok("settings", &settings.source);
            let keys = keys::check(settings, &mut report);
            let reached = network::check(settings, &mut report).await;
            query::check(args, settings, keys, reached, &mut report).await;
        }
        Err(failure) => {
            let next = match (failure.category(), &args.connection.selection.keys) {
                (Category::Usage, _) | (_, Some(_)) => "paytend doctor --help",
                _ => "paytend config init",
            };
            report.fail("settings", failure.message(), next);
        }
    }
    if let Some(url) = &args.callback {
        let route = args.callback_route.unwrap_or(Route::PaytendBaas);
        let keys = args.callback_keys.as_deref().or(args.connection.selection.keys.as_deref());
        Callback { url, route, keys, settings: settings.as_ref().ok() }.check(&mut report).await;
    }
    if args.store.is_given() {
        store::check(&args.store, &mut report).await;
    }
    report.finish()
}
