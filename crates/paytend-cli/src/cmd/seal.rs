//! `paytend seal`: seals and signs a message.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use paytend_crypto::{Fields, Kind, Outgoing, RequestId};
use serde_json::{Map, Value};

use crate::exit::Failure;
use crate::global::AlwaysJsonArgs;
use crate::inputs::Inputs;
use crate::keyfiles::MessageArgs;
use crate::{operations, output};

#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    message: MessageArgs,
    /// The unencrypted fields of the message, as a JSON object of strings. Defaults are set for signType, version and,
    /// in requests, requestId
    #[arg(long, value_name = "JSON")]
    fields: String,
    /// File with the payload, a JSON object that is sealed unchanged; `-` for standard input. By default, there is no
    /// payload
    #[arg(long, value_name = "FILE")]
    payload: Option<PathBuf>,
    /// Check the payload as a request of this operation before sealing it (a name or path from `paytend endpoints`)
    #[arg(long, value_name = "OPERATION")]
    operation: Option<String>,
    /// Refuse a payload that causes warnings
    #[arg(long, requires = "operation")]
    strict: bool,
    #[command(flatten)]
    _json: AlwaysJsonArgs,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if args.message.kind.sender() != args.message.side {
        return Err(Failure::usage(
            "--as and --kind do not match: a partner seals requests; Paytend seals responses and notifications",
        ));
    }
    let kind = args.message.kind.kind();
    let fields = fields(kind, &args.fields)?;
    let mut inputs = Inputs::default();
    args.message.keys.reserve(&mut inputs)?;
    inputs.reserve(args.payload.as_deref(), "--payload")?;
    let keyring = args.message.keys.keyring(&mut inputs)?;
    let payload = match &args.payload {
        Some(path) => inputs.read(path, "--payload", kind.default_max_bytes())?,
        None => Default::default(),
    };
    let payload = std::str::from_utf8(&payload)
        .map_err(|_| Failure::usage("--payload is not valid UTF-8: pass a file with a JSON object"))?;
    if let Some(name) = &args.operation {
        check(name, payload, args.strict)?;
    }
    let mut outgoing = Outgoing::new(&fields).payload(payload);
    if args.message.unsigned_payload {
        outgoing = outgoing.unsigned_payload();
    }
    output::line(keyring.seal(&outgoing)?.document())?;
    Ok(())
}

/// Checks a payload: writes warnings to standard error and returns a failure if there are errors.
fn check(operation: &str, payload: &str, strict: bool) -> Result<(), Failure> {
    let entry = operations::find(operation)?;
    let findings = entry.review(if payload.is_empty() { "{}" } else { payload });
    let (errors, warnings): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| strict || finding.is_error());
    for warning in warnings {
        output::warn(warning);
    }
    if errors.is_empty() {
        return Ok(());
    }
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    Err(Failure::usage(format!(
        "invalid {operation} request: {}; `paytend endpoints {operation}` describes the fields",
        errors.join("; ")
    )))
}

fn fields(kind: Kind, text: &str) -> Result<Fields, Failure> {
    let given: Map<String, Value> = serde_json::from_str(text)
        .map_err(|_| Failure::usage("--fields must be a JSON object, such as {\"partnerId\":\"888666000100260\"}"))?;
    let mut fields = Fields::new(kind);
    for (name, value) in &given {
        let value = value.as_str().ok_or_else(|| Failure::usage(format!("--fields: `{name}` must be a string")))?;
        // An empty requestId is replaced, like a missing requestId.
        if !(kind == Kind::Request && name == "requestId" && value.is_empty()) {
            fields = fields.with(name, value);
        }
    }
    if let Some(length) = fields.get("requestId").map(|id| id.chars().count()).filter(|length| *length > 32) {
        return Err(Failure::usage(format!("--fields: `requestId` has {length} characters; the maximum is 32")));
    }
    if kind == Kind::Request && fields.get("requestId").is_none() {
        fields = fields.with("requestId", RequestId::generate()?.as_str());
    }
    Ok(fields)
}
