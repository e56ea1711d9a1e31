//! Checks the callback URL: the receiver must acknowledge a test notification.

use std::path::Path;

use jiff::Timestamp;
use paytend_crypto::keys::FilePermissions;
use paytend_inbox::Route;
use url::Url;

use super::report::{Report, argument};
use crate::cmd::trigger::sender::{Sender, http_client, post};
use crate::exit::Failure;
use crate::urls;

const NAME: &str = "callback";
/// A notification type that Paytend does not use. Receivers acknowledge unknown types, and have nothing to book.
const NOTIFY_TYPE: &str = "CONNECTIVITY_TEST";

pub(super) async fn check(url: &Url, keys: Option<&Path>, report: &mut Report) {
    let Some(keys) = keys else {
        report.fail(NAME, "no key to sign the test notification with", "pass --callback-keys DIR with sandbox keys");
        return;
    };
    match notify(url, keys).await {
        Ok(status) if status.is_none() => {
            report.ok(NAME, format!("{} acknowledged a test notification", urls::shown(url)));
        }
        Ok(status) => {
            let status = status.unwrap_or_default();
            let message = format!("{} did not acknowledge a test notification: HTTP {status}", urls::shown(url));
            let next = "read the receiver's log, and check that it has the sandbox's public key and partner ID";
            report.fail(NAME, message, next);
        }
        Err(failure) => {
            let next = format!("curl -i -d '{{}}' {}", argument(Path::new(&urls::shown(url))));
            report.fail(NAME, failure.message(), next);
        }
    }
}

/// Posts the notification. Returns the status of the response if it is not an acknowledgement.
async fn notify(url: &Url, keys: &Path) -> Result<Option<u16>, Failure> {
    let sender = Sender::new(keys, FilePermissions::OwnerOnly);
    let content = serde_json::json!({ "sentAt": Timestamp::now().to_string() }).to_string();
    let route = Route::PaytendBaas;
    let request = sender.request(route, NOTIFY_TYPE, &content, None)?;
    let answer = post(&http_client(url)?, url, route, request).await?;
    Ok((!answer.acknowledged).then_some(answer.status))
}
