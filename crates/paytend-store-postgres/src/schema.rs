//! The schema and its migrations.
//!
//! The [`paytend_inbox::schema`] module describes the rules for migrations. In addition, a migration changes at most
//! one existing table. A migration that locks two tables could deadlock with programs that lock the tables in a
//! different order.

use paytend_inbox::StoreError;
use paytend_inbox::schema::{self, AppliedMigration, Migration};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error};

use crate::error::store_error;

const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, compatible_from: 1, sql: include_str!("schema/0001.sql") },
    Migration { version: 2, compatible_from: 1, sql: include_str!("schema/0002.sql") },
];

const TABLE: &str = "CREATE TABLE IF NOT EXISTS paytend_migration (\
     version bigint PRIMARY KEY, checksum bytea NOT NULL, \
     compatible_from bigint NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())";

/// The advisory lock that is held during a migration, so that only one program migrates the schema at a time.
const LOCK: i64 = 0x7061_7974_656e_6401;

/// Limits how long a migration step waits for a table that is in use. Other transactions are blocked during this wait.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '5s'";

/// The maximum number of attempts to apply a migration step whose table is in use.
const ATTEMPTS: usize = 5;

/// Creates or upgrades the schema.
pub(crate) async fn migrate(client: &mut Client) -> Result<(), StoreError> {
    let failed = |error| store_error("create the schema", error);
    for migration in schema::missing(&applied(client).await.map_err(failed)?, MIGRATIONS)? {
        let mut attempt = 1;
        while let Err(error) = apply(client, migration).await {
            if attempt == ATTEMPTS || !is_in_use(&error) {
                return Err(failed(error));
            }
            attempt += 1;
        }
    }
    Ok(())
}

/// Applies a migration step in a transaction, unless a different program has already applied it.
async fn apply(client: &mut Client, migration: &Migration) -> Result<(), Error> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(LOCK_TIMEOUT).await?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    transaction.batch_execute(TABLE).await?;
    let insert = "INSERT INTO paytend_migration (version, checksum, compatible_from) VALUES ($1, $2, $3) \
         ON CONFLICT DO NOTHING";
    let checksum = migration.checksum();
    let row: [&(dyn ToSql + Sync); 3] = [&migration.version, &checksum, &migration.compatible_from];
    if transaction.execute(insert, &row).await? == 1 {
        transaction.batch_execute(migration.sql).await?;
    }
    transaction.commit().await
}

fn is_in_use(error: &Error) -> bool {
    matches!(error.code(), Some(&SqlState::LOCK_NOT_AVAILABLE | &SqlState::T_R_DEADLOCK_DETECTED))
}

/// Checks that the database has a compatible schema, without changing the database.
pub(crate) async fn require(client: &Client) -> Result<(), StoreError> {
    let applied = applied(client).await.map_err(|error| store_error("read the schema version", error))?;
    schema::require(&applied, MIGRATIONS)
}

/// Reads the migration steps that have been applied to the store.
async fn applied(client: &Client) -> Result<Vec<AppliedMigration>, Error> {
    let exists = client.query_one("SELECT to_regclass('paytend_migration') IS NOT NULL", &[]).await?;
    if !exists.try_get::<_, bool>(0)? {
        return Ok(Vec::new());
    }
    let rows = client.query("SELECT version, checksum, compatible_from FROM paytend_migration", &[]).await?;
    let read = |row: &tokio_postgres::Row| {
        Ok(AppliedMigration { version: row.try_get(0)?, checksum: row.try_get(1)?, compatible_from: row.try_get(2)? })
    };
    rows.iter().map(read).collect()
}
