//! Prevents query plans that read whole tables.
//!
//! If a table was empty when it was last vacuumed, PostgreSQL plans to read the whole table. A connection keeps the
//! plan of a prepared statement or of a foreign key, so such a plan is still used when the table contains many rows.
//! Every table is empty at first. Each day begins with an empty partition, and the table of pending notifications is
//! empty when all of them are done.

use deadpool_postgres::Transaction;
use tokio_postgres::Error;

/// Plans the following statements of the transaction with indexes, wherever an index can be used.
pub(crate) const USE_INDEXES: &str = "SET LOCAL enable_seqscan = off";

/// Plans the following statements of the transaction, those of an effect, as the server is configured.
pub(crate) const PLAN_NORMALLY: &str = "SET LOCAL enable_seqscan = DEFAULT";

/// Plans the following statements of the transaction with indexes. To avoid a round trip, join this future with the
/// next statement, and put this future first.
pub(crate) async fn use_indexes(transaction: &Transaction<'_>) -> Result<(), Error> {
    transaction.batch_execute(USE_INDEXES).await
}
