//! The integrity check.

use rusqlite::Connection;

/// Queries that count invalid rows, each with a description of the problem.
const RULES: [(&str, &str); 10] = [
    (
        "SELECT count(*) FROM paytend_notification n WHERE NOT EXISTS (SELECT 1 FROM paytend_work WHERE id = n.id) \
         AND NOT EXISTS (SELECT 1 FROM paytend_dead WHERE id = n.id) \
         AND NOT EXISTS (SELECT 1 FROM paytend_outcome WHERE id = n.id AND result = 'done')",
        "notifications are neither pending nor dead nor done",
    ),
    (
        "SELECT count(*) FROM paytend_work w WHERE NOT EXISTS (SELECT 1 FROM paytend_notification WHERE id = w.id)",
        "pending entries have no notification",
    ),
    (
        "SELECT count(*) FROM paytend_dead d WHERE NOT EXISTS (SELECT 1 FROM paytend_notification WHERE id = d.id)",
        "dead letters have no notification",
    ),
    (
        "SELECT count(*) FROM paytend_payload p WHERE NOT EXISTS (SELECT 1 FROM paytend_notification WHERE id = p.id)",
        "payloads have no notification",
    ),
    (
        "SELECT count(*) FROM paytend_work w JOIN paytend_dead d ON d.id = w.id",
        "notifications are both pending and dead",
    ),
    (
        "SELECT count(*) FROM paytend_notification WHERE length(dedup) <> 32 OR length(content_tag) <> 32 \
         OR length(order_key) <> 32 OR route NOT IN ('paytend:baas', 'paytend:issuing', 'payby', 'payermax')",
        "notifications have columns that cannot be read",
    ),
    (
        "SELECT count(*) FROM paytend_work w JOIN paytend_notification n ON n.id = w.id \
         WHERE w.order_key IS NOT n.order_key OR w.kind <> n.kind",
        "pending entries differ from their notifications",
    ),
    (
        "SELECT count(*) FROM paytend_payload WHERE length(nonce) <> 24 OR key_id NOT BETWEEN 0 AND 4294967295",
        "payloads have columns that cannot be read",
    ),
    (
        "SELECT count(*) FROM (SELECT 1 FROM paytend_work WHERE order_key IS NOT NULL GROUP BY order_key \
         HAVING sum(head) <> 1)",
        "order keys do not have exactly one notification that can be claimed",
    ),
    // A pending entry without a notification is excluded when it is claimed.
    (
        "SELECT count(*) FROM paytend_work w WHERE order_key IS NULL AND head <> 1 \
         AND EXISTS (SELECT 1 FROM paytend_notification WHERE id = w.id)",
        "notifications cannot be claimed",
    ),
];

/// Checks the file and its rows. Returns a description of each problem.
pub(crate) fn integrity(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut problems: Vec<String> =
        connection.prepare("PRAGMA integrity_check(20)")?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    problems.retain(|line| line != "ok");
    // All rules read the same snapshot.
    let transaction = connection.unchecked_transaction()?;
    for (sql, problem) in RULES {
        let count: i64 = transaction.query_row(sql, [], |row| row.get(0))?;
        if count > 0 {
            problems.push(format!("{count} {problem}"));
        }
    }
    Ok(problems)
}

/// Returns a description of each setting whose value could cause acknowledged notifications to be lost.
pub(crate) fn settings(settings: &[(&'static str, String)]) -> Vec<String> {
    let required = [("journal_mode", "wal"), ("synchronous", "2")];
    let wrong = required.iter().filter(|(name, value)| !settings.iter().any(|(n, v)| n == name && v == value));
    wrong.map(|(name, value)| format!("the setting {name} must be {value}")).collect()
}
