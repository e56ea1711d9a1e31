//! Seals, signs, corrupts and posts notifications, like a provider.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::ValueEnum;
use http::{HeaderValue, Request};
use paytend_crypto::keys::FilePermissions;
use paytend_crypto::{OsRandom, PrivateKey, PublicKey, rustcrypto};
use paytend_inbox::Route;
use paytend_webhook::Reply;
use paytend_webhook::testing::{DetachedSender, PaytendSender, SendError};
use serde_json::Value;

use crate::exit::{Category, Failure, with_causes};
use crate::keyfiles::{key_failure, private_in_directory};
use crate::urls;

/// The time limit for a request to a receiver.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A way to corrupt a notification.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Corruption {
    /// The signature is changed
    Signature,
    /// The content is changed after it was signed
    Content,
    /// The notification is signed with an unknown key
    Key,
    /// The second half of the body is missing
    Truncate,
    /// A line break is added to the body (PayBy and PayerMax)
    Whitespace,
}

/// The providers' private keys, from a sandbox's key directory.
pub(crate) struct Sender {
    folder: PathBuf,
    permissions: FilePermissions,
}

/// A receiver's response to a notification.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Whether the response is the acknowledgement that the provider's documents require.
    pub(crate) acknowledged: bool,
}

impl Sender {
    pub(crate) fn new(folder: &Path, permissions: FilePermissions) -> Self {
        Self { folder: folder.to_owned(), permissions }
    }

    /// Creates the request that posts a notification. A Paytend notification is sealed again in each call.
    pub(crate) fn request(
        &self,
        route: Route,
        notify_type: &str,
        content: &str,
        corruption: Option<Corruption>,
    ) -> Result<Request<Bytes>, Failure> {
        let provider = match route {
            Route::PayBy => "payby",
            Route::PayerMax => "payermax",
            _ => "paytend",
        };
        let key = match corruption {
            Some(Corruption::Key) => rustcrypto::generate(if provider == "paytend" { 1024 } else { 2048 }, &OsRandom)?,
            _ => self.private(&format!("{provider}-private.pem"))?,
        };
        let failed = |error: SendError| Failure::new(Category::Configuration, error);
        if provider == "paytend" {
            let partner = self.public("partner-public.b64")?;
            let id = self.folder.join("partner-id");
            let id = std::fs::read_to_string(&id).map_err(|error| {
                let message = format!(
                    "cannot read {}: {error}; pass a directory that `paytend sandbox --keys` created",
                    id.display()
                );
                Failure::new(Category::Configuration, message)
            })?;
            let sender = PaytendSender::new(id.trim(), &key, &partner).map_err(failed)?;
            return corrupted_document(sender.raw(notify_type, content).map_err(failed)?, corruption);
        }
        let sender = DetachedSender::new(&key).map_err(failed)?;
        corrupted_body(sender.raw(content.to_owned()).map_err(failed)?, corruption)
    }

    fn private(&self, name: &str) -> Result<PrivateKey, Failure> {
        private_in_directory(&self.folder.join(name), self.permissions)
    }

    fn public(&self, name: &str) -> Result<PublicKey, Failure> {
        let path = self.folder.join(name);
        PublicKey::from_file(&path).map_err(|error| key_failure(&path.display().to_string(), &error))
    }
}

/// Corrupts a Paytend notification, which is an envelope document.
fn corrupted_document(mut request: Request<Bytes>, corruption: Option<Corruption>) -> Result<Request<Bytes>, Failure> {
    let member = match corruption {
        None | Some(Corruption::Key) => return Ok(request),
        Some(Corruption::Truncate) => return Ok(truncated(request)),
        Some(Corruption::Whitespace) => {
            return Err(Failure::usage(
                "--corrupt whitespace applies only to PayBy and PayerMax: Paytend's signature ignores whitespace",
            ));
        }
        Some(Corruption::Signature) => "signature",
        Some(Corruption::Content) => "content",
    };
    let mut document: Value = serde_json::from_slice(request.body()).map_err(Failure::usage)?;
    let value = document.get_mut(member).ok_or_else(|| Failure::usage(format!("the notification has no {member}")))?;
    *value = flipped(value.as_str().unwrap_or_default()).into();
    *request.body_mut() = document.to_string().into();
    Ok(request)
}

/// Corrupts a PayBy or PayerMax notification, whose signature is in a header.
fn corrupted_body(mut request: Request<Bytes>, corruption: Option<Corruption>) -> Result<Request<Bytes>, Failure> {
    match corruption {
        None | Some(Corruption::Key) => {}
        Some(Corruption::Truncate) => return Ok(truncated(request)),
        Some(Corruption::Whitespace) => *request.body_mut() = [request.body(), &b"\n"[..]].concat().into(),
        Some(Corruption::Signature) => {
            let sign = request.headers().get("sign").and_then(|sign| sign.to_str().ok()).unwrap_or_default();
            let sign = HeaderValue::from_str(&flipped(sign)).map_err(Failure::usage)?;
            request.headers_mut().insert("sign", sign);
        }
        Some(Corruption::Content) => {
            let mut body = request.body().to_vec();
            if let Some(digit) = body.iter_mut().rev().find(|byte| byte.is_ascii_digit()) {
                *digit = if *digit == b'9' { b'0' } else { *digit + 1 };
            }
            *request.body_mut() = body.into();
        }
    }
    Ok(request)
}

/// Removes the second half of the body.
fn truncated(mut request: Request<Bytes>) -> Request<Bytes> {
    let half = request.body().len() / 2;
    request.body_mut().truncate(half);
    request
}

/// Changes a bit in the middle of a base64 text.
fn flipped(text: &str) -> String {
    let mut bytes = STANDARD.decode(text).unwrap_or_default();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    STANDARD.encode(bytes)
}

/// Creates the HTTP client for a URL. Requests to the loopback interface do not use a proxy.
pub(crate) fn http_client(url: &url::Url) -> Result<reqwest::Client, Failure> {
    let local = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT);
    let builder = if local { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| Failure::new(Category::Unexpected, error.without_url()))
}

/// Posts a notification, and reads the response.
pub(crate) async fn post(
    http: &reqwest::Client,
    url: &url::Url,
    route: Route,
    request: Request<Bytes>,
) -> Result<Answer, Failure> {
    let (parts, body) = request.into_parts();
    let failed = |error: reqwest::Error| {
        let (is_builder, is_connect) = (error.is_builder(), error.is_connect());
        let (shown, cause) = (urls::shown(url), with_causes(&error.without_url()));
        if is_builder {
            return Failure::usage(format!("cannot post to {shown}: {cause}; pass an http or https URL"));
        }
        if is_connect {
            return Failure::new(
                Category::Network,
                format!("cannot connect to {shown}: {cause}; start the receiver, or check the URL"),
            );
        }
        // The connection was established, so at least part of the notification may have been sent.
        Failure::new(
            Category::OutcomeUnknown,
            format!(
                "no response from {shown}: {cause}; the receiver may have processed the notification: check its log"
            ),
        )
    };
    let response = http.post(url.clone()).headers(parts.headers).body(body).send().await.map_err(failed)?;
    let status = response.status().as_u16();
    let body = response.bytes().await.map_err(failed)?;
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
    let expected = route.provider().respond(Reply::Accepted).to_http();
    let acknowledged = status == 200 && json(&body).is_some() && json(&body) == json(expected.body());
    Ok(Answer { status, acknowledged })
}
