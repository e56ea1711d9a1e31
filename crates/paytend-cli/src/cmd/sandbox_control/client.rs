//! Sends requests to the control interface of a running sandbox.

use std::path::PathBuf;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use crate::connection::{SANDBOX_PROFILE, SANDBOX_PROFILES};
use crate::exit::{Category, Failure};
use crate::output;
use crate::profiles::variable;

/// The options that select a running sandbox, shared by all commands that control a sandbox.
#[derive(Args)]
pub(crate) struct SandboxArgs {
    /// The `control_url` that the sandbox printed
    #[arg(long, env = "PAYTEND_CONTROL_URL", value_name = "URL")]
    url: Option<String>,
    /// The sandbox's key directory (its --keys option), instead of --url
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    keys: Option<PathBuf>,
    /// Print the sandbox's response as JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl SandboxArgs {
    /// Creates options that select the sandbox with this control URL.
    pub(crate) fn at(url: &url::Url) -> Self {
        Self { url: Some(url.to_string()), keys: None, json: true }
    }

    /// Returns the URL of the control interface.
    fn base(&self) -> Result<String, Failure> {
        let url = match (&self.keys, &self.url) {
            (Some(_), _) => format!("{}/_sandbox", self.client()?.base_url()),
            (None, Some(url)) => url.clone(),
            (None, None) => {
                return Err(Failure::usage("no sandbox: pass --url URL or --keys DIR, or set PAYTEND_CONTROL_URL"));
            }
        };
        Ok(url.trim_end_matches('/').to_owned())
    }

    /// Returns a client for the sandbox's API, with the keys from the key directory.
    fn client(&self) -> Result<paytend_client::Client, Failure> {
        let keys = self.keys.as_ref().ok_or_else(|| Failure::usage("this command needs the keys: pass --keys DIR"))?;
        let file = keys.join(SANDBOX_PROFILES);
        Ok(paytend_client::ClientBuilder::from_file(file, SANDBOX_PROFILE)?.build()?)
    }

    /// Starts a request to the control interface.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<reqwest::Response, Failure> {
        let network = |error: reqwest::Error| Failure::new(Category::Network, error.without_url());
        let http = reqwest::Client::builder().no_proxy().build().map_err(network)?;
        let mut request = http.request(method, format!("{}{path}", self.base()?));
        // A token is a secret, so it is not accepted on the command line.
        if let Some(token) = variable("PAYTEND_CONTROL_TOKEN") {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.map_err(network)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let text = response.text().await.map_err(network)?;
        let content: Value = serde_json::from_str(&text).unwrap_or_default();
        if content.get("respCode").is_some() {
            return Err(Failure::usage("--url is the API's base_url; pass the control_url instead"));
        }
        Err(Failure::new(Category::Rejected, content["error"].as_str().unwrap_or("the sandbox rejected the request")))
    }

    /// Sends a request to the control interface, and returns the text of the response.
    pub(crate) async fn text(&self, method: Method, path: &str, body: Option<String>) -> Result<String, Failure> {
        let response = self.send(method, path, body).await?;
        response.text().await.map_err(|error| Failure::new(Category::Network, error.without_url()))
    }

    /// Sends a request. Prints the response as JSON, or as the text that `shown` returns.
    pub(super) async fn print(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        shown: impl FnOnce(&Value) -> String,
    ) -> Result<(), Failure> {
        let text = self.text(method, path, body).await?;
        if self.json {
            return Ok(output::line(&text)?);
        }
        let shown = shown(&serde_json::from_str(&text).unwrap_or_default());
        if shown.is_empty() { Ok(()) } else { Ok(output::line(&shown)?) }
    }
}
