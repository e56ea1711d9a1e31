//! Runs a sandbox as a separate process.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use paytend_client::{Client, Environment, RetryPolicy};
use paytend_crypto::{Keyring, PrivateKey, PublicKey};
use serde_json::Value;

use crate::support::command;

/// A running `paytend sandbox`, which is killed on drop.
pub(crate) struct RunningSandbox {
    pub(crate) process: Child,
    pub(crate) ready: Value,
}

impl RunningSandbox {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut process =
            command().arg("sandbox").args(arguments).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, ready: serde_json::from_str(&line).unwrap_or_default() }
    }

    pub(crate) fn url(&self, name: &str) -> String {
        self.ready[name].as_str().unwrap().to_owned()
    }

    pub(crate) fn client(&self, keys: &Path) -> Client {
        let own = PrivateKey::from_file(keys.join("partner-private.pem")).unwrap();
        let paytend = PublicKey::from_file(keys.join("paytend-public.b64")).unwrap();
        let id = std::fs::read_to_string(keys.join("partner-id")).unwrap();
        let keyring = Keyring::from_keys(&own, &paytend).unwrap();
        Client::builder(Environment::BaseUrl(self.url("base_url")), id.trim(), keyring)
            .retry(RetryPolicy::never())
            .build()
            .unwrap()
    }

    pub(crate) async fn state(&self) -> Value {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let response = http.get(format!("{}/state", self.url("control_url"))).send().await.unwrap();
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }
}

impl Drop for RunningSandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
