//! Sends requests to the control interface of a running sandbox.

use std::path::PathBuf;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use crate::cmd::sandbox_control::exchange::{ControlRequest, ControlResponse};
use crate::connection::{SANDBOX_PROFILE, SANDBOX_PROFILES};
use crate::exit::Failure;
use crate::output;
use crate::profiles::variable;

/// The environment variable that contains the control URL.
pub(crate) const URL_VARIABLE: &str = "PAYTEND_CONTROL_URL";

/// The options that select a running sandbox, shared by all commands that control a sandbox.
#[derive(Args)]
pub(crate) struct SandboxArgs {
    /// The `control_url` that the sandbox printed [env: PAYTEND_CONTROL_URL]
    // The variable is read in `base`. With clap's `env` attribute, `--keys` would conflict with the variable.
    #[arg(long, value_name = "URL")]
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
        Self::with_url(url.to_string())
    }

    /// Creates options that select the sandbox with this control URL.
    pub(crate) fn with_url(url: String) -> Self {
        Self { url: Some(url), keys: None, json: true }
    }

    /// Returns the URL of the control interface.
    fn base(&self) -> Result<String, Failure> {
        let missing = || Failure::usage(format!("no sandbox: pass --url URL or --keys DIR, or set {URL_VARIABLE}"));
        let url = match &self.keys {
            Some(_) => format!("{}/_sandbox", self.client()?.base_url()),
            None => self.url.clone().or_else(|| variable(URL_VARIABLE)).ok_or_else(missing)?,
        };
        Ok(url.trim_end_matches('/').to_owned())
    }

    /// Returns a client for the sandbox's API, with the keys from the key directory.
    fn client(&self) -> Result<paytend_client::Client, Failure> {
        let keys = self.keys.as_ref().ok_or_else(|| Failure::usage("this command needs the keys: pass --keys DIR"))?;
        let file = keys.join(SANDBOX_PROFILES);
        Ok(paytend_client::ClientBuilder::from_file(file, SANDBOX_PROFILE)?.build()?)
    }

    /// Sends a request to the control interface, and returns the response.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<ControlResponse, Failure> {
        // A token is a secret, so it is not accepted on the command line.
        let token = variable("PAYTEND_CONTROL_TOKEN");
        ControlRequest::new(method, &format!("{}{path}", self.base()?), token)?.send(body).await
    }

    /// Sends a request to the control interface, and returns the text of the response.
    pub(crate) async fn text(&self, method: Method, path: &str, body: Option<String>) -> Result<String, Failure> {
        self.send(method, path, body).await?.text().await
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
            return Ok(output::json_line(&text)?);
        }
        let shown = shown(&serde_json::from_str(&text).unwrap_or_default());
        if shown.is_empty() { Ok(()) } else { Ok(output::line(&shown)?) }
    }
}
