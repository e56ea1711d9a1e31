//! `paytend demo`: a partner and a local sandbox communicate over HTTP, and the demo shows what can go wrong between
//! them.

mod cards;
mod deposits;
mod held_responses;
mod orders;
mod partner;
mod process;
mod report;
mod server;

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use jiff::civil::Date;
use paytend_crypto_aws_lc::AwsLc;
use paytend_model::Operation;
use paytend_model::funding::SetCallbackUrl;
use paytend_sandbox::{FolderOptions, KeyFolder, Sandbox};
use serde_json::{Value, json};

use self::partner::{Partner, key_directory, store_keys, unexpected};
use self::report::Report;
use self::server::Server;
use crate::exit::{Category, Failure};

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Print one JSON object per line: {"step": …, "ok": true, …}; the last line is {"step":"done", …}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    orders: Option<SendOrders>,
}

/// The options for the process that the demo starts and kills.
#[derive(ClapArgs)]
struct SendOrders {
    /// The demo's directory
    #[arg(long = "send-orders", hide = true, required = false, requires = "base_url")]
    directory: PathBuf,
    /// The URL of the sandbox
    #[arg(long = "sandbox-url", hide = true, required = false, requires = "directory")]
    base_url: String,
}

impl Args {
    const DIRECTORY: &str = "--send-orders";
    const BASE_URL: &str = "--sandbox-url";
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    if let Some(orders) = &args.orders {
        return runtime()?.block_on(process::run(orders));
    }
    // The directory is created before the runtime, so it is dropped after the runtime, whose tasks use its files.
    let directory = tempfile::Builder::new().prefix("paytend-demo-").tempdir()?;
    let runtime = runtime()?;
    let mut report = Report::new(args.json);
    let outcome = runtime.block_on(async {
        tokio::select! {
            // `biased` polls `ctrl_c` first, so the signal handler is installed before the demo prints its first line.
            biased;
            _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
            outcome = Demo::run_story(&mut report, directory.path()) => outcome,
        }
    });
    report.done(outcome)
}

/// The state of a running demo.
struct Demo<'r> {
    report: &'r mut Report,
    directory: &'r Path,
    sandbox: Sandbox,
    partner: Partner,
    server: Server,
    /// The day on which the demo began, in UTC.
    first_day: Date,
}

impl<'r> Demo<'r> {
    async fn run_story(report: &'r mut Report, directory: &'r Path) -> Result<(), Failure> {
        report.text("A partner and a local Paytend sandbox. Every message is encrypted and signed.")?;
        let mut demo = Self::start(report, directory).await?;
        demo.open_account().await?;
        let card = demo.issue_card().await?;
        demo.lose_response(&card).await?;
        demo.receive_deposit().await?;
        demo.refuse_forgeries(&card).await?;
        demo.kill_process(&card).await?;
        demo.compare().await
    }

    /// Starts both sides.
    async fn start(report: &'r mut Report, directory: &'r Path) -> Result<Self, Failure> {
        let first_day = today();
        report.section("Start both sides")?;
        report.begin("keys", "Each side generates a key pair")?;
        // The key folder refuses paths that contain a name such as `live`, because real keys could be there. The path
        // of a temporary directory can contain such a name by chance.
        let options = FolderOptions::new().danger_allow_real_keys(true);
        let keys = KeyFolder::open(&key_directory(directory), &options).map_err(unexpected)?;
        let bits = keys.partner.bits();
        report.fact("partner", describe(&keys.partner));
        report.fact("paytend", describe(keys.paytend.public_key()));
        report.end(&format!("RSA, {bits} bits, as Paytend uses today"))?;

        report.begin("sandbox", "A Paytend sandbox starts")?;
        let started = Sandbox::builder().backend(AwsLc).folder(keys).start().await;
        let sandbox = started.map_err(|e| Failure::new(Category::Network, e))?;
        report.fact("url", sandbox.url());
        report.end(&format!("{} on this machine", sandbox.url()))?;

        report.begin("receiver", "The partner starts a server")?;
        let partner = Partner::open(directory, &sandbox.url()).await?;
        let inbox = paytend_inbox::Inbox::open(partner.store.clone(), store_keys(directory)?).await?;
        let server = Server::start(&partner, inbox).await?;
        report.fact("url", server.url.clone());
        report.end("it stores notifications in an SQLite file")?;

        let mut demo = Self { report, directory, sandbox, partner, server, first_day };
        let callback = SetCallbackUrl::builder().type_("2").url(demo.server.url.as_str()).build();
        demo.call("setCallbackUrl", "The partner sets its callback URL", &callback).await?;
        demo.report.end(SetCallbackUrl::INFO.path)?;
        Ok(demo)
    }

    /// Starts a step that sends a request, and reports the request and the response with their signed texts. The caller
    /// ends the step.
    async fn call<O: Operation>(
        &mut self,
        step: &'static str,
        title: &str,
        operation: &O,
    ) -> Result<O::Response, Failure> {
        self.report.begin(step, title)?;
        let client = &self.partner.client;
        let prepared = client.prepare(operation)?;
        self.report.fact("path", O::INFO.path);
        self.report.fact("sent", signed_text(&prepared.canonical().unwrap_or_default()));
        self.report.wire("request", prepared.document());
        let raw = client.transmit(&prepared).await?;
        self.report.wire("response", &String::from_utf8_lossy(raw.body()));
        let response = client.open(&prepared, &raw)?;
        self.report.fact("received", signed_text(&String::from_utf8_lossy(&response.opened().canonical())));
        Ok(response.into_data())
    }
}

/// Returns the current date in UTC.
fn today() -> Date {
    jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date()
}

fn describe(key: &paytend_crypto::PublicKey) -> Value {
    json!({"bits": key.bits(), "fingerprint": key.fingerprint().to_string()})
}

/// Returns the signed text of a message, with the session key removed.
fn signed_text(canonical: &str) -> Value {
    canonical.split('&').filter(|part| !part.starts_with("randomKey=")).collect::<Vec<_>>().join("&").into()
}

/// Returns the value of a response field that the sandbox always sets.
fn required<T>(value: Option<T>, name: &str) -> Result<T, Failure> {
    value.ok_or_else(|| unexpected(format!("the response does not contain `{name}`")))
}

fn require(condition: bool, description: &str) -> Result<(), Failure> {
    if condition { Ok(()) } else { Err(unexpected(format!("check failed: {description}"))) }
}
