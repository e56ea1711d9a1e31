//! `paytend inbox redrive`, `bury`, `check`, `erase`, `generate-key` and `backup`.

use std::path::{Path, PathBuf};

use clap::Args;
use paytend_inbox::{AuditEvent, Erasure, Id, Kind, Route, StoreAdmin as _, StoreKeys};
use paytend_webhook::Provider;
use serde_json::json;

use crate::cmd::inbox::any_store::AnyStore;
use crate::cmd::inbox::operator::operator;
use crate::cmd::inbox::store::StoreArgs;
use crate::exit::{Category, Failure};
use crate::global::JsonArgs;
use crate::inputs::Inputs;
use crate::output;
use crate::progress::Progress;

#[derive(Args)]
pub(crate) struct RedriveArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The IDs of the dead letters to redrive
    #[arg(required_unless_present = "dead")]
    ids: Vec<Id>,
    /// Redrive all dead letters
    #[arg(long, conflicts_with = "ids")]
    dead: bool,
    #[command(flatten)]
    json: JsonArgs,
}

/// The number of notifications that are redriven in one step.
const REDRIVE_STEP: usize = 100;

pub(crate) async fn redrive(args: RedriveArgs) -> Result<(), Failure> {
    let store = args.store.open().await?;
    let events: Vec<Option<Id>> = if args.dead { vec![None] } else { args.ids.iter().copied().map(Some).collect() };
    for id in events {
        let detail = id.is_none().then(|| "all dead letters".to_owned());
        store.record(AuditEvent::new(AuditEvent::REDRIVE, operator()).id(id).detail(detail)).await?;
    }
    let (mut redriven, mut failed) = (0, None);
    if args.dead {
        let _progress = Progress::busy("redriving");
        redriven += store.redrive(None).await?;
    } else {
        let progress = Progress::new("redriven", args.ids.len());
        for ids in args.ids.chunks(REDRIVE_STEP) {
            match store.redrive(Some(ids.to_vec())).await {
                Ok(count) => redriven += count,
                Err(error) => failed = failed.or(Some(error)),
            }
            ids.iter().for_each(|_| progress.step());
        }
    }
    let printed = output::result(args.json.json, &json!({ "redriven": redriven }), &format!("redriven: {redriven}"));
    // The notifications of the other steps were redriven.
    if let Some(error) = failed {
        return Err(error.into());
    }
    if !args.dead && redriven < args.ids.len() as u64 {
        let count = args.ids.len();
        return Err(Failure::new(
            Category::Unexpected,
            format!(
                "{redriven} of {count} notifications were dead letters; the others were not changed: \
                 `paytend inbox list --state dead` lists the dead letters"
            ),
        ));
    }
    printed
}

#[derive(Args)]
pub(crate) struct BuryArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The ID of the notification
    id: Id,
    /// The reason, which is stored and shown with the notification
    #[arg(long, value_name = "TEXT")]
    why: String,
    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) async fn bury(args: BuryArgs) -> Result<(), Failure> {
    let store = args.store.open().await?;
    store.record(AuditEvent::new(AuditEvent::BURY, operator()).id(Some(args.id))).await?;
    if store.bury(args.id, args.why).await? {
        return output::result(args.json.json, &json!({ "buried": args.id.get() }), &format!("buried: {}", args.id));
    }
    Err(Failure::new(
        Category::Unexpected,
        format!(
            "notification {} does not exist, or it is already done or dead: see `paytend inbox show {}`",
            args.id, args.id
        ),
    ))
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) async fn check(args: CheckArgs) -> Result<(), Failure> {
    let problems = {
        let _progress = Progress::busy("checking");
        args.store.open().await?.check().await?
    };
    report_problems("store", &problems, args.json.json)
}

/// Prints the problems that a check has found, and returns a failure if there are any. A failure to write the output
/// does not replace this failure. `schemas/check.json` describes the JSON.
pub(crate) fn report_problems(subject: &str, problems: &[String], json: bool) -> Result<(), Failure> {
    let text = if problems.is_empty() { "no problems".to_owned() } else { problems.join("\n") };
    let printed = output::result(json, &json!({ "problems": problems }), &text);
    match problems.len() {
        0 => printed,
        count => Err(Failure::new(Category::Unexpected, format!("the check found {count} problems in the {subject}"))),
    }
}

#[derive(Args)]
pub(crate) struct EraseArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The ID of the order, deposit or other object, as `list` shows it. Other users of the machine can read it in the
    /// list of processes: use --business-id-file instead
    #[arg(long, value_name = "ID", required_unless_present = "business_id_file")]
    business_id: Option<String>,
    /// File with the ID; `-` for standard input. A newline at its end is ignored
    #[arg(long, value_name = "FILE", conflicts_with = "business_id")]
    business_id_file: Option<PathBuf>,
    /// Only notifications from this provider: paytend, payby or payermax; may be repeated. Different providers can use
    /// the same ID
    #[arg(long = "provider", value_name = "PROVIDER", value_parser = parse_provider)]
    providers: Vec<Provider>,
    /// Only notifications from this route, such as paytend:baas; may be repeated
    #[arg(long = "route", value_name = "ROUTE", conflicts_with = "providers")]
    routes: Vec<Route>,
    /// Only notifications of this kind, such as fund-deposit; may be repeated
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<Kind>,
    #[command(flatten)]
    json: JsonArgs,
}

/// The maximum size of a file with an ID, in bytes.
const MAX_BUSINESS_ID: usize = 64 << 10;

fn parse_provider(name: &str) -> Result<Provider, String> {
    let known = Route::ALL.into_iter().map(Route::provider).find(|known| known.to_string().to_lowercase() == name);
    known.ok_or_else(|| "invalid provider; the providers are paytend, payby and payermax".to_owned())
}

/// Returns the given ID, or reads it from a file.
fn business_id(given: Option<String>, file: Option<&Path>) -> Result<String, Failure> {
    const OPTION: &str = "--business-id-file";
    let (None, Some(file)) = (&given, file) else { return Ok(given.unwrap_or_default()) };
    let content = Inputs::default().read(file, OPTION, MAX_BUSINESS_ID)?;
    let text = std::str::from_utf8(&content).map_err(|_| Failure::usage(format!("{OPTION}: not UTF-8 text")))?;
    let id = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if id.is_empty() || id.contains('\n') {
        return Err(Failure::usage(format!("{OPTION}: the file must contain one ID")));
    }
    Ok(id.to_owned())
}

pub(crate) async fn erase(args: EraseArgs) -> Result<(), Failure> {
    let business_id = business_id(args.business_id, args.business_id_file.as_deref())?;
    let store = args.store.open().await?;
    let (mut erasure, mut filters) = (Erasure::new(business_id), Vec::new());
    for provider in args.providers {
        filters.push(format!("provider {provider}"));
        erasure = erasure.provider(provider);
    }
    for route in args.routes {
        filters.push(format!("route {route}"));
        erasure = erasure.route(route);
    }
    for kind in args.kinds {
        filters.push(format!("kind {kind}"));
        erasure = erasure.kind(kind);
    }
    // The business ID is personal data, so the audit log does not contain it.
    let detail = (!filters.is_empty()).then(|| filters.join(", "));
    store.record(AuditEvent::new(AuditEvent::ERASE, operator()).detail(detail)).await?;
    let erased = {
        let _progress = Progress::busy("erasing");
        store.erase(erasure).await?
    };
    output::result(args.json.json, &json!({ "erased": erased }), &format!("erased: {erased}"))
}

#[derive(Args)]
pub(crate) struct GenerateKeyArgs {
    /// The key file to create
    file: PathBuf,
    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) fn generate_key(args: &GenerateKeyArgs) -> Result<(), Failure> {
    if args.file.exists() {
        let shown = args.file.display();
        return Err(Failure::new(Category::Configuration, format!("{shown} already exists; choose a different file")));
    }
    StoreKeys::load_or_create(&args.file)?;
    print_written(&args.file, args.json)
}

fn print_written(file: &Path, json: JsonArgs) -> Result<(), Failure> {
    output::result(json.json, &json!({ "file": file }), &format!("written: {}", file.display()))
}

#[derive(Args)]
pub(crate) struct BackupArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The copy to create. The store's key file is not copied
    file: PathBuf,
    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) async fn backup(args: BackupArgs) -> Result<(), Failure> {
    let AnyStore::Sqlite(store) = args.store.open().await? else {
        return Err(Failure::usage(
            "backup copies SQLite stores only: use pg_dump for a PostgreSQL database. For NATS, use \
             `nats stream backup` for the work stream first, and then for the inbox stream",
        ));
    };
    store.record(AuditEvent::new(AuditEvent::BACKUP, operator())).await?;
    {
        let _progress = Progress::busy("copying");
        store.backup(&args.file).await?;
    }
    print_written(&args.file, args.json)
}
