//! `paytend sandbox fault`: the faults of a running sandbox, and the effect of each kind.

use paytend_sandbox::Fault;
use reqwest::Method;
use serde::Serialize;
use serde_json::Value;

use super::client::SandboxArgs;
use crate::exit::Failure;
use crate::output;
use crate::suggest::did_you_mean;

/// A kind of fault, with a description of its effect.
#[derive(Serialize)]
pub(crate) struct Kind {
    pub(crate) kind: &'static str,
    applies_to: &'static str,
    effect: &'static str,
}

const fn kind(kind: &'static str, applies_to: &'static str, effect: &'static str) -> Kind {
    Kind { kind, applies_to, effect }
}

/// The kinds of faults, with the effects that `FaultKind` in the `paytend-sandbox` crate documents.
pub(crate) const KINDS: &[Kind] = &[
    kind("latency:DURATION", "calls", "The response is delayed."),
    kind("hang", "calls", "No response is sent. The request is not carried out."),
    kind("resetBefore", "calls", "The connection is closed without a response. The request is not carried out."),
    kind("resetAfter", "calls", "The request is carried out, and the connection is closed without a response."),
    kind("halfBody", "calls", "The request is carried out, and half of the response is sent."),
    kind("html502", "calls", "The response is an HTML page with status 502. The request is not carried out."),
    kind("unsignedSuccess", "calls", "The request is carried out, and the response has no signature."),
    kind("rateLimit", "calls", "The response has status 429. The request is not carried out."),
    kind("notificationFirst", "calls", "The notifications that the request causes arrive before its response."),
    kind("executeDuplicate", "calls", "The request is carried out even if its requestId or orderNo was used before."),
    kind("wrongSignature", "calls and notifications", "The signature is corrupted."),
    kind("wrongKey", "calls and notifications", "The message is signed with an unknown key."),
    kind("staleKey", "calls and notifications", "The message is signed with the key from before the last rotation."),
    kind("clockSkew:DURATION", "calls and notifications", "The time in the message is shifted."),
    kind("duplicate", "notifications", "The notification is posted twice."),
    kind("reorder", "notifications", "The notification is posted after the next notification."),
    kind(
        "late:DURATION",
        "notifications",
        "The notification is posted after a delay, measured on the sandbox's clock.",
    ),
];

/// Parses a fault. For an unknown name, the error suggests a similar name.
pub(super) fn parse(text: &str) -> Result<Fault, String> {
    text.parse().map_err(|error: paytend_sandbox::FaultError| {
        let given = text.split(':').nth(1).unwrap_or_default();
        let known: Vec<&str> = KINDS.iter().filter_map(|kind| kind.kind.split(':').next()).collect();
        let hint = if known.contains(&given) { None } else { did_you_mean(given, known.iter().copied()) };
        match hint {
            Some(hint) => format!("{error}; {hint}"),
            None => format!("{error}; `paytend sandbox fault kinds` explains the kinds"),
        }
    })
}

pub(super) fn kinds(json: bool) -> Result<(), Failure> {
    for kind in KINDS {
        match json {
            true => output::json(kind)?,
            false => output::line(&format!("{:<18} {:<24} {}", kind.kind, kind.applies_to, kind.effect))?,
        }
    }
    Ok(())
}

pub(super) async fn list(at: &SandboxArgs) -> Result<(), Failure> {
    at.print(Method::GET, "/faults", None, shown).await
}

pub(super) async fn set(at: &SandboxArgs, fault: &Fault) -> Result<(), Failure> {
    let body = serde_json::to_string(fault).map_err(Failure::usage)?;
    at.print(Method::POST, "/faults", Some(body), shown).await
}

pub(super) async fn clear(at: &SandboxArgs) -> Result<(), Failure> {
    at.print(Method::DELETE, "/faults", None, shown).await
}

/// Returns a line for each active fault.
fn shown(response: &Value) -> String {
    let faults = response["faults"].as_array().map(Vec::as_slice).unwrap_or_default();
    if faults.is_empty() {
        return "no faults".to_owned();
    }
    let line = |fault: &Value| {
        let times = fault["times"].as_u64().map(|times| format!(", {times} more times")).unwrap_or_default();
        let kind = fault["fault"]["kind"].as_str().unwrap_or_default();
        let millis = fault["fault"]["millis"].as_i64().map(|millis| format!(" {millis} ms")).unwrap_or_default();
        format!("{}: {kind}{millis}, {} %{times}", fault["on"].as_str().unwrap_or_default(), fault["percent"])
    };
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each kind in the list, the sandbox accepts faults on calls and on notifications only as `applies_to` says.
    #[test]
    fn listed_fault_kinds_match_the_kinds_of_the_sandbox() {
        for one in KINDS {
            let text = one.kind.replace("DURATION", "1s");
            for (on, name) in [("topup", "calls"), ("notify *", "notifications")] {
                let accepted = format!("{on}:{text}").parse::<Fault>().is_ok();
                assert_eq!(accepted, one.applies_to.contains(name), "{on}:{text}");
            }
        }
        // Counts the variants of `FaultKind` in the sandbox's source, because the enum cannot be iterated.
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../paytend-sandbox/src/faults.rs");
        let source = std::fs::read_to_string(source).unwrap();
        let declared = source.split("pub enum FaultKind {").nth(1).unwrap().split("\n}").next().unwrap();
        let variant =
            |line: &&str| line.starts_with("    ") && line.trim().starts_with(|c: char| c.is_ascii_uppercase());
        assert_eq!(declared.lines().filter(variant).count(), KINDS.len());
    }

    #[test]
    fn similar_kind_is_suggested_for_a_misspelled_kind() {
        assert!(parse("topup:resetAftr").unwrap_err().contains("did you mean `resetAfter`?"));
        assert!(parse("topup").unwrap_err().contains("fault kinds"));
        assert!(parse("topup:resetAfter:next").is_ok());
    }
}
