//! `paytend listen`: receives notifications and prints a line for each.

mod keys;
mod line;
mod routes;

use std::io::IsTerminal as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use clap::Args as ClapArgs;
use paytend_crypto::keys::read_secret_file;
use paytend_inbox::{
    AnyNotification, Completion, Delivery, Entry, ForwardSecret, Inbox, MemoryLimits, MemoryStore, Query, Route, State,
    Store, StoreAdmin, StoreError, StoreKeys, Worker,
};
use paytend_model::Product;
use paytend_store_sqlite::SqliteOptions;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::keys::Keys;
use self::line::{Line, Printer, What};
use self::routes::{Explainer, Shared, add};
use crate::cmd::inbox::connections::Connections;
use crate::cmd::inbox::forward::Forwarder;
use crate::cmd::inbox::server;
use crate::cmd::inbox::store::StoreName;
use crate::connection::SelectionArgs;
use crate::event_kinds::ALL;
use crate::exit::{Category, Failure};
use crate::keyfiles::PermissionArgs;
use crate::output::{self, Style};
use crate::signals::{self, Signals, run_service};
use crate::suggest::{Suggested, did_you_mean};

/// The limits on what is kept in memory without `--inbox`. If too many notifications wait to be forwarded, new ones are
/// not acknowledged, so the providers send them again.
const MEMORY: MemoryLimits = MemoryLimits { waiting: 10_000, waiting_bytes: 16 << 20, processed: 10_000 };

#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    selected: SelectionArgs,
    /// The port of the loopback interface to listen on; 0 for a free port
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// The URL of a service that each notification is posted to, as JSON
    #[arg(long, value_name = "URL", requires = "forward_secret_file")]
    forward_to: Option<String>,
    /// File with the secret that signs forwarded notifications (Standard Webhooks): base64 of 24 to 64 bytes
    #[arg(long, value_name = "FILE", requires = "forward_to")]
    forward_secret_file: Option<PathBuf>,
    /// The SQLite file that stores the notifications. Without this option, they are kept in memory, and are lost when
    /// the command ends. New notifications, also of kinds that --only leaves out, get status 503 while 10000
    /// notifications or 16 MiB wait to be forwarded. Dead letters, which were given up after many attempts, also count
    #[arg(long, value_name = "FILE")]
    inbox: Option<PathBuf>,
    /// Only print and forward notifications of this kind, such as fund-deposit; may be repeated. All kinds are
    /// acknowledged. Cannot be combined with both --inbox and --forward-to
    #[arg(long, value_name = "KIND", value_parser = Suggested::new(kinds()), hide_possible_values = true)]
    only: Vec<String>,
    /// Print JSON. This is the default if standard output is not a terminal
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    permissions: PermissionArgs,
}

fn kinds() -> impl Iterator<Item = &'static str> {
    ALL.iter().filter_map(|kind| kind.name.split_once('.')).map(|(_, kind)| kind)
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    for only in &args.only {
        if !kinds().any(|kind| kind == only) {
            let hint = did_you_mean(only, kinds())
                .unwrap_or_else(|| format!("the kinds are {}", kinds().collect::<Vec<_>>().join(", ")));
            return Err(Failure::usage(format!("there is no notification kind `{only}`: {hint}")));
        }
    }
    // The worker also marks the notifications that `--only` leaves out as processed. They would stay in the file, but a
    // later run would not forward them.
    if !args.only.is_empty() && args.inbox.is_some() && args.forward_to.is_some() {
        return Err(Failure::usage(
            "--only cannot be used with --inbox and --forward-to, because the file would not keep the other kinds for \
             a later run: leave out --only; `paytend events list --kind KIND` lists one kind",
        ));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    run_service(runtime, async {
        match &args.inbox {
            Some(file) => {
                let keys = StoreName::Sqlite(file.clone()).keys(None)?;
                listen(&args, SqliteOptions::new(file).open()?, keys).await
            }
            None => listen(&args, MemoryStore::new().with_limits(MEMORY), StoreKeys::generate()?).await,
        }
    })
}

async fn listen<S: StoreAdmin + Clone>(args: &Args, store: S, keys: StoreKeys) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    let json = args.json || !std::io::stdout().is_terminal();
    let shared = Shared {
        inbox: Inbox::open(store, keys).await?,
        printer: Printer::new(json, stop.clone()),
        only: Arc::new(args.only.clone()),
        explainer: Explainer::new(),
    };
    let keys = match &args.selected.keys {
        Some(directory) => Keys::from_directory(directory, args.permissions.file_permissions())?,
        None => Keys::from_profile(&args.selected)?,
    };
    let (router, listed) = router(&keys, &shared)?;
    let forwarder = forwarder(args)?;
    // Notifications in memory that are not forwarded are completed immediately, because nothing can read them later.
    let worker = (forwarder.is_some() || args.inbox.is_none()).then(|| worker(&shared, forwarder));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let listener = TcpListener::bind(address).await.map_err(|error| {
        Failure::new(Category::Network, format!("cannot listen on {address}: {error}; choose another --port"))
    })?;
    let signals = Signals::new()?;
    if args.inbox.is_none() && !keys.are_of_a_sandbox().await {
        output::warn(
            "these keys are not known to be a sandbox's: notifications are acknowledged and only kept in memory, and \
             the provider does not send them again; pass --inbox FILE to store them",
        );
    }
    ready(&format!("http://{}", listener.local_addr()?), &listed, json)?;
    let stopped = stop.clone();
    let working = tokio::spawn(async move {
        match worker {
            Some(worker) => drop(worker.run(stopped.cancelled_owned()).await),
            None => stopped.cancelled().await,
        }
    });
    let mut signal = Ok(());
    let until = async {
        let mut received = Box::pin(signals.received());
        tokio::select! {
            ended = &mut received => signal = ended,
            () = stop.cancelled() => {
                // The command stops because its output cannot be written. While the last notifications are being
                // forwarded, Ctrl-C still ends the process.
                tokio::spawn(async {
                    if received.await.is_err() {
                        signals::exit();
                    }
                });
            }
        }
        stop.cancel();
    };
    server::serve(listener, None, router, &Connections::new(None), until).await;
    let _ = working.await;
    shared.explainer.finish(&shared.printer).await;
    if args.forward_to.is_some() {
        match unforwarded(&shared).await {
            Ok(count) => warn_about_unforwarded(args, count),
            Err(error) => output::warn(format!("cannot count the notifications that were not forwarded: {error}")),
        }
    }
    signal.and(shared.printer.finish())
}

/// Returns the number of notifications that were acknowledged but not forwarded.
async fn unforwarded<S: StoreAdmin>(shared: &Shared<S>) -> Result<u64, StoreError> {
    let store = shared.inbox.store();
    if shared.only.is_empty() {
        let stats = store.stats().await?;
        return Ok(stats.ready + stats.leased + stats.backoff + stats.dead);
    }
    // Kinds that `--only` leaves out do not count, because they are never forwarded. With `--only`, the store is in
    // memory, so all entries can be listed at once.
    let entries = store.list(Query { limit: usize::MAX, ..Query::default() }).await?;
    let is_open = |entry: &&Entry| entry.state != State::Done && shared.shows(entry.facts.kind.as_str());
    Ok(entries.iter().filter(is_open).count().try_into().unwrap_or(u64::MAX))
}

fn warn_about_unforwarded(args: &Args, count: u64) {
    if count == 0 {
        return;
    }
    output::warn(match &args.inbox {
        Some(file) => format!(
            "notifications that were not forwarded: {count}. {} keeps them: run the command again, or for dead letters \
             `paytend inbox redrive --dead`",
            file.display()
        ),
        None => format!(
            "notifications that were acknowledged, not forwarded, and are lost now: {count}. Pass --inbox FILE to keep \
             them for a later run"
        ),
    });
}

/// Creates the routes for all providers whose keys are known.
fn router<S: Store>(keys: &Keys, shared: &Shared<S>) -> Result<(Router, Map<String, Value>), Failure> {
    let (mut router, mut listed) = (Router::new(), Map::new());
    let mut list = |path: &str, route: Route| listed.insert(path.to_owned(), route.as_str().into());
    for (path, route, product) in [
        ("/paytend/baas", Route::PaytendBaas, Product::Baas),
        ("/paytend/issuing", Route::PaytendIssuing, Product::Issuing),
    ] {
        if let Some((receiver, known)) = keys.paytend(product)? {
            router = add(router, path, route, receiver, known, shared);
            list(path, route);
        }
    }
    if let Some((receiver, known)) = keys.payby()? {
        router = add(router, "/payby", Route::PayBy, receiver, known, shared);
        list("/payby", Route::PayBy);
    }
    if let Some((receiver, known)) = keys.payermax()? {
        router = add(router, "/payermax", Route::PayerMax, receiver, known, shared);
        list("/payermax", Route::PayerMax);
    }
    Ok((router, listed))
}

fn forwarder(args: &Args) -> Result<Option<Forwarder>, Failure> {
    let (Some(url), Some(file)) = (&args.forward_to, &args.forward_secret_file) else { return Ok(None) };
    let secret = read_secret_file(file, args.permissions.file_permissions())?;
    let secret = ForwardSecret::parse(&String::from_utf8_lossy(&secret))?;
    Ok(Some(Forwarder::new(url, secret)?))
}

/// Creates the worker that forwards notifications, with the inbox's retry policy. Without a forwarder, the worker
/// completes them.
fn worker<S: Store>(shared: &Shared<S>, forwarder: Option<Forwarder>) -> Worker<S> {
    let lines = shared.clone();
    Worker::builder(shared.inbox.clone(), move |delivery: Delivery<AnyNotification>| {
        let (forwarder, shared) = (forwarder.clone(), lines.clone());
        async move {
            let Some(forwarder) = forwarder.filter(|_| shared.shows(delivery.facts().kind.as_str())) else {
                return Ok(Completion::without_effect());
            };
            let done = forwarder.forward(&delivery).await;
            let event = if done.is_ok() { What::Forwarded } else { What::ForwardFailed };
            let mut line = Line::of(event, delivery.facts(), delivery.content());
            line.reason = done.as_ref().err().map(|error| error.cause().to_owned());
            shared.printer.print(line).await;
            done
        }
    })
    .build()
}

/// Prints the URLs on which the command listens.
fn ready(url: &str, listed: &Map<String, Value>, json: bool) -> Result<(), Failure> {
    if json {
        return Ok(output::line(&format!(
            r#"{{"ready":true,"url":{},"routes":{}}}"#,
            Value::from(url),
            Value::from(listed.clone())
        ))?);
    }
    let style = Style::stdout();
    output::line(&style.bold("Listening. Set these callback URLs:"))?;
    for (path, route) in listed {
        output::line(&format!("  {:<16} {url}{path}", route.as_str().unwrap_or_default()))?;
    }
    Ok(output::line(&style.dim("Ctrl-C stops the command."))?)
}
