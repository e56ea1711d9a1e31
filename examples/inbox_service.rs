//! A program with its own HTTP server that stores received notifications in an inbox, and serves `/healthz`, `/readyz`
//! and `/metrics`. The `paytend inbox serve` command does the same.
//!
//! Run it with `cargo run -p paytend-examples --example inbox_service`

#![allow(clippy::print_stdout)]

use std::error::Error;

use axum::Router;
use metrics_exporter_prometheus::PrometheusBuilder;
use paytend_client::{Client, Environment};
use paytend_inbox::service::{Monitoring, route};
use paytend_inbox::{Completion, Inbox, StoreAdmin, StoreKeys, Worker};
use paytend_model::Product;
use paytend_model::funding::SetCallbackUrl;
use paytend_sandbox::{Deposit, Sandbox};
use paytend_store_sqlite::SqliteStore;
use paytend_webhook::PaytendReceiver;
use paytend_webhook::server::Endpoint;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // In production, Paytend is a remote service and the keys are in files.
    let sandbox = Sandbox::start().await?;
    let keyring = sandbox.partner_keyring().ok_or("the sandbox has no partner key")?;
    let directory = tempfile::tempdir()?;
    let metrics = PrometheusBuilder::new().install_recorder()?;

    let store = SqliteStore::open(directory.path().join("inbox.db"))?;
    let inbox = Inbox::open(store.clone(), StoreKeys::load_or_create(directory.path().join("inbox.keys"))?).await?;
    let worker = Worker::builder(inbox.clone(), async |delivery| {
        println!("processed: {}", delivery.facts().kind);
        Ok(Completion::without_effect())
    })
    .build();

    let endpoint = Endpoint::new(PaytendReceiver::new(Product::Baas, sandbox.partner_id(), keyring.clone()));
    let monitoring = Monitoring::new(store.clone()).worker(worker.health()).metrics(move || metrics.render());
    let app = Router::new().route("/paytend/baas", route(endpoint.clone(), &inbox)).merge(monitoring.router());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);

    let stop = CancellationToken::new(); // in production, cancelled by a signal
    let serving = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
    let serving = tokio::spawn(async move { serving.await });
    let working = tokio::spawn(worker.run(stop.clone().cancelled_owned()));

    let client = Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), keyring).build()?;
    client.send(&SetCallbackUrl::builder().type_("2").url(format!("{url}/paytend/baas")).build()).await?;
    sandbox.deposit(&Deposit::new("1250.07".parse()?, "EUR")).await?;
    while store.stats().await?.done == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let http = reqwest::Client::builder().no_proxy().build()?;
    println!("ready: {}", http.get(format!("{url}/readyz")).send().await?.text().await?.trim());
    let metrics = http.get(format!("{url}/metrics")).send().await?.text().await?;
    for line in metrics.lines().filter(|line| line.starts_with("paytend_inbox_notifications{")) {
        println!("{line}");
    }
    drop(http);

    // Requests and handlers that are in progress are completed before the program exits.
    stop.cancel();
    serving.await??;
    endpoint.idle().await;
    working.await?;
    Ok(())
}
