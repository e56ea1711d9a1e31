//! Detects connection poolers in transaction mode.

use std::time::Duration;

use paytend_inbox::{StoreError, StoreErrorKind};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use crate::connect::Server;
use crate::error::store_error;

const DOING: &str = "check for a connection pooler";
/// How long a pooler may take to provide a second connection to the server.
const TIMEOUT: Duration = Duration::from_secs(4);

const REFUSED: &str = "the connection pooler does not keep prepared statements between transactions: use session \
     pooling, or PgBouncer 1.21 or newer with max_prepared_statements";

/// Returns whether two clients share one connection to the server, as with a pooler in transaction mode. Returns an
/// error if the pooler does not keep the prepared statements of its clients.
///
/// If all connections of the pooler are busy, it is not recognized.
pub(crate) async fn is_transaction_pooler(server: &Server, first: &Client) -> Result<bool, StoreError> {
    let failed = |error| store_error(DOING, error);
    let statement = first.prepare("SELECT pg_backend_pid()").await.map_err(refused)?;
    let process = first.query_one(&statement, &[]).await.map_err(refused)?;
    // Without a second connection, nothing can be shared.
    let Ok(second) = server.connect().await else { return Ok(false) };
    second.batch_execute("BEGIN").await.map_err(failed)?;
    let other = second.query_one("SELECT pg_backend_pid()", &[]).await.map_err(refused)?;
    let is_shared = process.try_get::<_, i32>(0).map_err(failed)? == other.try_get::<_, i32>(0).map_err(failed)?;
    if !is_shared {
        return Ok(false);
    }
    // The second client holds the connection on which the statement was prepared.
    match tokio::time::timeout(TIMEOUT, first.query_one(&statement, &[])).await {
        Ok(row) => row.map_err(refused).map(|_| true),
        Err(_) => Err(StoreError::unavailable("the connection pooler needs more than one connection to the server")),
    }
}

fn refused(error: Error) -> StoreError {
    let is_statement = [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT];
    if error.code().is_some_and(|code| is_statement.contains(code)) {
        return StoreError::new(StoreErrorKind::Configuration, REFUSED);
    }
    store_error(DOING, error)
}
