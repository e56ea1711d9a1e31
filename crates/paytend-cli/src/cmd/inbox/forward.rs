//! Forwards notifications to a service, signed according to Standard Webhooks.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header;
use paytend_inbox::{AnyNotification, Completion, Delivery, ForwardSecret, HandlerError};
use reqwest::{Client, Url};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::cmd::inbox::time::rfc3339;
use crate::exit::{Category, Failure};

/// The time limit for the service's response.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client that posts notifications to a URL.
#[derive(Clone)]
pub(crate) struct Forwarder {
    client: Client,
    url: Arc<Url>,
    secret: ForwardSecret,
}

impl Forwarder {
    pub(crate) fn new(url: &str, secret: ForwardSecret) -> Result<Self, Failure> {
        let url = Url::parse(url).map_err(|error| Failure::usage(format!("invalid --forward-to: {error}")))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Failure::usage("--forward-to must not contain a user name or a password"));
        }
        let loopback = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
            return Err(Failure::usage("--forward-to must be an https URL, or an http URL of the loopback interface"));
        }
        // A redirect could send the notification to a different host.
        let mut client = Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT);
        if loopback {
            // A proxy that is set in the environment is not used, because it would receive the content without
            // encryption.
            client = client.no_proxy();
        }
        let client = client.build();
        let client = client.map_err(|error| Failure::new(Category::Unexpected, error))?;
        Ok(Self { client, url: Arc::new(url), secret })
    }

    /// Posts a notification. Every status except 2xx is an error and causes a retry.
    pub(crate) async fn forward<E>(&self, delivery: &Delivery<AnyNotification>) -> Result<Completion<E>, HandlerError> {
        // A repeated delivery (sighting) has a different identifier than the first delivery. With the same identifier,
        // the receiver would ignore the request as already processed.
        let id = delivery.idempotency_key();
        let body = body(delivery)?;
        let timestamp = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut request = self
            .client
            .post((*self.url).clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.secret.sign(&id, timestamp, body.as_bytes()));
        if let Some(traceparent) = &delivery.facts().traceparent {
            request = request.header("traceparent", traceparent);
        }
        let response = request.body(body).send().await.map_err(|error| HandlerError::retry(cause(&error)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(Completion::without_effect());
        }
        let seconds = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let cause = format!("the service responded with status {}", status.as_u16());
        Err(match seconds {
            Some(seconds) => HandlerError::retry_after(Duration::from_secs(seconds), cause),
            None => HandlerError::retry(cause),
        })
    }
}

/// Returns the cause of a failed request, without its URL.
fn cause(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "the service did not respond in time"
    } else if error.is_connect() {
        "cannot connect to the service"
    } else {
        "the request to the service failed"
    }
}

/// Returns the request body. JSON content and its numbers are included unchanged. The content is
/// `null` if it is no longer stored.
fn body(delivery: &Delivery<AnyNotification>) -> Result<String, serde_json::Error> {
    let facts = delivery.facts();
    let mut data = json!({
        "id": delivery.id().get(),
        "dedup": facts.dedup.to_string(),
        "provider": facts.route.provider().to_string().to_lowercase(),
        "product": facts.route.product().map(|product| product.as_str()),
        "kind": facts.kind.as_str(),
        "notify_type": facts.notify_type,
        "business_kind": facts.business_kind,
        "business_id": facts.business_id,
        "business_state": facts.business_state,
        "is_sighting": delivery.is_sighting(),
        "sightings": delivery.sightings(),
    })
    .to_string();
    let content = if delivery.has_content() { delivery.content() } else { b"null" };
    let json = std::str::from_utf8(content).ok().and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
    let (name, value) = match json {
        Some(json) => ("content", json.get().to_owned()),
        None => ("content_text", Value::from(String::from_utf8_lossy(content)).to_string()),
    };
    data.pop();
    let kind = serde_json::to_string(facts.kind.as_str())?;
    let time = rfc3339(delivery.received_at());
    Ok(format!(r#"{{"type":{kind},"timestamp":"{time}","data":{data},"{name}":{value}}}}}"#))
}
