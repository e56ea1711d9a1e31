//! Checks of the store's integrity.

use std::collections::BTreeMap;

use paytend_inbox::{Mac, StoreError};

use crate::finish::own_message;
use crate::index::Known;
use crate::message::{MIN_BODY, dedup_of};
use crate::record::Record;
use crate::remove::{MessageHead, each_message};
use crate::scan::read_all;
use crate::store::Shared;
use crate::streams::Log;

/// The maximum number of notifications that a problem's description lists.
const NAMED: usize = 5;

/// The contents of the streams.
#[derive(Default)]
struct Contents {
    messages: BTreeMap<i64, Mac>,
    unreadable: Vec<String>,
    unreadable_records: Vec<String>,
    /// Messages with subjects that this store does not write.
    foreign: Vec<String>,
}

/// Checks the stored notifications and returns a description of each problem.
pub(crate) async fn integrity(shared: &Shared) -> Result<Vec<String>, StoreError> {
    let watched = shared.synchronized().await?;
    let contents = read(shared).await?;
    // The index must also contain the notifications that arrived while the streams were read.
    watched.synchronize(&shared.streams).await?;
    let (all, displaced) = {
        let index = watched.index();
        (index.select(i64::MIN, usize::MAX, |_| true), index.displaced())
    };
    let (mut without, mut left) = (Vec::new(), Vec::new());
    for (id, known) in all {
        let has_message = contents.messages.get(&id) == Some(&known.dedup);
        if known.removed && has_message {
            left.push(id.to_string());
        } else if is_incomplete(&known) && !has_message && !arrived(shared, id, known.dedup, &contents).await? {
            without.push(id.to_string());
        }
    }
    let mut problems = watched.index().order_problems();
    let mut report = |what: &str, named: &[String]| {
        if !named.is_empty() {
            let examples = named[..named.len().min(NAMED)].join(", ");
            problems.push(format!("{} {what}, such as {examples}", named.len()));
        }
    };
    report("notifications have a record but no message", &without);
    report("notifications have content that was to be removed", &left);
    report("notifications cannot be read", &contents.unreadable);
    report("records cannot be read", &contents.unreadable_records);
    report("messages have a subject that this store does not write", &contents.foreign);
    if !displaced.is_empty() {
        problems.push(format!(
            "{} notifications have an ID that belongs to a different notification, because the streams were \
             restored from backups of different times: their content is lost, so compare the store with the provider's \
             lists",
            displaced.len()
        ));
    }
    Ok(problems)
}

/// Returns whether a notification has a record that needs a message.
fn is_incomplete(known: &Known) -> bool {
    known.sequence > 0 && !known.removed
}

/// Returns whether a notification arrived after the stream was read.
async fn arrived(shared: &Shared, id: i64, dedup: Mac, contents: &Contents) -> Result<bool, StoreError> {
    let last = contents.messages.last_key_value().map_or(0, |(last, _)| *last);
    if id <= last {
        return Ok(false);
    }
    Ok(own_message(shared, id, dedup).await?.is_some())
}

async fn read(shared: &Shared) -> Result<Contents, StoreError> {
    let mut contents = Contents::default();
    let names = &shared.streams.names;
    let (inbox, work) = (names.stream(Log::Inbox), names.stream(Log::Work));
    let collect = |id: i64, message: Option<MessageHead>| match message {
        Some(MessageHead { dedup, facts, size }) => {
            contents.messages.insert(id, dedup);
            if size < MIN_BODY || facts.is_none_or(|facts| facts.into_facts().is_err()) {
                contents.unreadable.push(id.to_string());
            }
        }
        None => contents.foreign.push(format!("{inbox} {id}")),
    };
    each_message(shared, collect).await?;
    let read = read_all(&shared.streams, Log::Work, None, |scanned| {
        let message = &scanned.message.message;
        let sequence = scanned.sequence;
        match message.subject.split('.').nth(1) {
            Some("work") if dedup_of(&message.subject).is_some() => {
                if Record::read(&message.payload).is_err() {
                    contents.unreadable_records.push(format!("{work} {sequence}"));
                }
            }
            Some("order") if dedup_of(&message.subject).is_some() => {}
            Some("meta" | "audit") => {}
            _ => contents.foreign.push(format!("{work} {sequence}")),
        }
        Ok(())
    });
    read.await?;
    Ok(contents)
}
