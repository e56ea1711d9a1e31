//! Checks the store that the inbox and the outbox share.

use std::path::Path;

use paytend_inbox::{StoreAdmin as _, StoreError};
use paytend_outbox::OutboxAdmin as _;

use super::report::{Report, argument};
use crate::cmd::inbox::any_store::AnyStore;
use crate::cmd::inbox::store::{StoreArgs, StoreName, beside};
use crate::exit::Failure;

const NAME: &str = "store";

/// Opens the store, writes to it, and checks its integrity and its key file.
pub(super) async fn check(args: &StoreArgs, report: &mut Report) {
    let name = match args.name(None) {
        Ok(name) => name,
        Err(failure) => {
            report.fail(NAME, failure.message(), "paytend inbox check --help");
            return;
        }
    };
    let next = format!("paytend inbox check --store {}", argument(Path::new(&name.to_string())));
    match engine(args).await {
        Ok((settings, problems)) if problems.is_empty() => {
            report.ok(NAME, format!("{name} accepts durable writes: {}", settings.join(", ")));
        }
        Ok((_, problems)) => report.fail(NAME, format!("{name}: {}", problems.join("; ")), next),
        Err(failure) => report.fail(NAME, format!("{name}: {}", failure.message()), next),
    }
    if let StoreName::Sqlite(file) = &name {
        let key = beside(file);
        match key.exists() {
            true => report.ok("store key", format!("{} exists: keep a copy in a safe place", key.display())),
            false => report.warn(
                "store key",
                format!("{} does not exist: without the store's key file, no content can be read", key.display()),
                "restore the key file, or pass its path with `paytend inbox serve --store-key FILE`",
            ),
        }
    }
}

/// Returns the engine's settings, and the problems that it finds.
async fn engine(args: &StoreArgs) -> Result<(Vec<String>, Vec<String>), Failure> {
    let store = args.open().await?;
    let settings = store.probe().await?;
    let mut problems = store.check().await?;
    problems.extend(orders(&store).await?);
    Ok((settings.into_iter().map(|(name, value)| format!("{name} {value}")).collect(), problems))
}

async fn orders(store: &AnyStore) -> Result<Vec<String>, StoreError> {
    match store {
        AnyStore::Sqlite(store) => store.check_orders().await,
        AnyStore::Postgres(store) => store.check_orders().await,
        AnyStore::Nats(_) => Ok(Vec::new()),
    }
}
