//! Checks of the store's integrity.

use paytend_inbox::StoreError;

use crate::index::Known;
use crate::remove::stored_ids;
use crate::store::Shared;

/// The maximum number of notifications that the description of a problem lists.
const NAMED: usize = 5;

/// Returns the problems of the stored notifications.
pub(crate) async fn integrity(shared: &Shared) -> Result<Vec<String>, StoreError> {
    let watched = shared.synchronized().await?;
    let stored = stored_ids(shared).await?;
    // The index also needs the notifications that have arrived in the meantime.
    watched.synchronize(&shared.streams).await?;
    let index = watched.index();
    let mut problems = index.order_problems();
    let all = index.select(i64::MIN, usize::MAX, |_| true);
    let last = stored.last().copied().unwrap_or_default();
    let mut report = |what: &str, wrong: &dyn Fn(i64, &Known) -> bool| {
        let ids: Vec<String> =
            all.iter().filter(|(id, known)| wrong(*id, known)).map(|(id, _)| id.to_string()).collect();
        if !ids.is_empty() {
            let named = ids.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            problems.push(format!("{} notifications {what}, such as {named}", ids.len()));
        }
    };
    report("have a record and no message", &|id, known| !known.removed && id <= last && !stored.contains(&id));
    report("have content that was to be removed", &|id, known| known.removed && stored.contains(&id));
    Ok(problems)
}
