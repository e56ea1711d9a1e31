//! `paytend call`: calls an operation of the API.

mod report;
pub(crate) mod request;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args as ClapArgs, ValueEnum};
use paytend_client::{Client, Error, Event, Outcome, Resolvable, Resolved};
use paytend_crypto::RequestId;
use paytend_model::issuing::{ApplyCard, Topup};
use serde::Serialize;
use serde_json::value::RawValue;

use self::report::Report;
use self::request::RequestArgs;
use crate::connection::is_sandbox;
use crate::exit::{Category, Failure};
use crate::operations::Target;
use crate::{output, prompt};

#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    request: RequestArgs,
    /// Show what would be sent, without sending it
    #[arg(long)]
    dry_run: bool,
    /// Show the messages on standard error, and send the request once, without retries
    #[arg(long, value_enum, value_name = "WHAT")]
    show: Option<Show>,
    /// Query the order if the response is lost or is a rejection (topup and applyCard). The exit code is 0 if the order
    /// exists and has not failed: `state` reports whether it has succeeded
    #[arg(long, conflicts_with_all = ["show", "dry_run"])]
    resolve: bool,
    /// Send a mutation without confirmation, even if the API is not a sandbox
    #[arg(long, short)]
    yes: bool,
    /// Print the outcome, the response code and the data as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Show {
    /// The encrypted documents that are sent and received
    Wire,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let target = Target::find(&args.request.operation)?;
    if args.resolve && !["issuing.topup", "issuing.applyCard"].contains(&target.name().as_str()) {
        return Err(Failure::usage(format!(
            "--resolve is supported for topup and applyCard, but not for {}",
            target.name()
        )));
    }
    let may_be_sent = Arc::new(AtomicBool::new(false));
    let client = client(&args.request, &may_be_sent)?;
    let payload = args.request.payload(&target)?;
    let call = Call { args: &args, target: &target, client: &client, payload: &payload };
    if args.dry_run {
        return call.dry_run();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    call.confirm(&runtime)?;
    let sent = runtime.block_on(async {
        tokio::select! {
            sent = call.send() => Some(sent),
            _ = tokio::signal::ctrl_c() => None,
        }
    });
    match sent {
        Some(sent) => {
            runtime.shutdown_background();
            sent
        }
        None => {
            // `shutdown_background` does not wait for a name lookup that is still in progress.
            runtime.shutdown_background();
            // `select!` has dropped the call. The client's event handler has then set `may_be_sent`, unless it is
            // certain that nothing was sent.
            let (outcome, known) = match may_be_sent.load(Ordering::SeqCst) {
                true => (Outcome::Unknown, "the request may have been carried out"),
                false => (Outcome::NotSent, "nothing was sent"),
            };
            if args.json {
                // A failure to write is ignored, so that the exit code reports the interruption.
                let _ = Report::outcome(&target.name(), outcome).print(true);
            }
            if outcome != Outcome::NotSent {
                call.hint();
            }
            Err(Failure::new(Category::Interrupted, format!("interrupted: {known}")))
        }
    }
}

/// Creates the client. `may_be_sent` becomes true when an attempt ends or is dropped, unless it is certain that the
/// attempt sent nothing.
fn client(request: &RequestArgs, may_be_sent: &Arc<AtomicBool>) -> Result<Client, Failure> {
    let may_be_sent = may_be_sent.clone();
    let mut builder = request.connection.builder()?.events(move |event: &Event| {
        if event.outcome != Some(Outcome::NotSent) {
            may_be_sent.store(true, Ordering::SeqCst);
        }
    });
    if let Some(deadline) = request.deadline {
        builder = builder.deadline(deadline);
    }
    Ok(builder.build()?)
}

struct Call<'a> {
    args: &'a Args,
    target: &'a Target,
    client: &'a Client,
    payload: &'a str,
}

#[derive(Serialize)]
struct DryRun<'a> {
    operation: String,
    url: String,
    request_id: &'a str,
    payload: &'a RawValue,
    document: &'a RawValue,
}

impl Call<'_> {
    /// Asks for confirmation before a mutation, unless it is sent to a sandbox.
    fn confirm(&self, runtime: &tokio::runtime::Runtime) -> Result<(), Failure> {
        if !self.target.is_mutation() || self.args.yes || runtime.block_on(is_sandbox(self.client)) {
            return Ok(());
        }
        let (name, url, partner) = (self.target.name(), self.client.base_url(), self.client.partner_id());
        if !prompt::is_interactive() {
            return Err(Failure::usage(format!(
                "{name} changes state at {url}, which does not identify itself as a sandbox: pass --yes"
            )));
        }
        match prompt::confirm(&format!("Send {name} to {url} as partner {partner}?"))? {
            true => Ok(()),
            false => Err(Failure::usage("nothing was sent")),
        }
    }

    fn untyped(&self) -> Result<paytend_client::UntypedRequest<'_>, Failure> {
        let payload: &RawValue = serde_json::from_str(self.payload).map_err(Failure::usage)?;
        Ok(self.client.untyped(&self.args.request.operation, payload)?)
    }

    fn dry_run(&self) -> Result<(), Failure> {
        let request = self.untyped()?;
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        let raw =
            |text| serde_json::from_str::<&RawValue>(text).map_err(|error| Failure::new(Category::Unexpected, error));
        let dry = DryRun {
            operation: self.target.name(),
            url: request.url(),
            request_id: request.request_id().as_str(),
            payload: raw(if request.payload().is_empty() { "{}" } else { request.payload() })?,
            document: raw(text(request.document()))?,
        };
        if self.args.json {
            return output::json(&dry);
        }
        output::note(format!("POST {} (not sent)", dry.url));
        output::json_text(dry.payload.get())?;
        if self.args.show == Some(Show::Wire) {
            output::json_text(dry.document.get())?;
        }
        Ok(())
    }

    async fn send(&self) -> Result<(), Failure> {
        let name = self.target.name();
        let (id, sent) = match name.as_str() {
            "issuing.topup" if self.args.resolve => self.resolve::<Topup>().await?,
            "issuing.applyCard" if self.args.resolve => self.resolve::<ApplyCard>().await?,
            _ => self.plain(&name).await?,
        };
        match sent {
            Ok(report) => {
                let printed = report.print(self.args.json);
                // The state of the order is checked first: its exit code is more important than a failure to write the
                // output.
                report.check_state()?;
                printed.map_err(|error| error.with_hint("the request succeeded"))
            }
            Err(error) => {
                if self.args.json {
                    // A failure to write is ignored, so that the exit code reports the outcome of the call.
                    let _ = Report::failure(&name, Some(id), &error).print(true);
                }
                if error.outcome() == Outcome::Unknown {
                    self.hint();
                }
                Err(report::failure(error))
            }
        }
    }

    async fn plain(&self, name: &str) -> Result<(String, Result<Report, Error>), Failure> {
        let request = self.untyped()?;
        let id = request.request_id().to_string();
        let response = match self.args.show {
            None => request.send().await,
            Some(Show::Wire) => {
                output::note(format!("> POST {}", request.url()));
                output::note(format!("> {}", String::from_utf8_lossy(request.document())));
                match request.transmit().await {
                    Ok(raw) => {
                        output::note(format!("< HTTP {}", raw.status()));
                        output::note(format!("< {}", String::from_utf8_lossy(raw.body()).escape_debug()));
                        request.open(&raw)
                    }
                    Err(error) => Err(error),
                }
            }
        };
        Ok((id, response.map(|response| Report::success(name, &response))))
    }

    async fn resolve<O: Resolvable>(&self) -> Result<(String, Result<Report, Error>), Failure> {
        let order: O = serde_json::from_str(self.payload).map_err(Failure::usage)?;
        let id = RequestId::generate()?;
        let resolved = self.client.request(&order).request_id(id.clone()).resolve().await;
        let name = self.target.name();
        let report = resolved.map(|resolved| match &resolved {
            Resolved::Responded { response, state, .. } => {
                Report::resolved(&name, id.as_str(), response, state).with_success_code()
            }
            Resolved::Found { order, state, .. } => Report::resolved(&name, id.as_str(), order, state),
        });
        Ok((id.as_str().to_owned(), report))
    }

    /// Prints the command that queries the order.
    fn hint(&self) {
        let query = match self.target.name().as_str() {
            "issuing.topup" => "getTopupResult",
            "issuing.applyCard" => "getApplyCardResult",
            _ => return,
        };
        let data: serde_json::Value = serde_json::from_str(self.payload).unwrap_or_default();
        let plain = |text: &&str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        let order = data["orderNo"].as_str().filter(plain).unwrap_or("ORDER");
        output::hint(format!("query the order before you send it again: paytend call {query} -f orderNo={order}"));
    }
}
