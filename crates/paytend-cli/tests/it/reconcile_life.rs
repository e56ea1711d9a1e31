//! A partner whose random activity is reconciled: topups, card transactions and deposits in a sandbox, with faults, an
//! inbox and an order file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use paytend_client::{Client, Environment, OrderState, OrderStates, Resolution};
use paytend_crypto::Keyring;
use paytend_crypto_aws_lc::AwsLc;
use paytend_model::funding::SetCallbackUrl;
use paytend_model::issuing::Topup;
use paytend_model::{Amount, Product};
use paytend_sandbox::{Deposit, Fault, FaultKind, FolderOptions, KeyFolder, Sandbox};
use paytend_vectors::Seeded;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::inbox_service::Service;
use crate::support::{RunOutput, command, finish};

/// The rules file with the codes that the sandbox uses.
const RULES: &str = r#"
[codes]
notification_types = { "1" = "pre_authorization", "2" = "payment" }
[codes.statuses]
topups = { "1" = "processing", "2" = "succeeded", "3" = "failed" }
partner_transactions = { "1" = "processing", "2" = "succeeded", "3" = "failed" }
notifications = { "1" = "succeeded", "2" = "succeeded" }
"#;

/// A sandbox, an inbox that receives its notifications, and the submitted orders.
pub(crate) struct Life {
    folder: TempDir,
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Client,
    pub(crate) service: Service,
    /// The lines of the order file, by order number.
    pub(crate) orders: BTreeMap<String, Value>,
    /// The profile file.
    profiles: Option<PathBuf>,
    /// The date at the start. The days to reconcile remain the same if the date changes during the test.
    today: jiff::civil::Date,
}

impl Life {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyFolder::open(&folder.path().join("keys"), &FolderOptions::new()).unwrap();
        let sandbox = Sandbox::builder().backend(AwsLc).folder(keys).start().await.unwrap();
        let own = paytend_crypto::PrivateKey::from_file(folder.path().join("keys/partner-private.pem")).unwrap();
        let peer = sandbox.public_key();
        let keyring = Keyring::builder().backend(&AwsLc).own_key(&own).peer_key(&peer).build().unwrap();
        let builder = Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), keyring);
        let client = builder
            .resolution(
                Resolution::local_sandbox()
                    .settle_time(Duration::from_millis(30))
                    .poll_interval(Duration::from_millis(10)),
            )
            .order_states(OrderStates::local_sandbox())
            .build()
            .unwrap();
        let store = format!("sqlite:{}", folder.path().join("inbox.db").display());
        let keys = folder.path().join("keys");
        let arguments = ["inbox", "serve", "--store", &store, "--keys", keys.to_str().unwrap()];
        let service = Service::start(command().args(arguments));
        sandbox.issuing_callback(&service.url("/paytend/issuing")).unwrap();
        let callback = SetCallbackUrl::builder().type_("2").url(service.url("/paytend/baas")).build();
        client.send(&callback).await.unwrap();
        std::fs::write(folder.path().join("rules.toml"), RULES).unwrap();
        let today = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
        Self { folder, sandbox, client, service, orders: BTreeMap::new(), profiles: None, today }
    }

    /// Sets the profile file that the commands use.
    pub(crate) fn use_profiles(&mut self, file: &Path) {
        self.profiles = Some(file.to_owned());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn arg(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Tops up the card, and records the order with its outcome.
    pub(crate) async fn topup(&mut self, number: &str, cents: usize) {
        let amount: Amount = format!("{}.{:02}", cents / 100, cents % 100).parse().unwrap();
        let card = self.sandbox.card_id();
        let topup = Topup::builder().card_id(card).order_no(number).amount(amount.clone()).currency("EUR").build();
        let status = match self.client.send_and_wait(&topup).await {
            Ok(resolved) if *resolved.state() == OrderState::Succeeded => "succeeded",
            Ok(resolved) => panic!("{}", resolved.state()),
            Err(error) if error.outcome() == paytend_client::Outcome::Rejected => "rejected",
            Err(error) => panic!("{error}"),
        };
        let order = json!({"order_no": number, "card": card, "amount": amount, "currency": "EUR", "status": status,
            "at": jiff::Timestamp::now().to_string()});
        self.orders.insert(number.to_owned(), order);
    }

    /// Performs a card transaction, and returns the provider's transaction number.
    pub(crate) async fn use_card(&self, reserves: bool, cents: usize) -> String {
        let content = json!({"transactionType": if reserves { "1" } else { "2" },
            "amount": format!("{}.{:02}", cents / 100, cents % 100)});
        let delivery = self.sandbox.notify(Product::Issuing, "1", &content.to_string()).await.unwrap();
        let content: Value = serde_json::from_str(delivery.content()).unwrap();
        content["transactionId"].as_str().unwrap().to_owned()
    }

    /// Tops up the card, and then performs `count` random actions that use its balance.
    pub(crate) async fn live(&mut self, random: &Seeded, count: usize) {
        self.topup("T-first", 5_000).await;
        for index in 0..count {
            let cents = 1 + random.below(40);
            match random.below(10) {
                0 => {
                    let lost = [FaultKind::ResetAfter, FaultKind::HalfBody][random.below(2)].clone();
                    self.sandbox.fault(Fault::on::<Topup>(lost).once()).unwrap();
                    self.topup(&format!("T{index}"), cents).await;
                }
                1 => self.topup(&format!("T{index}"), 900_000_000).await,
                2 => {
                    let twice = Fault::on_notification(Product::Issuing, "1", FaultKind::Duplicate);
                    self.sandbox.fault(twice.once()).unwrap();
                    self.use_card(false, cents).await;
                }
                3 => {
                    let amount: Amount = format!("0.{cents:02}").parse().unwrap();
                    assert!(self.sandbox.deposit(&Deposit::new(amount, "EUR")).await.unwrap().is_acknowledged());
                }
                4 | 5 => drop(self.use_card(true, cents).await),
                6 | 7 => drop(self.use_card(false, cents).await),
                _ => self.topup(&format!("T{index}"), cents).await,
            }
        }
        assert!(self.sandbox.conserves_money());
    }

    /// Runs `paytend reconcile` with the orders, for the days around the current date.
    pub(crate) fn reconcile(&self, orders: &[Value], arguments: &[&str]) -> RunOutput {
        finish(&mut self.command(orders, arguments), b"")
    }

    /// Returns the command that [`reconcile`](Self::reconcile) runs.
    pub(crate) fn command(&self, orders: &[Value], arguments: &[&str]) -> Command {
        let lines: Vec<String> = orders.iter().map(Value::to_string).collect();
        std::fs::write(self.path("orders.jsonl"), lines.join("\n")).unwrap();
        self.around_now(&[&["--orders", &self.arg("orders.jsonl")], arguments].concat())
    }

    fn around_now(&self, arguments: &[&str]) -> Command {
        let today = self.today;
        let (from, to) = (today.yesterday().unwrap().to_string(), today.tomorrow().unwrap().to_string());
        let store = format!("sqlite:{}", self.path("inbox.db").display());
        let rules = self.arg("rules.toml");
        let fixed = ["reconcile", "--from", &from, "--to", &to, "--store", &store, "--rules", &rules];
        let mut reconcile = command();
        if let Some(file) = &self.profiles {
            reconcile.env("PAYTEND_CONFIG", file);
        }
        reconcile.args(fixed).args(arguments);
        reconcile
    }

    /// Returns the command-line options that select the connection.
    pub(crate) fn connection(&self) -> [String; 4] {
        ["--keys".to_owned(), self.arg("keys"), "--base-url".to_owned(), self.sandbox.url()]
    }

    /// Runs `paytend reconcile`, and returns the report and the exit code.
    pub(crate) fn report(&self, orders: &[Value], arguments: &[&str]) -> (Value, i32) {
        let connection = self.connection();
        let connection: Vec<&str> = connection.iter().map(String::as_str).collect();
        parsed(&self.reconcile(orders, &[&connection, arguments, &["--format", "json"]].concat()))
    }

    /// Runs `paytend reconcile` with the orders in the outbox, and returns the report and the exit code.
    pub(crate) fn report_of_store(&self) -> (Value, i32) {
        let connection = self.connection();
        let connection: Vec<&str> = connection.iter().map(String::as_str).collect();
        parsed(&finish(&mut self.around_now(&[&connection[..], &["--format", "json"]].concat()), b""))
    }
}

fn parsed(ran: &RunOutput) -> (Value, i32) {
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}: {}", ran.code, ran.stderr));
    (report, ran.code)
}

/// Returns the open transactions of a report: outcome, order or trade number, and the fields that differ.
pub(crate) fn open(report: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = report["items"].as_array().unwrap().iter();
    let open = items.filter(|item| item["outcome"] != "matched" && item["outcome"] != "not_compared").map(|item| {
        let number = if item["order_no"].is_null() { &item["trade_no"] } else { &item["order_no"] };
        let fields = item["differences"].as_array().unwrap().iter().map(|difference| text(&difference["field"]));
        (text(&item["outcome"]), text(number), fields.collect::<Vec<_>>().join(" "))
    });
    let mut open: Vec<_> = open.collect();
    open.sort();
    open
}
