//! `paytend sandbox`: runs a local sandbox until it is stopped by a signal.

use std::io::IsTerminal as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use paytend_crypto::keys::FilePermissions;
use paytend_crypto_aws_lc::AwsLc;
use paytend_sandbox::{Fault, FolderOptions, KeyFolder, Pace, ProfileFile, Sandbox, Settings, Timing};

use crate::cmd::sandbox_control::{self, Command};
use crate::exit::{Category, Failure};
use crate::keyfiles::PermissionArgs;
use crate::output;
use crate::signals::Signals;

#[derive(ClapArgs)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The port to listen on; 0 for a free port
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// The directory with the keys of both sides and the partner ID. The first start creates them. Each start also
    /// writes paytend.toml, the client settings for this sandbox
    #[arg(long, value_name = "DIR", required = true)]
    keys: Option<PathBuf>,
    /// The file that stores the state. Without this option, the state is lost when the sandbox stops
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// The size of generated keys, in bits
    #[arg(long, default_value = "1024", value_parser = ["1024", "2048"])]
    bits: String,
    /// Use one key pair for both sides, like the public demo of Paytend's sandbox
    #[arg(long)]
    shared_key: bool,
    /// How long audits, topups and shipments take
    #[arg(long, value_enum, default_value_t = TimingArg::Realistic)]
    timing: TimingArg,
    /// The pace of the clock: `real`, `frozen`, or a whole-number speed factor such as 60
    #[arg(long, default_value = "real", value_parser = pace)]
    pace: Pace,
    /// A fault that is active from the start, such as `topup:resetAfter:next`; may be repeated
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Fault>,
    /// Refuse requests that violate an inferred rule
    #[arg(long)]
    strict: bool,
    /// Add the reserved `encryptFlag` field to responses
    #[arg(long)]
    encrypt_flag: bool,
    /// Accept the bare word SUCCESS as the acknowledgement of a PayBy notification
    #[arg(long)]
    payby_plain_success: bool,
    /// A receiver host whose TLS certificate is not verified; may be repeated
    #[arg(long, value_name = "HOST")]
    self_signed: Vec<String>,
    /// Allow a --host that other machines can reach; the control interface then requires a token
    #[arg(long)]
    danger_allow_remote: bool,
    /// Allow keys that look like a real partner's keys
    #[arg(long)]
    danger_allow_real_keys: bool,
    /// Print JSON when the sandbox is ready. This is the default if standard output is not a terminal
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    permissions: PermissionArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum TimingArg {
    /// Audits, topups and shipments complete immediately
    Instant,
    /// Audits, topups and shipments take seconds; the balance of a replaced card arrives after a day
    Realistic,
}

fn pace(text: &str) -> Result<Pace, String> {
    match text {
        "real" => Ok(Pace::Real),
        "frozen" => Ok(Pace::Frozen),
        factor => match factor.parse() {
            Ok(factor) if factor > 0 => Ok(Pace::Accelerated(factor)),
            _ => Err("expected `real`, `frozen` or a whole number such as 60".into()),
        },
    }
}

pub(crate) fn run(mut args: Args) -> Result<(), Failure> {
    if let Some(command) = args.command.take() {
        return sandbox_control::run(command);
    }
    // Use two worker threads, so that deliveries can run while calls keep one thread busy with cryptography.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(serve(args))
}

async fn serve(args: Args) -> Result<(), Failure> {
    let configuration = |error: &dyn std::error::Error| {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        Failure::new(Category::Configuration, format!("{error}{cause}"))
    };
    let bits = args.bits.parse().unwrap_or(1024);
    let keys = args.keys.ok_or_else(|| Failure::usage("no key directory: pass --keys DIR"))?;
    let options = FolderOptions::new()
        .bits(bits)
        .shared_key(args.shared_key)
        .danger_allow_real_keys(args.danger_allow_real_keys)
        .danger_any_permissions(args.permissions.file_permissions() == FilePermissions::DangerAny);
    let folder = KeyFolder::open(&keys, &options).map_err(|error| configuration(&error))?;
    let mut settings = Settings::default();
    settings.timing = match args.timing {
        TimingArg::Instant => Timing::instant(),
        TimingArg::Realistic => Timing::realistic(),
    };
    (settings.strict, settings.encrypt_flag) = (args.strict, args.encrypt_flag);
    settings.payby_plain_success = args.payby_plain_success;
    settings.self_signed_hosts = args.self_signed;
    let mut builder = Sandbox::builder()
        .backend(AwsLc)
        .address(SocketAddr::new(args.host, args.port))
        .bits(bits)
        .folder(folder)
        .settings(settings)
        .pace(args.pace);
    if let Some(file) = args.data {
        builder = builder.data(file);
    }
    if args.danger_allow_remote {
        builder = builder.danger_allow_remote();
    }
    for fault in args.fault {
        builder = builder.fault(fault);
    }
    let sandbox = builder.start().await.map_err(|error| configuration(&error))?;
    // Asking for the keys writes them to the key directory, where receivers of PayBy and PayerMax notifications read
    // them.
    if !keys.join("payby-public.b64").exists() {
        sandbox.payby_key().map_err(|error| configuration(&error))?;
    }
    if !keys.join("payermax-public.b64").exists() {
        sandbox.payermax_key().map_err(|error| configuration(&error))?;
    }
    let signals = Signals::new()?;
    if !args.json && std::io::stdout().is_terminal() {
        if let Some(kept @ (ProfileFile::Kept(_) | ProfileFile::Failed { .. })) = sandbox.profile_file() {
            output::warn(kept);
        }
        sandbox_control::greet(&sandbox, &keys)?;
        return signals.received().await;
    }
    // A JSON map would sort the members by name, so the line is written as text.
    let mut ready = String::from(r#"{"ready":true"#);
    let urls = [("base_url", sandbox.url()), ("control_url", sandbox.control_url()), ("ui_url", sandbox.ui_url())];
    let token = sandbox.token().map(|token| ("control_token", token.to_owned()));
    let profile_file = match sandbox.profile_file() {
        Some(ProfileFile::Written(path)) => Some(("profile_file", path.display().to_string())),
        Some(other) => {
            output::warn(other);
            None
        }
        None => None,
    };
    for (name, value) in urls.into_iter().chain(token).chain(profile_file) {
        ready.push_str(&format!(",\"{name}\":{}", serde_json::Value::from(value)));
    }
    output::line(&(ready + "}"))?;
    signals.received().await
}
