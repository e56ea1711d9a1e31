//! `paytend inbox serve`: receives notifications until a signal stops it.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::IntoResponse as _;
use clap::Args as ClapArgs;
use http::{HeaderMap, StatusCode, header};
use paytend_crypto::keys::read_secret_file;
use paytend_inbox::service::Monitoring;
use paytend_inbox::{ForwardSecret, Inbox, Kind, StoreAdmin as _, StoreClock, Worker};
use paytend_webhook::service::Peer;
use paytend_webhook::{Source, Sources};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cmd::inbox::any_store::AnyStore;
use crate::cmd::inbox::config::{Config, Gate};
use crate::cmd::inbox::connections::Connections;
use crate::cmd::inbox::endpoints::{Endpoints, RouteArg};
use crate::cmd::inbox::forward::Forwarder;
use crate::cmd::inbox::key_directory::KeyDirectory;
use crate::cmd::inbox::store::StoreArgs;
use crate::cmd::inbox::time::rfc3339;
use crate::cmd::inbox::{health, server};
use crate::exit::{Category, Failure};
use crate::global::AlwaysJsonArgs;
use crate::keyfiles::PermissionArgs;
use crate::output;
use crate::signals::Signals;

/// The interval at which the service removes content whose retention period is over.
const RETENTION_INTERVAL: Duration = Duration::from_secs(3600);
/// The time after which the clock of a running service is trusted.
const CLOCK_TRIAL: Duration = Duration::from_secs(24 * 3600);

#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// The directory with the keys: partner-private.pem, partner-id, paytend-public.b64, payby-public.b64 and
    /// payermax-public.b64. `paytend sandbox --keys` creates these files
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// The address to listen on; port 0 for a free port
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// A path and its provider: paytend:baas, paytend:issuing, payby, payermax or payermax:MERCHANT; may be repeated.
    /// The default is /paytend/baas, /paytend/issuing, and /payby and /payermax if their keys are in the directory
    #[arg(long = "route", value_name = "PATH=PROVIDER")]
    routes: Vec<RouteArg>,
    /// The URL of a service that each notification is posted to, as JSON. Without this option, notifications stay in
    /// the ready state
    #[arg(long, value_name = "URL", requires = "forward_secret_file")]
    forward_to: Option<String>,
    /// File with the secret that signs forwarded notifications (Standard Webhooks): base64 of 24 to 64 bytes
    #[arg(long, value_name = "FILE")]
    forward_secret_file: Option<PathBuf>,
    /// The store's key file. The default is a file next to the store; it is created at the first start
    #[arg(long, value_name = "FILE")]
    store_key: Option<PathBuf>,
    /// The configuration file, in TOML format
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    permissions: PermissionArgs,
    #[command(flatten)]
    _json: AlwaysJsonArgs,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let permissions = args.permissions.file_permissions();
    let config = args.config.as_deref().map(|file| Config::read(file, permissions)).transpose()?.unwrap_or_default();
    let directory = args.keys.as_ref().or(config.keys.as_ref());
    let directory = directory.ok_or_else(|| Failure::usage("no key directory: pass --keys DIR"))?;
    let address = args.listen.or(config.listen).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    refuse_plain_http(address, &config)?;
    refuse_public_audit(address, &config)?;
    let forwarder = forwarder(&args, &config)?;
    let requeued = requeued(&config)?;
    let metrics = health::install_metrics()?;

    let name = args.store.name(config.store.as_deref())?;
    let keys = name.keys(args.store_key.as_deref().or(config.store_key.as_deref()))?;
    let store = name.open(&config.nats, permissions).await?;
    let inbox = Inbox::open(store.clone(), keys).await?.requeue_sightings(requeued);
    let key_directory = KeyDirectory { path: directory, permissions, dated: &config.key };
    let endpoints = Endpoints::new(&inbox, &key_directory, &config.gate, routes(&args, &config)?)?;
    let tls = config.tls.as_ref().map(|tls| server::acceptor(tls, permissions)).transpose()?;

    let worker = forwarder.map(|forwarder| worker(inbox, forwarder, config.handlers));
    let mut monitoring = Monitoring::new(store.clone()).metrics(move || metrics.render());
    if config.audit_page {
        monitoring = monitoring.audit_page(rfc3339);
    }
    if let Some(worker) = &worker {
        monitoring = monitoring.worker(worker.health());
    }
    let connections = Connections::new(listed(&config.gate)?);
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| Failure::new(Category::Network, format!("cannot listen on {address}: {error}")))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", listener.local_addr()?);

    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let working = tokio::spawn(async move {
        match worker {
            Some(worker) => drop(worker.run(stopping.cancelled_owned()).await),
            None => stopping.cancelled().await,
        }
    });
    let forget_after = config.nats.forget_after.map(|time| time.0);
    let cleaning = (config.retention.is_some() || forget_after.is_some())
        .then(|| tokio::spawn(apply_retention(store, config.retention.map(|time| time.0), forget_after)));
    let signals = Signals::new()?;
    output::line(&ready_line(&url, &endpoints, &name.to_string()))?;
    let mut router = endpoints.router.clone();
    if tls.is_none() && !address.ip().is_loopback() {
        router = only_from_proxies(router, &config)?;
    }
    let router = router.merge(monitoring.router());
    let mut ended = Ok(());
    let signal = async {
        ended = signals.received().await;
        stop.cancel();
    };
    server::serve(listener, tls, router, &connections, signal).await;
    endpoints.idle().await;
    let _ = working.await;
    if let Some(cleaning) = cleaning {
        cleaning.abort();
    }
    ended
}

/// Refuses to serve plain HTTP on a network interface, because notifications contain personal data.
fn refuse_plain_http(address: SocketAddr, config: &Config) -> Result<(), Failure> {
    if address.ip().is_loopback() || config.tls.is_some() || !config.gate.trusted_proxy.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Category::Configuration,
        format!(
            "plain HTTP on {address} can be read by others: listen on the loopback interface, or set `tls` or \
             `gate.trusted_proxy` in --config FILE"
        ),
    ))
}

/// Refuses to serve the audit page on a network interface or behind a proxy, because the page contains operator names.
fn refuse_public_audit(address: SocketAddr, config: &Config) -> Result<(), Failure> {
    if !config.audit_page || (address.ip().is_loopback() && config.gate.trusted_proxy.is_empty()) {
        return Ok(());
    }
    Err(Failure::new(
        Category::Configuration,
        "`audit_page` requires a loopback `listen` address and no `gate.trusted_proxy`: use `paytend inbox audit`",
    ))
}

/// Refuses requests from peers other than the trusted proxies, because plain HTTP does not protect the notifications on
/// their way.
fn only_from_proxies(router: Router, config: &Config) -> Result<Router, Failure> {
    let proxies = Sources::new()
        .allow(&config.gate.trusted_proxy)
        .map_err(|error| Failure::new(Category::Configuration, error))?
        .only_listed();
    let refuse = move |request: Request, next: Next| {
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
        let trusted = proxies.source(peer, &HeaderMap::new()) == Source::Listed;
        async move {
            if trusted {
                return next.run(request).await;
            }
            let reason = "plain HTTP is accepted from trusted proxies only\n";
            (StatusCode::FORBIDDEN, [(header::CONNECTION, "close")], reason).into_response()
        }
    };
    Ok(router.layer(axum::middleware::from_fn(refuse)))
}

/// Returns the addresses of providers and proxies, or `None` if no addresses of providers are configured.
fn listed(gate: &Gate) -> Result<Option<Sources>, Failure> {
    if gate.allow_source.is_empty() {
        return Ok(None);
    }
    let listed = Sources::new().allow(&gate.allow_source).and_then(|listed| listed.allow(&gate.trusted_proxy));
    listed.map(Some).map_err(|error| Failure::new(Category::Configuration, error))
}

fn forwarder(args: &Args, config: &Config) -> Result<Option<Forwarder>, Failure> {
    let file = args.forward_secret_file.as_ref().or(config.forward_secret_file.as_ref());
    let Some(url) = args.forward_to.as_ref().or(config.forward_to.as_ref()) else {
        return match file {
            Some(_) => Err(Failure::usage("a forward secret file without a URL: pass --forward-to URL")),
            None => Ok(None),
        };
    };
    let file = file.ok_or_else(|| Failure::usage("no secret for forwarding: pass --forward-secret-file FILE"))?;
    let secret = read_secret_file(file, args.permissions.file_permissions())?;
    let secret = ForwardSecret::parse(&String::from_utf8_lossy(&secret))?;
    Ok(Some(Forwarder::new(url, secret)?))
}

/// Returns the kinds whose duplicates are forwarded too.
fn requeued(config: &Config) -> Result<Vec<Kind>, Failure> {
    let kinds = config.requeue_sightings.iter().map(|kind| kind.parse::<Kind>());
    kinds
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::new(Category::Configuration, format!("requeue_sightings: {error}")))
}

fn routes(args: &Args, config: &Config) -> Result<Vec<RouteArg>, Failure> {
    if !args.routes.is_empty() {
        return Ok(args.routes.clone());
    }
    let routes = config.routes.iter().map(|(path, provider)| RouteArg::from_parts(path, provider));
    routes.collect::<Result<_, _>>().map_err(|error| Failure::new(Category::Configuration, error))
}

fn worker(inbox: Inbox<AnyStore>, forwarder: Forwarder, handlers: Option<NonZeroUsize>) -> Worker<AnyStore> {
    let forward = move |delivery| {
        let forwarder = forwarder.clone();
        async move { forwarder.forward(&delivery).await }
    };
    // Repeated deliveries (sightings) are forwarded even if their content is no longer stored.
    let builder = Worker::builder(inbox, forward.clone()).on_sighting(forward);
    match handlers {
        Some(handlers) => builder.max_concurrent(handlers.get()).build(),
        None => builder.build(),
    }
}

async fn apply_retention(store: AnyStore, retention: Option<Duration>, forget_after: Option<Duration>) {
    let started = Instant::now();
    // The last notification before the start. Later notifications prove nothing, because their times come from a clock
    // that may be wrong.
    let mut received_before = None;
    loop {
        let now = match store.clock().await {
            Ok(clock) => {
                let last_received = *received_before.get_or_insert(clock.last_received);
                trusted_now(StoreClock { last_received, ..clock }, SystemTime::now(), started.elapsed())
            }
            Err(error) => {
                tracing::error!(%error, "cannot read the store's clock: no content is removed");
                None
            }
        };
        let before = |age: Option<Duration>| age.and_then(|age| now?.checked_sub(age));
        if let Some(before) = before(retention) {
            match store.drop_payloads(before).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "content removed after its retention period"),
                Err(error) => tracing::error!(%error, "cannot remove content after its retention period"),
            }
        }
        if let (Some(before), AnyStore::Nats(store)) = (before(forget_after), &store) {
            match store.forget(before).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "records of processed notifications removed"),
                Err(error) => tracing::error!(%error, "cannot remove the records of processed notifications"),
            }
        }
        tokio::time::sleep(RETENTION_INTERVAL).await;
    }
}

/// Returns the current time for computing the age of content, or `None` if the clock may be wrong. Content that was
/// removed because of a wrong clock cannot be restored.
///
/// If a clock is ahead, all content seems old, so the earlier time of the store's clock and the system clock is used.
/// After a start, both can be wrong, but the system clock is usually corrected within a day. During the first day, the
/// time is therefore trusted only if the last notification before the start is at most a day old.
fn trusted_now(clock: StoreClock, system: SystemTime, running: Duration) -> Option<SystemTime> {
    let now = clock.now.min(system);
    let is_recent = |last: SystemTime| now.duration_since(last).is_ok_and(|idle| idle <= CLOCK_TRIAL);
    if running < CLOCK_TRIAL && !clock.last_received.is_some_and(is_recent) {
        tracing::info!("no notification within a day: old content is removed after the next one, or within a day");
        return None;
    }
    Some(now)
}

/// Returns the JSON line with the addresses of the service, for scripts.
fn ready_line(url: &str, endpoints: &Endpoints, store: &str) -> String {
    let [url, store] = [url, store].map(Value::from);
    format!(r#"{{"ready":true,"url":{url},"routes":{},"store":{store}}}"#, json!(endpoints.listed))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn ages_are_counted_from_the_clock_that_is_behind() {
        let right = SystemTime::UNIX_EPOCH + 500_000 * HOUR;
        let wrong = right + 9_000 * HOUR;
        let trusted = |now: SystemTime, last: Option<SystemTime>, system: SystemTime, hours: u32| {
            trusted_now(StoreClock { now, last_received: last }, system, hours * HOUR)
        };
        let recent = Some(right - 23 * HOUR);
        // Only the system clock is ahead, and then only the store's clock.
        assert_eq!(trusted(right, recent, wrong, 0), Some(right));
        assert_eq!(trusted(wrong, recent, right, 0), Some(right));
        assert_eq!(trusted(wrong, recent, right, 100), Some(right));
        // Both clocks are ahead after the start. An hour later, the system clock is corrected. A notification that
        // arrived before the correction has a wrong time.
        assert_eq!(trusted(wrong, recent, wrong, 0), None);
        assert_eq!(trusted(wrong + HOUR, recent, right + HOUR, 1), Some(right + HOUR));
        assert_eq!(trusted(wrong + HOUR, Some(wrong), right + HOUR, 1), None);
        // The last notification is more than a day old, or there is none.
        assert_eq!(trusted(right, Some(right - 25 * HOUR), right, 23), None);
        assert_eq!(trusted(right, Some(right - 25 * HOUR), right, 24), Some(right));
        assert_eq!(trusted(right, None, right, 23), None);
    }
}
