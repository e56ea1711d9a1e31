//! Formats and prints the output lines of `paytend listen`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use paytend_inbox::{Facts, Route};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::cmd::inbox::time::rfc3339;
use crate::exit::Failure;
use crate::output::{self, Style, visible};
use crate::payload::Node;

/// The event that a line reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    /// The notification was verified. It was then stored and acknowledged, or could not be stored.
    Received,
    /// The notification was refused.
    Refused,
    /// The notification was forwarded.
    Forwarded,
    /// An attempt to forward the notification failed, and will be repeated.
    ForwardFailed,
}

/// A line of the output. `schemas/listen.json` describes its members.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) event: What,
    pub(super) time: String,
    pub(super) route: &'static str,
    pub(super) kind: Option<String>,
    pub(super) id: Option<String>,
    pub(super) state: Option<String>,
    pub(super) amount: Option<String>,
    pub(super) currency: Option<String>,
    pub(super) duplicate: bool,
    /// The HTTP status of the response to the sender.
    pub(super) status: Option<u16>,
    /// Why the notification was refused or not forwarded.
    pub(super) reason: Option<String>,
    /// The findings of `explain`, if the notification is not authentic.
    pub(super) findings: Vec<String>,
}

impl Line {
    pub(super) fn new(event: What, route: Route) -> Self {
        Self {
            event,
            time: rfc3339(SystemTime::now()),
            route: route.as_str(),
            kind: None,
            id: None,
            state: None,
            amount: None,
            currency: None,
            duplicate: false,
            status: None,
            reason: None,
            findings: Vec::new(),
        }
    }

    /// Creates the line for an event about a stored notification, such as its forwarding.
    pub(super) fn of(event: What, facts: &Facts, content: &[u8]) -> Self {
        let kind = Some(facts.kind.as_str().to_owned());
        let (id, state) = (facts.business_id.clone(), facts.business_state.clone());
        Self { kind, id, state, ..Self::new(event, facts.route) }.with_amount(content)
    }

    /// Sets the amount and the currency, if the content has them.
    pub(super) fn with_amount(mut self, content: &[u8]) -> Self {
        let Some(content) = std::str::from_utf8(content).ok().and_then(|text| Node::object(text).ok()) else {
            return self;
        };
        let paths = match self.route {
            "payby" => ("transferToBankOrder.amount.amount", "transferToBankOrder.amount.currency"),
            "payermax" => ("data.amount.value", "data.amount.currency"),
            _ => ("amount", "currency"),
        };
        // Leaves out a value that is too long, or contains characters that do not occur in amounts and currencies.
        let plain =
            |text: &String| text.len() <= 32 && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-+".contains(c));
        self.amount = content.text(paths.0).filter(plain);
        self.currency = content.text(paths.1).filter(plain);
        self
    }

    fn text(&self, style: Style) -> String {
        let or_dash = |text: &Option<String>| shown(text.as_deref().unwrap_or("-"));
        let clock = self.time.get(11..19).unwrap_or_default();
        let mut text =
            format!("{}  {:<15}  {:<18}  {}", style.dim(clock), self.route, or_dash(&self.kind), or_dash(&self.id));
        if let (Some(amount), currency) = (&self.amount, self.currency.as_deref().unwrap_or_default()) {
            text.push_str(&format!("  {amount} {currency}"));
        }
        if self.duplicate {
            text.push_str("  (duplicate)");
        }
        let status = self.status.map(|status| status.to_string()).unwrap_or_default();
        let reason = visible(self.reason.as_deref().unwrap_or_default());
        text.push_str(&match self.event {
            What::Received if self.status == Some(200) => format!("  → {}", style.good(&status)),
            What::Received | What::Refused => format!("  → {}  {reason}", style.bad(&status)),
            What::Forwarded => format!("  {}", style.good("forwarded")),
            What::ForwardFailed => format!("  {}: {reason}; it will be retried", style.bad("not forwarded")),
        });
        for finding in &self.findings {
            text.push_str(&format!("\n          {}", visible(finding)));
        }
        text
    }
}

/// Returns the first 64 characters of a text from a sender, without control characters.
fn shown(text: &str) -> String {
    visible(&text.chars().take(64).collect::<String>())
}

/// Prints lines. If a line cannot be written, stops the command.
#[derive(Clone)]
pub(super) struct Printer {
    json: bool,
    stop: CancellationToken,
    /// Held while a line is written, so that a blocked output occupies only one thread.
    writing: Arc<tokio::sync::Mutex<()>>,
    /// The first failure to write a line.
    failed: Arc<Mutex<Option<Failure>>>,
}

impl Printer {
    pub(super) fn new(json: bool, stop: CancellationToken) -> Self {
        Self { json, stop, writing: Arc::default(), failed: Arc::default() }
    }

    /// Prints a line, and waits until it is written. A blocked output does not block the threads of the runtime, which
    /// handle signals. The line is also written if the future is dropped, such as when the sender disconnects.
    pub(super) async fn print(&self, line: Line) {
        let printer = self.clone();
        let printed = tokio::spawn(async move {
            let writing = printer.writing.clone().lock_owned().await;
            let written = tokio::task::spawn_blocking(move || {
                let _writing = writing;
                printer.write(&line);
            });
            let _ = written.await;
        });
        let _ = printed.await;
    }

    /// Waits until the lines that wait for the output are written.
    pub(super) async fn flush(&self) {
        let _ = self.writing.lock().await;
    }

    fn write(&self, line: &Line) {
        let printed = match self.json {
            true => output::json(line),
            false => output::line(&line.text(Style::stdout())).map_err(Failure::from),
        };
        if let Err(failure) = printed {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
            self.stop.cancel();
        }
    }

    /// Waits until the command stops.
    pub(super) async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Waits until the command has been stopping for some time.
    pub(super) async fn stopped_for(&self, time: Duration) {
        self.stopped().await;
        tokio::time::sleep(time).await;
    }

    /// Returns an error if a line could not be written. If the reason is a closed pipe, the exit code is still 0.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        failed
            .map_or(Ok(()), |failure| Err(failure.with_hint("the command stopped, because it cannot write its output")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_from_each_provider_and_other_values_are_not_shown() {
        let amount = |route, content: &str| {
            let line = Line::new(What::Received, route).with_amount(content.as_bytes());
            (line.amount.unwrap_or_default(), line.currency.unwrap_or_default())
        };
        assert_eq!(
            amount(Route::PaytendBaas, r#"{"amount":1250.070,"currency":"EUR"}"#),
            ("1250.070".into(), "EUR".into())
        );
        let payby = r#"{"transferToBankOrder":{"amount":{"amount":0.02,"currency":"AED"}}}"#;
        assert_eq!(amount(Route::PayBy, payby), ("0.02".into(), "AED".into()));
        assert_eq!(amount(Route::PayerMax, r#"{"data":{"amount":{"value":"1.00"}}}"#), ("1.00".into(), String::new()));
        assert_eq!(
            amount(Route::PaytendBaas, r#"{"amount":{"iban":"LT12"},"currency":"\u001b[31m"}"#),
            Default::default()
        );
        assert_eq!(amount(Route::PaytendBaas, "no JSON"), Default::default());
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let mut line = Line::new(What::Received, Route::PayBy);
        (line.id, line.status) = (Some("\u{1b}[31m1\n".into()), Some(200));
        assert!(line.text(Style::plain()).contains("?[31m1?  → 200"), "{}", line.text(Style::plain()));
    }
}
