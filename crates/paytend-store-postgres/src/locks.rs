//! Advisory locks on order keys.

use deadpool_postgres::Transaction;

use crate::error::OpError;

/// Locks an order key until the transaction ends. If two keys result in the same lock number, their transactions wait
/// for each other.
pub(crate) async fn lock_key(transaction: &Transaction<'_>, key: &[u8]) -> Result<(), OpError> {
    let statement = transaction.prepare_cached("SELECT pg_advisory_xact_lock($1)").await?;
    transaction.execute(&statement, &[&lock_number(key)]).await?;
    Ok(())
}

/// Locks an order key in the caller's own transaction, which has no statement cache.
pub(crate) async fn lock_key_of(transaction: &tokio_postgres::Transaction<'_>, key: &[u8]) -> Result<(), OpError> {
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&lock_number(key)]).await?;
    Ok(())
}

/// Returns the number of an order key's advisory lock.
pub(crate) fn lock_number(key: &[u8]) -> i64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(key) {
        *to = *from;
    }
    i64::from_be_bytes(first)
}

/// Locks order keys in ascending order. All transactions use this order, so that they cannot deadlock.
pub(crate) async fn lock_keys(transaction: &Transaction<'_>, mut numbers: Vec<i64>) -> Result<(), OpError> {
    if numbers.is_empty() {
        return Ok(());
    }
    numbers.sort_unstable();
    let sql = "SELECT pg_advisory_xact_lock(number) FROM unnest($1::bigint[]) AS keys(number)";
    let statement = transaction.prepare_cached(sql).await?;
    transaction.execute(&statement, &[&numbers]).await?;
    Ok(())
}
