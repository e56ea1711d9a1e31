//! The integrity check.

use deadpool_postgres::Transaction;
use paytend_inbox::Route;

use crate::error::OpError;
use crate::rows::get;

/// The length of a payload's nonce, in bytes.
const NONCE: usize = 24;

/// Queries that count invalid rows, each with a description of the problem.
const RULES: [(&str, &str); 5] = [
    (
        "SELECT count(*) FROM paytend_notification n WHERE NOT EXISTS (SELECT 1 FROM paytend_work WHERE id = n.id) \
         AND NOT EXISTS (SELECT 1 FROM paytend_dead WHERE id = n.id) \
         AND NOT EXISTS (SELECT 1 FROM paytend_outcome WHERE id = n.id AND result = 'done')",
        "notifications are neither pending nor dead nor done",
    ),
    (
        "SELECT count(*) FROM paytend_work w JOIN paytend_dead d ON d.id = w.id",
        "notifications are both pending and dead",
    ),
    (
        "SELECT count(*) FROM (SELECT 1 FROM paytend_work WHERE order_key IS NOT NULL GROUP BY order_key \
         HAVING count(*) FILTER (WHERE ready) <> 1) k",
        "order keys do not have exactly one notification that can be claimed",
    ),
    ("SELECT count(*) FROM paytend_work WHERE order_key IS NULL AND NOT ready", "notifications cannot be claimed"),
    (
        "SELECT count(*) FROM paytend_notification n WHERE octet_length(dedup) <> 32 \
         OR octet_length(content_tag) <> 32 OR octet_length(order_key) <> 32 OR NOT isfinite(received_at) \
         OR route <> ALL (string_to_array('{routes}', ' ')) \
         OR EXISTS (SELECT 1 FROM paytend_work w WHERE w.id = n.id AND w.tries < 0) \
         OR EXISTS (SELECT 1 FROM paytend_payload p WHERE p.id = n.id \
         AND (octet_length(nonce) <> {nonce} OR key_id NOT BETWEEN 0 AND 4294967295))",
        "notifications have unreadable values",
    ),
];

/// Checks the rows and returns a description of each problem. Foreign keys are not checked, because the database
/// enforces them. State changes during the check do not cause false reports, because each query reads a consistent
/// snapshot.
pub(crate) async fn integrity(transaction: &Transaction<'_>) -> Result<Vec<String>, OpError> {
    let mut problems = Vec::new();
    let routes = Route::ALL.map(Route::as_str).join(" ");
    for (sql, problem) in RULES {
        let sql = sql.replace("{routes}", &routes).replace("{nonce}", &NONCE.to_string());
        let count: i64 = get(&transaction.query_one(&sql, &[]).await?, 0)?;
        if count > 0 {
            problems.push(format!("{count} {problem}"));
        }
    }
    Ok(problems)
}
