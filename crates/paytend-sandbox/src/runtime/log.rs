//! The log of calls and delivery attempts for the web page, the control interface and tests. It keeps the last thousand
//! entries in memory.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::broadcast;

use crate::faults::FaultKind;
use crate::world::time::Millis;

/// The maximum number of entries in the log.
const KEPT: usize = 1000;
/// The maximum total size of the entries in the log, in bytes.
const MOST: usize = 64 << 20;

/// A document that was sent or received, with its decrypted contents. It includes personal data and session keys, so it
/// is shown only on request.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Side {
    /// The document exactly as it was sent or received.
    pub(crate) wire: String,
    /// The signed canonical string.
    pub(crate) canonical: Option<String>,
    /// The decrypted payload.
    pub(crate) payload: Option<String>,
}

/// A call or a delivery attempt.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    pub(crate) id: u64,
    /// The kind of entry: `call` or `delivery`.
    pub(crate) kind: &'static str,
    pub(crate) at: Millis,
    pub(crate) partner: String,
    /// The operation's name or path, or the notification's name.
    pub(crate) what: String,
    /// The path of a call.
    pub(crate) path: Option<String>,
    /// The outcome as text, such as `00 success` or `acknowledged`.
    pub(crate) verdict: String,
    /// Whether the call or attempt succeeded.
    pub(crate) good: bool,
    pub(crate) faults: Vec<FaultKind>,
    /// The delivery's ID.
    pub(crate) delivery: Option<u64>,
    pub(crate) url: Option<String>,
    pub(crate) status: Option<u16>,
    /// Warnings about inferred rules that the call violates. Field values are never included.
    pub(crate) findings: Vec<String>,
    #[serde(skip)]
    pub(crate) sent: Side,
    #[serde(skip)]
    pub(crate) answered: Side,
}

impl Entry {
    fn bytes(&self) -> usize {
        let side = |side: &Side| {
            side.wire.len() + [&side.canonical, &side.payload].into_iter().flatten().map(String::len).sum::<usize>()
        };
        side(&self.sent) + side(&self.answered)
    }
}

#[derive(Debug, Default)]
struct Kept {
    last: u64,
    bytes: usize,
    entries: VecDeque<Entry>,
}

/// The most recent entries, and the listeners for new entries.
#[derive(Debug)]
pub(crate) struct Log {
    kept: Mutex<Kept>,
    listeners: broadcast::Sender<String>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self { kept: Mutex::default(), listeners: broadcast::Sender::new(256) }
    }

    /// Adds an entry, and returns its ID.
    pub(crate) fn add(&self, entry: Entry) -> u64 {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last += 1;
        let entry = Entry { id: kept.last, ..entry };
        if self.listeners.receiver_count() > 0 {
            // Ignore errors: sending fails only if all listeners have disconnected.
            let _ = self.listeners.send(serde_json::to_string(&entry).unwrap_or_default());
        }
        kept.bytes += entry.bytes();
        kept.entries.push_back(entry);
        while kept.entries.len() > KEPT || kept.bytes > MOST {
            let Some(oldest) = kept.entries.pop_front() else { break };
            kept.bytes -= oldest.bytes();
        }
        kept.last
    }

    /// Adds findings to an entry, if it is still kept, and notifies the listeners.
    #[cfg(feature = "explain")]
    pub(crate) fn find(&self, id: u64, findings: Vec<String>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = kept.entries.iter_mut().find(|entry| entry.id == id) else { return };
        entry.findings.extend(findings);
        let _ = self.listeners.send(serde_json::to_string(&entry).unwrap_or_default());
    }

    /// Removes all entries. The IDs of later entries continue from the last ID.
    pub(crate) fn clear(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entries.clear();
        kept.bytes = 0;
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<String> {
        self.listeners.subscribe()
    }

    /// Returns the entries with IDs above `id`, converted by `map`.
    pub(crate) fn after<T>(&self, id: u64, map: impl Fn(&Entry) -> T) -> Vec<T> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entries.iter().filter(|entry| entry.id > id).map(map).collect()
    }

    pub(crate) fn get(&self, id: u64) -> Option<Entry> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entries.iter().find(|entry| entry.id == id).cloned()
    }

    /// Returns the last attempt of a delivery.
    pub(crate) fn of_delivery(&self, delivery: u64) -> Option<Entry> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entries.iter().rev().find(|entry| entry.delivery == Some(delivery)).cloned()
    }
}
