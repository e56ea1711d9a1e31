//! Sends a signed query. It succeeds only if both sides have the right keys and the partner ID is known.

use std::time::Instant;

use paytend_client::{Client, Error, ErrorKind, RawResponse};

use super::Args;
use super::network::{Reached, Skew};
use super::report::{Report, argument};
use crate::settings::{KeySource, Settings};

const NAME: &str = "signed query";
const QUERY: &str = "issuing.getPartnerBalance";

/// Sends the query if the keys and the connection can be used. Also reports the server's clock.
pub(super) async fn check(args: &Args, settings: &Settings, keys: bool, reached: Option<Reached>, report: &mut Report) {
    let skew = reached.as_ref().and_then(|reached| reached.skew);
    let unsent = match (keys, &reached) {
        (false, _) => Some("not sent, because a check of the keys failed"),
        (true, None) => Some("not sent, because there is no connection"),
        (true, Some(_)) => None,
    };
    if let Some(reason) = unsent {
        if let Some(skew) = skew {
            skew.report(report);
        }
        report.warn(NAME, reason, "correct the failed checks first, and run `paytend doctor` again");
        return;
    }
    let client = match args.connection.builder() {
        Ok(builder) => builder.build(),
        Err(failure) => {
            report.fail(NAME, failure.message(), "paytend config show");
            return;
        }
    };
    let (skew, result) = match client {
        Ok(client) => send(&client, skew).await,
        Err(error) => (skew, Err(error)),
    };
    if let Some(skew) = skew {
        skew.report(report);
    }
    match result {
        Ok(()) => report.ok(NAME, format!("{QUERY} succeeded: both sides have the right keys")),
        Err(error) => failed(settings, &error, report),
    }
}

/// Sends the query once. Returns the clock difference if the response has a `Date` header.
async fn send(client: &Client, skew: Option<Skew>) -> (Option<Skew>, Result<(), Error>) {
    let request = match client.untyped(QUERY, &serde_json::json!({})) {
        Ok(request) => request,
        Err(error) => return (skew, Err(error)),
    };
    let started = Instant::now();
    match request.transmit().await {
        Ok(raw) => {
            let skew = Skew::of(RawResponse::headers(&raw), started.elapsed()).or(skew);
            (skew, request.open(&raw).map(drop))
        }
        Err(error) => (skew, Err(error)),
    }
}

fn failed(settings: &Settings, error: &Error, report: &mut Report) {
    let public = match settings.public_key() {
        Some(KeySource::File(path)) => argument(&path),
        _ => "FILE".to_owned(),
    };
    let own = match settings.private_key() {
        Some(KeySource::File(path)) => argument(&path),
        _ => "FILE".to_owned(),
    };
    match error.kind() {
        // The rejection is signed, so the keys are correct.
        ErrorKind::Rejected => {
            let detail = error.detail().unwrap_or_default();
            let message = format!("{QUERY} was rejected ({detail}); the rejection is signed, so the keys are right");
            report.warn(NAME, message, "ask Paytend whether your contract includes this operation");
        }
        ErrorKind::UnsignedFailure => {
            let next = format!("compare the fingerprints with Paytend: paytend keys inspect {own}, and {public}");
            let causes = "Paytend does not know the partner ID, has another public key of yours, or cannot read the \
                          request because the public key is not Paytend's";
            report.fail(NAME, format!("{error}: {causes}"), next);
        }
        ErrorKind::InvalidResponse => {
            let next = format!("compare the fingerprint with Paytend's key: paytend keys inspect {public}");
            report.fail(NAME, format!("{error}: the public key may not be Paytend's"), next);
        }
        _ => report.fail(NAME, error, "paytend call getPartnerBalance --show wire"),
    }
}
