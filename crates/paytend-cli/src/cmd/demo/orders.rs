//! The demo steps with orders: a lost response, a killed process, and the comparison at the end of the day.

use std::process::{ExitStatus, Stdio};

use paytend_model::Amount;
use paytend_model::issuing::{QueryCardBalance, QueryPartnerBalance, QueryTopupResult, Topup};
use paytend_outbox::{OrderEntry, OutboxAdmin as _};
use paytend_sandbox::{Failure as SandboxFailure, Fault, FaultKind};
use serde_json::Value;

use super::held_responses::HeldResponses;
use super::partner::{POLL, TIMEOUT, key_directory, store_file, topup, unexpected};
use super::process::{OrderProcess, paytend};
use super::{Demo, require, required, today};
use crate::exit::{Category, Failure};

const LOST: &str = "T-0001";
const KILLED: &str = "T-0002";

/// The comparison rules, with the meanings of the sandbox's codes.
const RULES: &str = r#"
[codes.statuses]
topups = { "1" = "processing", "2" = "succeeded", "3" = "failed" }
partner_transactions = { "1" = "processing", "2" = "succeeded", "3" = "failed" }
notifications = { "1" = "succeeded", "2" = "succeeded" }
"#;

impl Demo<'_> {
    /// Tops up the card and loses the response. The outbox then finds out that the topup was executed.
    pub(super) async fn lose_response(&mut self, card: &str) -> Result<(), Failure> {
        self.report.section("Lose the response to a topup")?;
        let before = self.partner_balance("The partner's balance is queried").await?;
        let amount: Amount = "25.50".parse().map_err(unexpected)?;
        let topup = topup(card, LOST, &amount);
        self.report.begin("topup", "The outbox sends a topup")?;
        let fault = Fault::on::<Topup>(FaultKind::ResetAfter).once();
        self.sandbox.fault(fault).map_err(unexpected)?;
        self.report.fact("sent", serde_json::to_string(&topup).map_err(unexpected)?);
        self.partner.submit(&topup).await?;
        self.partner.dispatch_all().await?;
        self.report.end(&format!("{LOST}, {amount} EUR; the connection breaks before the response arrives"))?;

        self.report.begin("resolved", "The outbox queries the order")?;
        self.executed_once(LOST, 1).await?;
        self.report.end("it was executed, and is not sent again")?;

        let query = QueryTopupResult::new(LOST);
        let result = self.call("getTopupResult", "The result is queried by order number", &query).await?;
        require(result.amount.as_ref() == Some(&amount), "the reported topup amount differs from the amount sent")?;
        self.report.end(&format!("{amount} EUR"))?;
        let query = QueryCardBalance::new(card);
        let balance = self.call("getCardBalance", "The card's balance has increased", &query).await?.balance;
        require(balance.as_ref() == Some(&amount), "the card's balance differs from the topup amount")?;
        self.report.end(&format!("0.00 → {} EUR", required(balance, "balance")?))?;
        let after = self.partner_balance("The partner's balance has decreased").await?;
        let difference = before.checked_sub(&after).map_err(unexpected)?;
        require(difference == amount, "the partner's balance did not decrease by the topup amount")?;
        self.repeated(&topup).await
    }

    async fn partner_balance(&mut self, title: &str) -> Result<Amount, Failure> {
        let response = self.call("getPartnerBalance", title, &QueryPartnerBalance::new()).await?;
        let first = response.balance.and_then(|list| list.into_iter().next());
        let available = required(first, "balance")?.available;
        self.report.end(&format!("{available} EUR"))?;
        Ok(available)
    }

    /// Checks that a second topup with the same order number is rejected.
    async fn repeated(&mut self, topup: &Topup) -> Result<(), Failure> {
        self.report.begin("topupAgain", "The same order number is sent again")?;
        let error = match self.partner.client.send(topup).await {
            Ok(_) => return Err(unexpected("a second topup with the same order number was accepted")),
            Err(error) => error,
        };
        self.report.fact("answer", error.to_string());
        let expected = error.is_authenticated() && error.api_code() == Some(SandboxFailure::DuplicateOrder.code());
        require(expected, "the second topup was not rejected with a signed response")?;
        self.report.end("Paytend rejects it")
    }

    /// Kills the order process after a topup was executed and before its response arrives. Then starts the process
    /// again.
    pub(super) async fn kill_process(&mut self, card: &str) -> Result<(), Failure> {
        self.report.section("Kill the process in the middle of an order")?;
        self.report.begin("process", "A process sends a topup")?;
        let amount: Amount = "10.00".parse().map_err(unexpected)?;
        self.partner.submit(&topup(card, KILLED, &amount)).await?;
        let mut held = HeldResponses::start(&self.sandbox.url()).await?;
        let mut process = OrderProcess::start(self.directory, &held.url)?;
        let executed = async {
            loop {
                match tokio::time::timeout(POLL, held.responded.recv()).await {
                    Ok(_) => return Ok(()),
                    Err(_) => process.check_running()?,
                }
            }
        };
        let executed: Result<Result<(), Failure>, _> = tokio::time::timeout(TIMEOUT, executed).await;
        executed.map_err(|_| unexpected("the topup was not sent in time"))??;
        let id = process.id();
        self.report.fact("process", id);
        self.report.end(&format!("{KILLED}, {amount} EUR, process {id}"))?;

        self.report.begin("killed", "It is killed before the response arrives")?;
        let status = process.kill()?;
        let left = self.order(KILLED).await?.progress.state.as_str();
        self.report.fact("state", left);
        self.report.end(&format!("{}; the order is left as `{left}`", shown(status)))?;

        self.report.begin("recovered", "A new process finds the order")?;
        OrderProcess::start(self.directory, &self.sandbox.url())?.complete().await?;
        // The sandbox has received three topup requests: two for the order `LOST`, and one for this order.
        self.executed_once(KILLED, 3).await?;
        self.report.end("it queries first: the topup was executed, and is not sent again")
    }

    /// Checks that an order was sent once and is booked as executed. `calls` is the expected number of topup requests
    /// that the sandbox has received so far.
    async fn executed_once(&mut self, number: &'static str, calls: usize) -> Result<(), Failure> {
        let order = self.order(number).await?;
        let history = &order.progress.history;
        self.report.fact("order", number);
        self.report.fact("state", order.progress.state.as_str());
        self.report.fact("sends", history.sends);
        self.report.fact("queries", history.queries);
        require(history.sends == 1, "the order was not sent exactly once")?;
        require(self.partner.booked_topup(number).await? == "executed", "the topup is not booked as executed")?;
        require(self.sandbox.calls::<Topup>() == calls, "the sandbox received the topup more than once")?;
        require(self.sandbox.conserves_money(), "the total amount of money in the sandbox has changed")
    }

    async fn order(&self, number: &str) -> Result<OrderEntry, Failure> {
        let order = self.partner.store.show_order(number.to_owned(), None).await?;
        order.ok_or_else(|| unexpected(format!("the store has no order {number}")))
    }

    /// Runs `paytend reconcile`, which must find no differences.
    pub(super) async fn compare(&mut self) -> Result<(), Failure> {
        self.report.section("Compare the day")?;
        self.report.begin("reconcile", "paytend reconcile compares all lists")?;
        let directory = self.directory;
        let rules = directory.join("rules.toml");
        std::fs::write(&rules, RULES)?;
        let mut store = std::ffi::OsString::from("sqlite:");
        store.push(store_file(directory));
        let mut command = paytend()?;
        command.args(["reconcile", "--format", "json", "--from", &self.first_day.to_string()]);
        command.args(["--to", &today().to_string(), "--base-url", &self.sandbox.url()]);
        command.arg("--keys").arg(key_directory(directory)).arg("--rules").arg(rules).arg("--store").arg(store);
        command.stdin(Stdio::null());
        let ran = tokio::task::spawn_blocking(move || command.output()).await.map_err(unexpected)??;
        let report: Value = serde_json::from_slice(&ran.stdout)
            .map_err(|_| unexpected(format!("reconcile failed: {}", String::from_utf8_lossy(&ran.stderr).trim())))?;
        self.report.fact("open", report["open"].clone());
        self.report.fact("counts", report["counts"].clone());
        if !ran.status.success() {
            return Err(Failure::new(Category::Differences, "the comparison has open entries"));
        }
        let matched = &report["counts"]["matched"];
        require(*matched == 2, "the comparison did not match both topups")?;
        self.report.end(&format!("{matched} topups matched, nothing is open"))
    }
}

/// Describes how a process ended.
fn shown(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("signal {signal}");
    }
    status.to_string()
}
