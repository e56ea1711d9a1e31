//! `paytend open`: decrypts and verifies a JSON document.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args as ClapArgs;
use paytend_crypto::{Error, Expected, Kind};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::exit::{Category, Failure, refused};
use crate::global::AlwaysJsonArgs;
use crate::inputs::{Inputs, start_of_stdin};
use crate::keyfiles::MessageArgs;
use crate::output;

#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    message: MessageArgs,
    /// The partnerId that the message must have; by default, any partnerId is accepted
    #[arg(long, value_name = "ID")]
    partner_id: Option<String>,
    #[command(flatten)]
    _json: AlwaysJsonArgs,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if args.message.kind.receiver() != args.message.side {
        return Err(Failure::usage(
            "--as and --kind do not match: Paytend opens requests; a partner opens responses and notifications",
        ));
    }
    let kind = args.message.kind.kind();
    let mut expected = match (kind, args.partner_id.clone()) {
        (Kind::Response, Some(_)) => return Err(Failure::usage("responses have no partnerId: remove --partner-id")),
        (Kind::Response, None) => Expected::response(),
        (Kind::Request, Some(id)) => Expected::request(id),
        (Kind::Notification, Some(id)) => Expected::notification(id),
        (kind, None) => Expected::danger_any_partner(kind),
    };
    // The largest limit is used for all kinds. This is safe, because the command opens only one message.
    expected = expected.with_max_bytes(Kind::Request.default_max_bytes());
    if args.message.unsigned_payload {
        expected = expected.unsigned_payload();
    }
    let mut inputs = Inputs::with_message();
    args.message.keys.reserve(&mut inputs)?;
    let keyring = args.message.keys.keyring(&mut inputs)?;
    // One byte more than the limit is read, so that `open` refuses a document that is too large.
    let document = start_of_stdin(expected.max_bytes() + 1)?;
    let opened = keyring.open(document.trim_ascii_end(), &expected).map_err(|error| match &error {
        Error::UnsignedFailure(failure) => {
            let code = Value::from(failure.resp_code());
            Failure::new(Category::NotAuthentic, format!("{error}: respCode {code}"))
        }
        _ => refused(error, "keys and --kind"),
    })?;

    let payload: Option<Box<RawValue>> = match (opened.payload_text(), opened.payload_problem()) {
        (Some("") | None, _) | (_, Some(_)) => None,
        // The payload is embedded without parsing, so numbers are printed exactly as received.
        (Some(text), None) => RawValue::from_string(text.trim().to_owned()).ok(),
    };
    let fields: Map<String, Value> = opened.fields().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let canonical = opened.canonical();
    let not_text = opened.payload_text().is_none().then(|| STANDARD.encode(opened.payload_bytes()));
    output::line(&format!(
        r#"{{"payload":{},"payload_text":{},"payload_base64":{},"payload_problem":{},"fields":{},"canonical":{}}}"#,
        payload.as_deref().map_or("null", RawValue::get),
        Value::from(opened.payload_text()),
        Value::from(not_text),
        Value::from(opened.payload_problem().map(|problem| format!("the payload {problem}"))),
        Value::from(fields),
        Value::from(std::str::from_utf8(&canonical).ok()),
    ))?;
    Ok(())
}
