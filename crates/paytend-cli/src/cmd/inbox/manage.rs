//! `paytend inbox redrive`, `bury`, `check`, `erase` and `backup`.

use std::path::PathBuf;

use clap::Args;
use paytend_inbox::{Id, StoreAdmin as _, StoreKeys};

use crate::cmd::inbox::any_store::AnyStore;
use crate::cmd::inbox::store::StoreArgs;
use crate::exit::{Category, Failure};
use crate::output;

#[derive(Args)]
pub(crate) struct RedriveArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The numbers of the dead letters
    #[arg(required_unless_present = "dead")]
    ids: Vec<Id>,
    /// All dead letters
    #[arg(long, conflicts_with = "ids")]
    dead: bool,
}

pub(crate) async fn redrive(args: RedriveArgs) -> Result<(), Failure> {
    let store = args.store.open().await?;
    let wanted = (!args.dead).then(|| args.ids.clone());
    let redriven = store.redrive(wanted).await?;
    output::line(&format!("redriven: {redriven}"))?;
    if !args.dead && redriven < args.ids.len() as u64 {
        let count = args.ids.len();
        return Err(Failure::new(
            Category::Unexpected,
            format!("{redriven} of {count} notifications were dead letters; the others were not changed"),
        ));
    }
    Ok(())
}

#[derive(Args)]
pub(crate) struct BuryArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The number of the notification
    id: Id,
    /// The reason, which is stored and shown
    #[arg(long, value_name = "TEXT")]
    why: String,
}

pub(crate) async fn bury(args: BuryArgs) -> Result<(), Failure> {
    if args.store.open().await?.bury(args.id, args.why).await? {
        return Ok(output::line(&format!("buried: {}", args.id))?);
    }
    Err(Failure::new(
        Category::Unexpected,
        format!("notification {} does not exist, or it is already done or dead", args.id),
    ))
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    store: StoreArgs,
}

pub(crate) async fn check(args: CheckArgs) -> Result<(), Failure> {
    let problems = args.store.open().await?.check().await?;
    if problems.is_empty() {
        return Ok(output::line("no problems")?);
    }
    for problem in &problems {
        output::line(problem)?;
    }
    Err(Failure::new(Category::Unexpected, format!("the store has {} problems", problems.len())))
}

#[derive(Args)]
pub(crate) struct EraseArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The number of the object, as `list` shows it
    #[arg(long, value_name = "ID")]
    business_id: String,
}

pub(crate) async fn erase(args: EraseArgs) -> Result<(), Failure> {
    let erased = args.store.open().await?.erase(args.business_id).await?;
    Ok(output::line(&format!("erased: {erased}"))?)
}

#[derive(Args)]
pub(crate) struct GenerateKeyArgs {
    /// The new file
    file: PathBuf,
}

pub(crate) fn generate_key(args: &GenerateKeyArgs) -> Result<(), Failure> {
    if args.file.exists() {
        let shown = args.file.display();
        return Err(Failure::new(Category::Configuration, format!("{shown} already exists; choose a different file")));
    }
    StoreKeys::load_or_create(&args.file)?;
    Ok(output::line(&format!("written: {}", args.file.display()))?)
}

#[derive(Args)]
pub(crate) struct BackupArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The new file. The key file of the store is not copied
    file: PathBuf,
}

pub(crate) async fn backup(args: BackupArgs) -> Result<(), Failure> {
    let AnyStore::Sqlite(store) = args.store.open().await? else {
        return Err(Failure::usage(
            "backup copies SQLite stores only: use pg_dump for a PostgreSQL database, and \
             `nats account backup` for NATS",
        ));
    };
    store.backup(&args.file).await?;
    Ok(output::line(&format!("written: {}", args.file.display()))?)
}
