//! The schema and its migrations.

use paytend_inbox::{StoreError, StoreErrorKind};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};

use crate::error::store_error;

/// A step of the schema. A released step does not change any more: its checksum is stored.
pub(crate) struct Migration {
    pub(crate) version: i64,
    /// The lowest version that a program must know to use a store with this step.
    pub(crate) compatible_from: i64,
    pub(crate) sql: &'static str,
}

pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, compatible_from: 1, sql: include_str!("schema/0001.sql") },
    Migration { version: 2, compatible_from: 1, sql: include_str!("schema/0002.sql") },
];

const TABLE: &str = "CREATE TABLE IF NOT EXISTS paytend_migration (
    version INTEGER PRIMARY KEY, checksum BLOB NOT NULL, compatible_from INTEGER NOT NULL,
    applied_at INTEGER NOT NULL) STRICT";

/// Creates or upgrades the schema in one transaction.
pub(crate) fn migrate(connection: &mut Connection, now: i64) -> Result<(), StoreError> {
    migrate_with(connection, now, MIGRATIONS)
}

fn migrate_with(connection: &mut Connection, now: i64, migrations: &[Migration]) -> Result<(), StoreError> {
    let failed = |error| store_error("create the schema", error);
    // A command that only reads does not wait for the writer of a busy service.
    if is_current(connection, migrations).map_err(failed)? {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    transaction.execute_batch(TABLE).map_err(failed)?;
    refuse_newer(&transaction, migrations)?;
    for migration in migrations {
        let checksum = Sha256::digest(migration.sql).to_vec();
        let applied: Option<Vec<u8>> = transaction
            .query_row("SELECT checksum FROM paytend_migration WHERE version = ?1", [migration.version], |row| {
                row.get(0)
            })
            .optional()
            .map_err(failed)?;
        match applied {
            Some(applied) if applied == checksum => {}
            Some(_) => {
                return Err(StoreError::new(
                    StoreErrorKind::Configuration,
                    format!("schema version {} of the store differs from this program's", migration.version),
                ));
            }
            None => {
                transaction.execute_batch(migration.sql).map_err(failed)?;
                let row = params![migration.version, checksum, migration.compatible_from, now];
                transaction.execute("INSERT INTO paytend_migration VALUES (?1, ?2, ?3, ?4)", row).map_err(failed)?;
            }
        }
    }
    transaction.commit().map_err(failed)
}

/// Returns whether the store has exactly these steps.
fn is_current(connection: &Connection, migrations: &[Migration]) -> Result<bool, rusqlite::Error> {
    if !connection.table_exists(None, "paytend_migration")? {
        return Ok(false);
    }
    let mut statement = connection.prepare("SELECT version, checksum FROM paytend_migration ORDER BY version")?;
    let applied = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let applied = applied.collect::<Result<Vec<(i64, Vec<u8>)>, _>>()?;
    let known = migrations.iter().map(|migration| (migration.version, Sha256::digest(migration.sql).to_vec()));
    Ok(applied.into_iter().eq(known))
}

/// Refuses a store whose schema has a step that this program must know and does not.
fn refuse_newer(transaction: &Transaction<'_>, migrations: &[Migration]) -> Result<(), StoreError> {
    let known = migrations.last().map_or(0, |migration| migration.version);
    let required: Option<i64> = transaction
        .query_row("SELECT max(compatible_from) FROM paytend_migration WHERE version > ?1", [known], |row| row.get(0))
        .map_err(|error| store_error("read the schema version", error))?;
    match required {
        Some(required) if required > known => Err(StoreError::new(
            StoreErrorKind::Configuration,
            format!("the store needs schema version {required}, and this program knows {known}: use a newer version"),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Migration = Migration { version: 1, compatible_from: 1, sql: "CREATE TABLE a (x)" };
    const ADDS: Migration = Migration { version: 2, compatible_from: 1, sql: "ALTER TABLE a ADD COLUMN y" };
    const BREAKS: Migration = Migration { version: 2, compatible_from: 2, sql: "DROP TABLE a" };

    #[test]
    fn programs_of_different_versions_share_a_store_if_the_schema_allows_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_with(&mut connection, 0, &[FIRST]).unwrap();
        migrate_with(&mut connection, 0, &[FIRST, ADDS]).unwrap();
        migrate_with(&mut connection, 0, &[FIRST]).unwrap();
        migrate_with(&mut connection, 0, &[FIRST, ADDS]).unwrap();
        let columns = connection.prepare("SELECT * FROM a").unwrap().column_count();
        assert_eq!(columns, 2);
    }

    #[test]
    fn incompatible_and_altered_schemas_are_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_with(&mut connection, 0, &[FIRST, BREAKS]).unwrap();
        let error = migrate_with(&mut connection, 0, &[FIRST]).unwrap_err();
        assert!(error.to_string().contains("needs schema version 2"), "{error}");
        let error = migrate_with(&mut connection, 0, &[FIRST, ADDS]).unwrap_err();
        assert!(error.to_string().contains("schema version 2 of the store differs"), "{error}");
    }

    #[test]
    fn failed_migration_changes_nothing() {
        let broken = Migration { version: 2, compatible_from: 2, sql: "CREATE TABLE b (x); CREATE TABLE a (x)" };
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_with(&mut connection, 0, &[FIRST]).unwrap();
        assert!(migrate_with(&mut connection, 0, &[FIRST, broken]).is_err());
        assert!(connection.prepare("SELECT * FROM b").is_err());
        migrate_with(&mut connection, 0, &[FIRST, ADDS]).unwrap();
    }
}
