//! Shows and resends the notifications that a sandbox has sent.

use std::time::Duration;

use jiff::Timestamp;
use paytend_inbox::{Id, Route};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use url::Url;

use super::stored::raw;
use super::{ListArgs, Resent, ShowArgs};
use crate::cmd::sandbox_control::client::SandboxArgs;
use crate::event_kinds::ALL;
use crate::exit::{Category, Failure};
use crate::output;

/// The interval at which `tail` reads new deliveries.
const INTERVAL: Duration = Duration::from_millis(250);

/// A delivery, as contained in a response from the control interface.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    id: i64,
    /// The product and the `notifyType`, such as `baas 2`, or only the provider: `payby` or `payermax`.
    what: String,
    url: Option<String>,
    made_at: i64,
    state: String,
    attempts: Vec<Attempt>,
    content: Option<String>,
}

#[derive(Deserialize)]
struct Attempt {
    status: Option<u16>,
    acknowledged: bool,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Deliveries {
    deliveries: Vec<Delivery>,
}

/// A notification in a list. `schemas/events-sandbox.json` describes the members.
#[derive(Serialize)]
struct Listed<'a> {
    id: i64,
    created_at: String,
    route: &'static str,
    kind: &'static str,
    notify_type: Option<&'a str>,
    url: Option<&'a str>,
    state: &'static str,
    attempts: usize,
    /// The HTTP status of the last response.
    status: Option<u16>,
    /// Why the last attempt was not acknowledged.
    reason: Option<&'a str>,
    /// The content; set only by `show`.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Box<RawValue>>,
}

impl Delivery {
    fn listed(&self) -> Listed<'_> {
        let notify_type = self.what.split_once(' ').map(|(_, notify_type)| notify_type);
        let route = match self.what.split(' ').next() {
            Some("payby") => Route::PayBy,
            Some("payermax") => Route::PayerMax,
            Some("issuing") => Route::PaytendIssuing,
            _ => Route::PaytendBaas,
        };
        let kind = ALL.iter().find(|kind| kind.route == route && kind.notify_type == notify_type.unwrap_or_default());
        let last = self.attempts.last();
        Listed {
            id: self.id,
            created_at: Timestamp::from_millisecond(self.made_at).map(|at| format!("{at:.3}")).unwrap_or_default(),
            route: route.as_str(),
            kind: kind.and_then(|kind| kind.name.split_once('.')).map_or("unknown", |(_, kind)| kind),
            notify_type,
            url: self.url.as_deref(),
            state: match self.state.as_str() {
                "acknowledged" => "acknowledged",
                "givenUp" => "given_up",
                "noUrl" => "no_url",
                _ => "pending",
            },
            attempts: self.attempts.len(),
            status: last.and_then(|attempt| attempt.status),
            reason: last.and_then(|attempt| attempt.reason.as_deref()),
            content: None,
        }
    }

    fn print(&self, args: &ListArgs) -> Result<(), Failure> {
        let listed = self.listed();
        if args.kind.as_ref().is_some_and(|kind| kind != listed.kind) {
            return Ok(());
        }
        if args.json.json {
            return output::json(&listed);
        }
        Ok(output::line(&format!(
            "{:>6}  {}  {:<15}  {:<18}  {}, attempts {}",
            listed.id, listed.created_at, listed.route, listed.kind, listed.state, listed.attempts
        ))?)
    }
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Failure> {
    let unexpected =
        |error| Failure::new(Category::Unexpected, format!("unexpected response from the sandbox: {error}"));
    serde_json::from_str(text).map_err(unexpected)
}

async fn after(at: &SandboxArgs, id: i64) -> Result<Vec<Delivery>, Failure> {
    let text = at.text(Method::GET, &format!("/deliveries?after={id}"), None).await?;
    Ok(read::<Deliveries>(&text)?.deliveries)
}

pub(super) async fn list(sandbox: &Url, args: &ListArgs) -> Result<(), Failure> {
    after(&SandboxArgs::at(sandbox), 0).await?.iter().try_for_each(|delivery| delivery.print(args))
}

/// Prints each new delivery once. After a reset of the sandbox or an import of its state, all deliveries count as new,
/// even if their IDs were printed before.
pub(super) async fn tail(sandbox: &Url, args: &ListArgs) -> Result<(), Failure> {
    let at = SandboxArgs::at(sandbox);
    let key = |delivery: &Delivery| (delivery.id, delivery.made_at);
    let mut last = after(&at, 0).await?.last().map(key);
    output::note("waiting for notifications");
    loop {
        // The last printed delivery is read again. If a different delivery has this ID now, the sandbox was reset.
        let from = last.map_or(0, |(id, _)| id - 1);
        let mut new = after(&at, from).await?;
        match (last, new.first().map(key)) {
            (Some(known), Some(first)) if known == first => drop(new.remove(0)),
            (Some(_), _) => {
                last = None;
                continue;
            }
            _ => {}
        }
        for delivery in &new {
            delivery.print(args)?;
            last = Some(key(delivery));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

pub(super) async fn show(sandbox: &Url, args: &ShowArgs) -> Result<(), Failure> {
    let text = SandboxArgs::at(sandbox).text(Method::GET, &format!("/deliveries/{}", args.id), None).await?;
    let delivery: Delivery = read(&text)?;
    let content = delivery.content.as_deref().unwrap_or_default();
    let json = raw(content);
    let listed = delivery.listed();
    if args.json.json {
        return output::json(&Listed { content: json.ok(), ..listed });
    }
    output::note(format!("{}  {}  {}  {}", listed.created_at, listed.route, listed.kind, listed.state));
    Ok(output::json_text(json.as_ref().map_or(content, |json| json.get()))?)
}

pub(super) async fn resend(sandbox: &Url, id: Id, to: Option<&Url>) -> Result<Resent, Failure> {
    resend_at(&SandboxArgs::at(sandbox), id, to).await
}

/// Posts a delivery again, to another URL if one is specified.
pub(crate) async fn resend_at(at: &SandboxArgs, id: Id, to: Option<&Url>) -> Result<Resent, Failure> {
    let body = to.map_or_else(|| json!({}), |url| json!({ "url": url.as_str() })).to_string();
    let delivery: Delivery = read(&at.text(Method::POST, &format!("/deliveries/{id}/resend"), Some(body)).await?)?;
    let last = delivery.attempts.last();
    let acknowledged = last.is_some_and(|attempt| attempt.acknowledged);
    Ok(Resent {
        id: delivery.id,
        status: last.and_then(|attempt| attempt.status).unwrap_or(0),
        acknowledged,
        error: last.filter(|_| !acknowledged).and_then(|attempt| attempt.reason.clone()),
        name: delivery.what.clone(),
    })
}
