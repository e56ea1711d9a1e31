//! A running `paytend inbox serve`, and requests with signed notifications.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use http::Request;
use paytend_crypto::{PrivateKey, PublicKey, rustcrypto};
use paytend_vectors::{PARTNER_ID, Seeded};
use paytend_webhook::testing::{DetachedSender, PaytendSender};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{RunOutput, command, run, set_mode};

/// A directory with a store, and with the key files that `paytend sandbox --keys` creates.
pub(crate) struct Workplace(TempDir);

impl Workplace {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys");
        std::fs::create_dir(&keys).unwrap();
        for (name, key) in paytend_vectors::keys() {
            if !["partner", "paytend", "payby", "payermax"].contains(&name.as_str()) {
                continue;
            }
            let private = keys.join(format!("{name}-private.pem"));
            std::fs::write(&private, key.private_pkcs8_pem).unwrap();
            set_mode(&private, 0o600);
            std::fs::write(keys.join(format!("{name}-public.b64")), key.public).unwrap();
        }
        std::fs::write(keys.join("partner-id"), format!("{PARTNER_ID}\n")).unwrap();
        Self(directory)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn store(&self) -> String {
        format!("sqlite:{}", self.path("inbox.db").display())
    }

    /// Runs `paytend inbox COMMAND --store … ARGUMENTS`.
    pub(crate) fn inbox(&self, name: &str, arguments: &[&str]) -> RunOutput {
        run(&[&["inbox", name, "--store", &self.store()], arguments].concat(), b"")
    }

    /// Returns the notifications in the store.
    pub(crate) fn listed(&self) -> Vec<Value> {
        let listed = self.inbox("list", &["--json"]);
        assert_eq!(listed.code, 0, "{}", listed.stderr);
        listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn private(&self, name: &str) -> PrivateKey {
        PrivateKey::from_file(self.path(&format!("keys/{name}-private.pem"))).unwrap()
    }

    /// Returns a Paytend notification.
    pub(crate) fn paytend(&self, notify_type: &str, content: &str) -> Request<Bytes> {
        let partner = PublicKey::from_file(self.path("keys/partner-public.b64")).unwrap();
        let sender = PaytendSender::new(PARTNER_ID, &self.private("paytend"), &partner).unwrap();
        sender.raw(notify_type, content).unwrap()
    }

    /// Returns a PayBy or PayerMax notification, with its signature in a header.
    pub(crate) fn signed(&self, provider: &str, body: String) -> Request<Bytes> {
        DetachedSender::new(&self.private(provider)).unwrap().raw(body).unwrap()
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Service {
        let (store, keys) = (self.store(), self.path("keys"));
        let arguments = [&["--store", &store, "--keys", keys.to_str().unwrap()], arguments].concat();
        Service::start(command().args(["inbox", "serve"]).args(arguments))
    }
}

pub(crate) struct Service {
    process: Child,
    pub(crate) ready: Value,
}

impl Service {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, ready: serde_json::from_str(&line).unwrap_or_default() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.ready["url"].as_str().unwrap())
    }

    /// Posts a notification, and returns the status.
    pub(crate) async fn post(&self, path: &str, request: Request<Bytes>) -> u16 {
        post(&client(), &self.url(path), request).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let response = client().get(self.url(path)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Asks the service to stop, and returns its exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        self.process.wait().unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub(crate) async fn post(client: &reqwest::Client, url: &str, request: Request<Bytes>) -> u16 {
    let (parts, body) = request.into_parts();
    client.post(url).headers(parts.headers).body(body).send().await.unwrap().status().as_u16()
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Generates a key pair, writes the public key to a file, and returns the private key.
pub(crate) fn new_key(file: &Path, random: &Seeded) -> PrivateKey {
    let key = rustcrypto::generate(1024, random).unwrap();
    std::fs::write(file, key.public_key().to_spki_pem()).unwrap();
    key
}
