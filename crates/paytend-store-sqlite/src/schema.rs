//! The schema and its migrations. The [`paytend_inbox::schema`] module describes the rules for migrations.

use paytend_inbox::StoreError;
use paytend_inbox::schema::{self, AppliedMigration, Migration};
use rusqlite::{Connection, TransactionBehavior, params};

use crate::error::store_error;

const MIGRATIONS: &[Migration] = &[
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
    // If the schema is current, the store is not locked.
    if schema::missing(&applied(connection).map_err(failed)?, migrations)?.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    transaction.execute_batch(TABLE).map_err(failed)?;
    // A different program may have applied migrations since the first check.
    for migration in schema::missing(&applied(&transaction).map_err(failed)?, migrations)? {
        transaction.execute_batch(migration.sql).map_err(failed)?;
        let checksum = migration.checksum();
        let row = params![migration.version, checksum, migration.compatible_from, now];
        transaction.execute("INSERT INTO paytend_migration VALUES (?1, ?2, ?3, ?4)", row).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// Checks that the file has a compatible schema, without changing the file.
pub(crate) fn require(connection: &Connection) -> Result<(), StoreError> {
    require_with(connection, MIGRATIONS)
}

fn require_with(connection: &Connection, migrations: &[Migration]) -> Result<(), StoreError> {
    let applied = applied(connection).map_err(|error| store_error("read the schema version", error))?;
    schema::require(&applied, migrations)
}

/// Reads the migration steps that have been applied to the store.
fn applied(connection: &Connection) -> Result<Vec<AppliedMigration>, rusqlite::Error> {
    if !connection.table_exists(None, "paytend_migration")? {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare("SELECT version, checksum, compatible_from FROM paytend_migration")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(AppliedMigration { version: row.get(0)?, checksum: row.get(1)?, compatible_from: row.get(2)? })
    };
    statement.query_map([], read)?.collect()
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

    #[test]
    fn programs_that_manage_a_store_do_not_create_or_upgrade_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        let error = require_with(&connection, &[FIRST]).unwrap_err();
        assert!(error.to_string().contains("contains no store"), "{error}");
        assert!(!connection.table_exists(None, "paytend_migration").unwrap());
        migrate_with(&mut connection, 0, &[FIRST]).unwrap();
        require_with(&connection, &[FIRST]).unwrap();
        let error = require_with(&connection, &[FIRST, ADDS]).unwrap_err();
        assert!(error.to_string().contains("no schema version 2"), "{error}");
        assert_eq!(connection.prepare("SELECT * FROM a").unwrap().column_count(), 1);
        migrate_with(&mut connection, 0, &[FIRST, ADDS]).unwrap();
        require_with(&connection, &[FIRST]).unwrap();
    }

    #[test]
    fn older_program_works_during_a_compatible_upgrade() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Connection::open(directory.path().join("a.db")).unwrap();
        let mut old = open();
        migrate_with(&mut old, 0, &[FIRST]).unwrap();
        let mut insert = old.prepare("INSERT INTO a (x) VALUES (?1)").unwrap();
        insert.execute([1]).unwrap();
        migrate_with(&mut open(), 0, &[FIRST, ADDS]).unwrap();
        insert.execute([2]).unwrap();
        let mut new = open();
        migrate_with(&mut new, 0, &[FIRST, ADDS, Migration { version: 3, ..BREAKS }]).unwrap();
        assert!(insert.execute([3]).is_err(), "a running program must not write to a schema that it does not support");
    }
}
