//! The schema and its migrations.

use paytend_inbox::{StoreError, StoreErrorKind};
use sha2::{Digest as _, Sha256};
use tokio_postgres::Client;

use crate::error::store_error;

/// A step of the schema. A released step does not change any more: its checksum is stored.
struct Migration {
    version: i64,
    /// The lowest version that a program must know to use a store with this step.
    compatible_from: i64,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, compatible_from: 1, sql: include_str!("schema/0001.sql") },
    Migration { version: 2, compatible_from: 1, sql: include_str!("schema/0002.sql") },
];

const TABLE: &str = "CREATE TABLE IF NOT EXISTS paytend_migration (\
     version bigint PRIMARY KEY, checksum bytea NOT NULL, \
     compatible_from bigint NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())";

/// Held during a migration, so that programs that start together do not migrate at the same time.
const LOCK: i64 = 0x7061_7974_656e_6401;

/// Creates or upgrades the schema in one transaction.
pub(crate) async fn migrate(client: &mut Client) -> Result<(), StoreError> {
    let failed = |error| store_error("create the schema", error);
    let transaction = client.transaction().await.map_err(failed)?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(failed)?;
    transaction.batch_execute(TABLE).await.map_err(failed)?;
    let rows = transaction
        .query("SELECT version, checksum, compatible_from FROM paytend_migration", &[])
        .await
        .map_err(failed)?;
    let known = MIGRATIONS.last().map_or(0, |migration| migration.version);
    let applied: Vec<(i64, Vec<u8>, i64)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let newer = applied.iter().filter(|(version, ..)| *version > known);
    if let Some(required) = newer.map(|(.., from)| *from).max().filter(|required| *required > known) {
        return Err(StoreError::new(
            StoreErrorKind::Configuration,
            format!("the store needs schema version {required}, and this program knows {known}: use a newer version"),
        ));
    }
    for migration in MIGRATIONS {
        let checksum = Sha256::digest(migration.sql).to_vec();
        match applied.iter().find(|(version, ..)| *version == migration.version) {
            Some((_, stored, _)) if *stored == checksum => {}
            Some(_) => {
                return Err(StoreError::new(
                    StoreErrorKind::Configuration,
                    format!("schema version {} of the store differs from this program's", migration.version),
                ));
            }
            None => {
                transaction.batch_execute(migration.sql).await.map_err(failed)?;
                let insert = "INSERT INTO paytend_migration (version, checksum, compatible_from) VALUES ($1, $2, $3)";
                let row: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
                    [&migration.version, &checksum, &migration.compatible_from];
                transaction.execute(insert, &row).await.map_err(failed)?;
            }
        }
    }
    transaction.commit().await.map_err(failed)
}
