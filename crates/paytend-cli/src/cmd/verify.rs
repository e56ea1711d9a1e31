//! `paytend verify`: verifies a detached signature.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use paytend_crypto::detached;
use serde_json::json;

use crate::exit::{Failure, refused};
use crate::global::AlwaysJsonArgs;
use crate::inputs::{Inputs, stdin};
use crate::keyfiles::public;
use crate::output;

/// The maximum size of a body, in bytes. The providers' notifications are much smaller.
const MAX_BODY: usize = 1 << 20;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The provider that sent the notification
    #[arg(long, value_enum)]
    provider: Provider,
    /// The provider's public key: PEM, DER, base64 or an X.509 certificate
    #[arg(long, value_name = "FILE")]
    public_key: PathBuf,
    /// The value of the `sign` header, as received
    #[arg(long, value_name = "BASE64")]
    sign: String,
    #[command(flatten)]
    _json: AlwaysJsonArgs,
}

/// The provider that sent the notification. Both providers sign the raw body with SHA256withRSA.
#[derive(Clone, Copy, ValueEnum)]
enum Provider {
    Payby,
    Payermax,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let key = public(&args.public_key, "--public-key", &mut Inputs::with_message())?;
    let verifier = detached::Verifier::new([key])?;
    let body = stdin(MAX_BODY)?;
    let fingerprint =
        verifier.verify(&body, &args.sign).map_err(|error| refused(error, "--provider, --public-key and --sign"))?;
    let provider = match args.provider {
        Provider::Payby => "payby",
        Provider::Payermax => "payermax",
    };
    output::json(&json!({"valid": true, "provider": provider, "key": fingerprint.to_string()}))
}
