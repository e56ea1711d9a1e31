//! Checks the callback URL: the receiver must acknowledge a test notification and refuse a forged one.

use std::path::Path;

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use paytend_crypto::keys::FilePermissions;
use paytend_crypto::{OsRandom, rustcrypto};
use paytend_inbox::Route;
use paytend_webhook::Provider;
use paytend_webhook::testing::{DetachedSender, PaytendSender};
use reqwest::Client;
use url::Url;

use super::report::{Report, argument};
use crate::cmd::trigger::sender::{Answer, Sender, http_client, post};
use crate::exit::{Category, Failure};
use crate::settings::Settings;
use crate::urls;

const SIGNED: &str = "callback";
const FORGED: &str = "forgery";
/// A notification type that no provider uses. Receivers acknowledge unknown types and book nothing for them.
const NOTIFY_TYPE: &str = "CONNECTIVITY_TEST";

/// The receiver to check.
pub(super) struct Callback<'a> {
    pub(super) url: &'a Url,
    pub(super) route: Route,
    /// The directory with the provider's private keys. Only a sandbox has these keys.
    pub(super) keys: Option<&'a Path>,
    /// The user's connection settings, if they could be read.
    pub(super) settings: Option<&'a Settings>,
}

impl Callback<'_> {
    pub(super) async fn check(&self, report: &mut Report) {
        let http = match http_client(self.url) {
            Ok(http) => http,
            Err(failure) => return report.fail(SIGNED, failure.message(), "paytend doctor --help"),
        };
        if let Some(keys) = self.keys
            && !self.signed(keys, &http, report).await
        {
            return;
        }
        self.forged(&http, report).await;
    }

    /// Posts a notification that is signed with the sandbox's key. Returns `false` if the receiver did not respond.
    async fn signed(&self, keys: &Path, http: &Client, report: &mut Report) -> bool {
        let permissions = match self.settings {
            Some(settings) if settings.danger_any_permissions => FilePermissions::DangerAny,
            _ => FilePermissions::OwnerOnly,
        };
        let sender = Sender::new(keys, permissions);
        let request = match sender.request(self.route, NOTIFY_TYPE, &content(), None) {
            Ok(request) => request,
            Err(failure) => {
                report.fail(SIGNED, failure.message(), "pass --callback-keys DIR with a sandbox's key directory");
                return true;
            }
        };
        let shown = urls::shown(self.url);
        match post(http, self.url, self.route, request).await {
            Ok(Answer { acknowledged: true, .. }) => {
                report.ok(SIGNED, format!("{shown} acknowledged a test notification"));
            }
            Ok(Answer { status, .. }) => {
                let message = format!("{shown} did not acknowledge a test notification: HTTP {status}");
                let next = "read the receiver's log, and check that it has the sandbox's public key and partner ID";
                report.fail(SIGNED, message, next);
            }
            Err(failure) => {
                self.unreachable(SIGNED, &failure, report);
                return false;
            }
        }
        true
    }

    /// Posts a notification that is signed with an unknown key.
    async fn forged(&self, http: &Client, report: &mut Report) {
        let sent = match self.forgery() {
            Ok(request) => post(http, self.url, self.route, request).await,
            Err(failure) => {
                let next = "pass --keys DIR or --profile P with your private key and partner ID";
                return report.warn(FORGED, format!("not sent: {}", failure.message()), next);
            }
        };
        let shown = urls::shown(self.url);
        match sent {
            Ok(Answer { acknowledged: true, .. }) => report.fail(
                FORGED,
                format!("{shown} acknowledged a notification that is signed with an unknown key"),
                "verify each notification with the provider's public key before you acknowledge it",
            ),
            Ok(Answer { status: status @ (400 | 401 | 403 | 422), .. }) => {
                report.ok(
                    FORGED,
                    format!("{shown} refused a notification that is signed with an unknown key: HTTP {status}"),
                );
            }
            Ok(Answer { status, .. }) => report.warn(
                FORGED,
                format!("{shown} answered a notification that is signed with an unknown key with HTTP {status}"),
                "check the URL's path, and read the receiver's log",
            ),
            Err(failure) => self.unreachable(FORGED, &failure, report),
        }
    }

    /// Reports that the receiver did not respond.
    fn unreachable(&self, name: &'static str, failure: &Failure, report: &mut Report) {
        let next = format!("curl -i -d '{{}}' {}", argument(Path::new(&urls::shown(self.url))));
        report.fail(name, failure.message(), next);
    }

    /// Creates a notification that is signed with a new key.
    fn forgery(&self) -> Result<Request<Bytes>, Failure> {
        let failed = |error| Failure::new(Category::Configuration, error);
        if self.route.provider() != Provider::Paytend {
            let sender = DetachedSender::new(&rustcrypto::generate(2048, &OsRandom)?).map_err(failed)?;
            return sender.raw(content()).map_err(failed);
        }
        // A Paytend notification is encrypted with the receiver's public key, so the receiver's settings are needed.
        let unset = || Failure::new(Category::Configuration, "no connection is configured");
        let settings = self.settings.ok_or_else(unset)?;
        let (_, own) = settings.read_private_key(FilePermissions::DangerAny)?;
        let id = settings.get("partner_id").ok_or_else(unset)?;
        let forger = rustcrypto::generate(1024, &OsRandom)?;
        let sender = PaytendSender::new(id, &forger, own.public_key()).map_err(failed)?;
        sender.raw(NOTIFY_TYPE, &content()).map_err(failed)
    }
}

/// Returns the content of a test notification, in a form that the receivers for all providers can parse.
fn content() -> String {
    serde_json::json!({ "notifyType": NOTIFY_TYPE, "sentAt": Timestamp::now().to_string() }).to_string()
}
