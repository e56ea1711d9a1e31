//! Triggers events in a running sandbox, which sends the notifications.

use reqwest::Method;
use serde_json::Value;
use url::Url;

use super::{Args, Lines, Sent};
use crate::cmd::sandbox_control::client::SandboxArgs;
use crate::event_kinds::EventKind;
use crate::exit::{Category, Failure};
use crate::payload::Node;

pub(super) async fn send(args: &Args, kind: &'static EventKind, sandbox: &Url) -> Result<(), Failure> {
    let at = SandboxArgs::at(sandbox);
    let (mut unacknowledged, mut lines) = (Vec::new(), Lines::new(args.json));
    for _ in 0..args.times {
        let body = body(kind, &kind.fields(&args.set)?, args.to.as_ref());
        let made = at.text(Method::POST, "/trigger", Some(body)).await;
        let made = json(&made.map_err(|failure| lines.after_others(failure))?);
        for id in made["deliveries"].as_array().into_iter().flatten().filter_map(Value::as_u64) {
            let delivery = at.text(Method::GET, &format!("/deliveries/{id}"), None).await;
            let delivery = json(&delivery.map_err(|failure| executed(id, &failure))?);
            let last = delivery["attempts"].as_array().and_then(|attempts| attempts.last());
            let content = Node::object(delivery["content"].as_str().unwrap_or("{}")).map_err(Failure::usage)?;
            let sent = Sent {
                event: kind.name,
                id: &kind.id(&content),
                duplicate: false,
                corrupt: false,
                status: last
                    .and_then(|last| last["status"].as_u64())
                    .and_then(|code| code.try_into().ok())
                    .unwrap_or(0),
                acknowledged: delivery["state"] == "acknowledged",
            };
            lines.print(&sent);
            if !sent.acknowledged {
                let reason = last.and_then(|last| last["reason"].as_str());
                unacknowledged.push(match delivery["state"].as_str() {
                    Some("noUrl") => "no callback URL is set; use `paytend sandbox callback`".to_owned(),
                    _ => reason.unwrap_or("the receiver did not acknowledge the notification").to_owned(),
                });
            }
        }
    }
    match unacknowledged.first() {
        None => lines.finish(),
        Some(first) => {
            let count = unacknowledged.len();
            let what = format!("{count} notifications were not acknowledged: {first}");
            Err(Failure::new(Category::Rejected, what).with_hint("`paytend events list --sandbox URL` lists them"))
        }
    }
}

/// Returns the failure for an event that the sandbox has executed, if its delivery cannot be read.
fn executed(id: u64, failure: &Failure) -> Failure {
    Failure::new(
        Category::OutcomeUnknown,
        format!("the sandbox executed the event; delivery {id} cannot be read: {failure}"),
    )
    .with_hint("`paytend events list --sandbox URL` lists the deliveries")
}

/// Returns the body of the request. Fields are inserted unchanged, so numbers keep all their digits.
fn body(kind: &EventKind, fields: &Node, to: Option<&Url>) -> String {
    let product = kind.name.split('.').next().unwrap_or_default();
    let mut body = format!("{{\"product\":{},\"content\":{fields}", Value::from(product));
    if !kind.notify_type.is_empty() {
        body.push_str(&format!(",\"notifyType\":{}", Value::from(kind.notify_type)));
    }
    if let Some(url) = to {
        body.push_str(&format!(",\"url\":{}", Value::from(url.as_str())));
    }
    body + "}"
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}
