//! Opens a store.

use paytend_inbox::StoreError;

use crate::options::SqliteOptions;
use crate::store::SqliteStore;

impl SqliteOptions {
    /// Opens the store, creates or upgrades its schema, and starts its writer thread. This method blocks for the
    /// duration of a few disk accesses.
    ///
    /// # Errors
    /// - Returns [`StoreError`] if the file cannot be opened or written, or is damaged.
    /// - Returns [`StoreError`] if SQLite does not accept a required setting.
    /// - Returns [`StoreError`] if the schema has an incompatible version, or if [`must_exist`](Self::must_exist) is
    ///   set and the schema is absent or older.
    pub fn open(self) -> Result<SqliteStore, StoreError> {
        SqliteStore::with(self)
    }
}
