//! Versions of a store's schema, for crates that implement stores.
//!
//! Programs of different versions can use the same store at the same time. A step that only adds tables, indexes,
//! functions and columns with defaults is compatible with older programs, and sets `compatible_from` to their version.
//! Any other step must make older programs' statements fail, for example by renaming a table, because running programs
//! do not read the version again.

use sha2::{Digest as _, Sha256};

use crate::error::{StoreError, StoreErrorKind};

/// A schema migration step. A released step must not be changed, because stores contain its checksum.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The schema version after this step.
    pub version: i64,
    /// The minimum schema version that a program must support to use a store with this step.
    pub compatible_from: i64,
    /// The SQL statements of the step.
    pub sql: &'static str,
}

impl Migration {
    /// Returns the checksum of the step's SQL statements.
    pub fn checksum(&self) -> Vec<u8> {
        Sha256::digest(self.sql).to_vec()
    }
}

/// A step that was applied to a store.
#[derive(Clone, Debug)]
pub struct AppliedMigration {
    /// The schema version after this step.
    pub version: i64,
    /// The checksum of the statements that were executed.
    pub checksum: Vec<u8>,
    /// The minimum schema version that a program must support to use the store.
    pub compatible_from: i64,
}

/// Returns the steps that have not been applied to a store yet.
///
/// # Errors
/// - Returns [`StoreError`] if the store requires a newer version of this program.
/// - Returns [`StoreError`] if a step in the store differs from the step of this program.
pub fn missing<'a>(
    applied: &[AppliedMigration],
    migrations: &'a [Migration],
) -> Result<Vec<&'a Migration>, StoreError> {
    let known = migrations.last().map_or(0, |migration| migration.version);
    let newer = applied.iter().filter(|applied| applied.version > known);
    if let Some(required) = newer.map(|applied| applied.compatible_from).max().filter(|required| *required > known) {
        return Err(refused(format!(
            "the store needs schema version {required}, but this program only supports version {known}; \
             upgrade the program"
        )));
    }
    let mut missing = Vec::new();
    for migration in migrations {
        match applied.iter().find(|applied| applied.version == migration.version) {
            Some(applied) if applied.checksum == migration.checksum() => {}
            Some(_) => {
                return Err(refused(format!(
                    "schema version {} of the store differs from this program's",
                    migration.version
                )));
            }
            None => missing.push(migration),
        }
    }
    Ok(missing)
}

/// Checks that all steps have been applied to a store.
///
/// # Errors
/// Returns [`StoreError`] in the same cases as [`missing`], and if a step has not been applied.
pub fn require(applied: &[AppliedMigration], migrations: &[Migration]) -> Result<(), StoreError> {
    let to_do = "start this version's receiver or worker, such as `paytend inbox serve`, to";
    match missing(applied, migrations)?.first() {
        None => Ok(()),
        _ if applied.is_empty() => Err(refused(format!("the database contains no store: {to_do} create it"))),
        Some(first) => Err(refused(format!("the store has no schema version {}: {to_do} upgrade it", first.version))),
    }
}

fn refused(message: String) -> StoreError {
    StoreError::new(StoreErrorKind::Configuration, message)
}
