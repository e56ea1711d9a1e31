//! `paytend explain`: explains why a message is not authentic.

use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, ValueEnum};
use http::{HeaderMap, HeaderValue};
use paytend_crypto::Kind;
use paytend_webhook::Provider;
use paytend_webhook::explain::{Certainty, Explanation, KnownKeys, Verdict, explain, explain_envelope, pasted_sign};
use serde_json::json;

use crate::exit::{Category, Failure};
use crate::inputs::{Inputs, stdin};
use crate::keyfiles::{KindArg, SecretArgs, private_from_environment, public_bytes};
use crate::output;

/// Explain why a message from standard input is not authentic. Private key files that other users can read are refused.
///
/// The exit code is 0 if the signature is valid, even if there are findings. With findings, the JSON output has the
/// `verdict` `authentic_but` instead of `authentic`. The exit code is 4 if the message is not authentic.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The provider that sent the message
    #[arg(long, value_enum, default_value_t = ProviderArg::Paytend)]
    provider: ProviderArg,
    /// The kind of message; only for Paytend messages
    #[arg(long, value_enum, default_value_t = KindArg::Notification)]
    kind: KindArg,
    /// Your private key, which should decrypt the message; may be repeated during a key rotation. Without this option,
    /// the key is read from the PAYTEND_PRIVATE_KEY environment variable
    #[arg(long, value_name = "FILE")]
    private_key: Vec<PathBuf>,
    /// The sender's public key, which should verify the message; may be repeated during a key rotation
    #[arg(long, value_name = "FILE", required = true)]
    public_key: Vec<PathBuf>,
    /// Another private key to try, such as an old key or a key from a different environment
    #[arg(long, value_name = "FILE")]
    other_private_key: Vec<PathBuf>,
    #[command(flatten)]
    secrets: SecretArgs,
    /// Another public key to try, such as a key from a different environment or provider
    #[arg(long, value_name = "FILE")]
    other_public_key: Vec<PathBuf>,
    /// The partnerId that the message must have
    #[arg(long, value_name = "ID")]
    partner_id: Option<String>,
    /// The `sign` header of a PayBy or PayerMax message; can be pasted with quotes, with the header name, or with line
    /// breaks
    #[arg(long, value_name = "BASE64")]
    sign: Option<String>,
    /// Expect a signature that does not cover the payload, as on the upload endpoints of the IBAN product
    #[arg(long)]
    unsigned_payload: bool,
    /// Also print the signed texts, which contain the payload and the session key
    #[arg(long)]
    show_texts: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProviderArg {
    Paytend,
    Payby,
    Payermax,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let explanation = match args.provider {
        ProviderArg::Paytend if args.sign.is_some() => {
            return Err(Failure::usage("Paytend messages have no sign header: remove --sign, or set --provider"));
        }
        ProviderArg::Paytend if args.private_key.is_empty() && private_from_environment().is_none() => {
            return Err(Failure::usage(
                "Paytend messages are encrypted: pass --private-key FILE, or set PAYTEND_PRIVATE_KEY to the key",
            ));
        }
        ProviderArg::Payby | ProviderArg::Payermax if args.kind != KindArg::Notification || args.unsigned_payload => {
            return Err(Failure::usage("--kind and --unsigned-payload apply only to Paytend messages"));
        }
        ProviderArg::Paytend => {
            let keys = known_keys(args)?;
            let body = stdin(Kind::Request.default_max_bytes())?;
            explain_envelope(args.kind.kind(), !args.unsigned_payload, &body, &keys)
        }
        detached => {
            let provider = if detached == ProviderArg::Payby { Provider::PayBy } else { Provider::PayerMax };
            let mut headers = HeaderMap::new();
            if let Some(sign) = &args.sign {
                // An empty header is passed to `explain`, which reports it as a cause.
                let value = match sign.as_str() {
                    "" => HeaderValue::from_static(""),
                    pasted => pasted_sign(pasted).map_err(|error| Failure::usage(format!("--sign: {error}")))?,
                };
                headers.insert("sign", value);
            }
            let keys = known_keys(args)?;
            explain(provider, &headers, &stdin(1 << 20)?, &keys)
        }
    };
    let shown = show(args, &explanation);
    if explanation.authentic() {
        return shown;
    }
    // A failure to write the output is ignored, so that the exit code reports the verdict.
    Err(Failure::new(Category::NotAuthentic, "the message is not authentic"))
}

/// Reads the keys, each named after its file.
fn known_keys(args: &Args) -> Result<KnownKeys, Failure> {
    let name = |path: &Path| path.display().to_string();
    let mut inputs = Inputs::with_message();
    let inputs = &mut inputs;
    let secrets = &args.secrets;
    for (paths, option) in [
        (&args.private_key, "--private-key"),
        (&args.public_key, "--public-key"),
        (&args.other_private_key, "--other-private-key"),
        (&args.other_public_key, "--other-public-key"),
    ] {
        paths.iter().try_for_each(|path| inputs.reserve(Some(path), option))?;
    }
    secrets.reserve(inputs)?;
    let mut keys = KnownKeys::new();
    if args.private_key.is_empty()
        && let Some(own) = secrets.in_environment(inputs)?
    {
        keys = keys.own("PAYTEND_PRIVATE_KEY", &own.bytes)?;
    }
    for path in &args.private_key {
        keys = keys.own(name(path), &secrets.private(path, "--private-key", inputs)?.bytes)?;
    }
    for path in &args.public_key {
        keys = keys.sender(name(path), &public_bytes(path, "--public-key", inputs)?)?;
    }
    for path in &args.other_private_key {
        let other = secrets.private(path, "--other-private-key", inputs)?;
        keys = keys.other_private(name(path), &other.bytes)?;
    }
    for path in &args.other_public_key {
        keys = keys.other_public(name(path), &public_bytes(path, "--other-public-key", inputs)?)?;
    }
    Ok(match &args.partner_id {
        Some(id) => keys.partner_id(id),
        None => keys,
    })
}

fn show(args: &Args, explanation: &Explanation) -> Result<(), Failure> {
    let texts = [("expected", explanation.expected_text()), ("signed", explanation.signed_text())];
    let texts = texts.map(|(name, text)| (name, text.filter(|_| args.show_texts).map(String::from_utf8_lossy)));
    if args.json {
        let with_certainty = |certainty: Certainty| -> Vec<String> {
            let findings = explanation.findings().iter().filter(|finding| finding.certainty() == certainty);
            findings.map(ToString::to_string).collect()
        };
        let verdict = match explanation.verdict() {
            Verdict::Authentic => "authentic",
            Verdict::AuthenticBut(_) => "authentic_but",
            _ => "not_authentic",
        };
        let mut shown = json!({
            "authentic": explanation.authentic(),
            "verdict": verdict,
            "findings": with_certainty(Certainty::Proven),
            "possible": with_certainty(Certainty::Possible),
            "fixes": explanation.fixes(),
        });
        for (name, text) in texts {
            if let Some(text) = text {
                shown[format!("{name}_text")] = text.into();
            }
        }
        return output::json(&shown);
    }
    output::line(&explanation.to_string())?;
    for (name, text) in texts {
        if let Some(text) = text {
            // The text is written as a JSON string, so that control characters do not reach the terminal.
            output::line(&format!("{name} text: {}", serde_json::Value::from(text)))?;
        }
    }
    Ok(())
}
