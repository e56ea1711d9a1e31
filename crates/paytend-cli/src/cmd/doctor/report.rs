//! Prints the results of the checks: one line for each check, or a single JSON object.

use std::fmt::Display;
use std::path::Path;

use serde::Serialize;

use crate::exit::{Category, Failure};
use crate::output::{self, Style};

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warn,
    Fail,
}

#[derive(Serialize)]
struct Check {
    name: &'static str,
    status: Status,
    message: String,
    /// The command to run or the action to take.
    next: Option<String>,
}

/// The results. Without JSON, each result is printed immediately, because later checks can wait for the network.
pub(super) struct Report {
    json: bool,
    checks: Vec<Check>,
    /// The first error while writing the output. It is returned only if no check has failed.
    unwritten: Option<Failure>,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self { json, checks: Vec::new(), unwritten: None }
    }

    pub(super) fn ok(&mut self, name: &'static str, message: impl Display) {
        self.add(Check { name, status: Status::Ok, message: message.to_string(), next: None });
    }

    pub(super) fn warn(&mut self, name: &'static str, message: impl Display, next: impl Display) {
        self.add(Check { name, status: Status::Warn, message: message.to_string(), next: Some(next.to_string()) });
    }

    pub(super) fn fail(&mut self, name: &'static str, message: impl Display, next: impl Display) {
        self.add(Check { name, status: Status::Fail, message: message.to_string(), next: Some(next.to_string()) });
    }

    /// Adds the result of a check: a warning if `warn` is true, and a success otherwise.
    pub(super) fn warn_if(&mut self, warn: bool, name: &'static str, message: impl Display, next: impl Display) {
        if warn { self.warn(name, message, next) } else { self.ok(name, message) }
    }

    fn add(&mut self, check: Check) {
        if !self.json {
            let written = print(&check);
            self.unwritten = self.unwritten.take().or(written.err());
        }
        self.checks.push(check);
    }

    /// Prints the JSON, and returns a failure if a check has failed.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        let failed = self.checks.iter().filter(|check| check.status == Status::Fail).count();
        if self.json {
            let report = serde_json::json!({ "ok": failed == 0, "checks": self.checks });
            self.unwritten = output::json(&report).err();
        }
        match (failed, self.unwritten) {
            (0, None) => Ok(()),
            (0, Some(unwritten)) => Err(unwritten),
            (1, _) => Err(Failure::new(Category::Unexpected, "1 check failed")),
            (count, _) => Err(Failure::new(Category::Unexpected, format!("{count} checks failed"))),
        }
    }
}

fn print(check: &Check) -> Result<(), Failure> {
    let style = Style::stdout();
    let status = match check.status {
        Status::Ok => style.good("ok  "),
        Status::Warn => style.bold("warn"),
        Status::Fail => style.bad("fail"),
    };
    output::line(&format!("{status}  {:<12}  {}", check.name, printable(&check.message)))?;
    if let Some(next) = &check.next {
        output::line(&format!("      {:<12}  {} {}", "", style.dim("next:"), printable(next)))?;
    }
    Ok(())
}

/// Replaces control characters, because certificates and responses from the network can contain them.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Returns a path, quoted for a shell.
pub(super) fn argument(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:+@%,".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_a_shell() {
        assert_eq!(argument(Path::new("keys/own.pem")), "keys/own.pem");
        assert_eq!(argument(Path::new("my keys/it's")), r"'my keys/it'\''s'");
    }
}
