//! Detects connection poolers in transaction mode.

use std::time::Duration;

use paytend_inbox::{StoreError, StoreErrorKind};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use crate::connect::Server;
use crate::error::store_error;

const DOING: &str = "check for a connection pooler";
/// How long to wait for a pooler to provide a second connection to the server.
const TIMEOUT: Duration = Duration::from_secs(4);

const REFUSED: &str = "the connection pooler does not keep prepared statements between transactions: use session \
     pooling, or PgBouncer 1.21 or newer with max_prepared_statements";

/// Returns whether two clients share one connection to the server, as with a pooler in transaction mode. Returns an
/// error if the pooler does not keep the prepared statements of its clients.
///
/// A pooler whose connections are all busy is not recognized.
pub(crate) async fn is_transaction_pooler(server: &Server, first: &Client) -> Result<bool, StoreError> {
    let failed = |error| store_error(DOING, error);
    let statement = first.prepare("SELECT pg_backend_pid()").await.map_err(refused)?;
    let process = first.query_one(&statement, &[]).await.map_err(refused)?;
    // Without a second connection, the clients cannot share a connection.
    let (_second, other) = match tokio::time::timeout(TIMEOUT, begin(server)).await {
        Ok(Ok(second)) => second,
        Ok(Err(error)) if is_statement(&error) => return Err(refused(error)),
        Ok(Err(_)) | Err(_) => return Ok(false),
    };
    if process.try_get::<_, i32>(0).map_err(failed)? != other {
        return Ok(false);
    }
    // The second client holds the connection on which the statement was prepared.
    match tokio::time::timeout(TIMEOUT, first.query_one(&statement, &[])).await {
        Ok(row) => row.map_err(refused).map(|_| true),
        Err(_) => Err(StoreError::unavailable("the connection pooler needs more than one connection to the server")),
    }
}

/// Begins a transaction on a new connection. Returns its client and the process ID of its server process.
async fn begin(server: &Server) -> Result<(Client, i32), Error> {
    let client = server.connect().await?;
    client.batch_execute("BEGIN").await?;
    let process = client.query_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)?;
    Ok((client, process))
}

/// Returns whether a prepared statement is missing, or belongs to a different client.
fn is_statement(error: &Error) -> bool {
    let codes = [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT];
    error.code().is_some_and(|code| codes.contains(code))
}

fn refused(error: Error) -> StoreError {
    if is_statement(&error) {
        return StoreError::new(StoreErrorKind::Configuration, REFUSED);
    }
    store_error(DOING, error)
}
