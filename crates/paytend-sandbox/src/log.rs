//! What was asked and answered, told and acknowledged: for the page, the control interface and tests. In memory, the last thousand.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::broadcast;

use crate::faults::FaultKind;
use crate::world::Millis;

const KEPT: usize = 1000;
/// And no more than so many bytes.
const MOST: usize = 64 << 20;

/// One document on the wire, and what is in it. Personal data and session keys are in here: it is shown on request alone.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Side {
    /// As it went over the wire.
    pub(crate) wire: String,
    /// The signed text.
    pub(crate) canonical: Option<String>,
    /// The decrypted payload.
    pub(crate) payload: Option<String>,
}

/// A call or an attempt to deliver a notification.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    pub(crate) id: u64,
    /// `call` or `delivery`.
    pub(crate) kind: &'static str,
    pub(crate) at: Millis,
    pub(crate) partner: String,
    /// The operation's name or path, or the notification's name.
    pub(crate) what: String,
    /// In words: `00 success`, `not authentic`, `acknowledged`.
    pub(crate) verdict: String,
    /// Whether it went as it should.
    pub(crate) good: bool,
    pub(crate) faults: Vec<FaultKind>,
    /// The delivery's number.
    pub(crate) delivery: Option<u64>,
    pub(crate) url: Option<String>,
    pub(crate) status: Option<u16>,
    /// What was found wrong, or may be: broken rules of a call, and why it is not authentic. Without values.
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

/// The last entries, and whoever listens for new ones.
#[derive(Debug)]
pub(crate) struct Log {
    kept: Mutex<Kept>,
    listeners: broadcast::Sender<String>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self { kept: Mutex::default(), listeners: broadcast::Sender::new(256) }
    }

    pub(crate) fn add(&self, entry: Entry) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last += 1;
        let entry = Entry { id: kept.last, ..entry };
        if self.listeners.receiver_count() > 0 {
            // Nobody is listening any more: nothing is lost.
            let _ = self.listeners.send(serde_json::to_string(&entry).unwrap_or_default());
        }
        kept.bytes += entry.bytes();
        kept.entries.push_back(entry);
        while kept.entries.len() > KEPT || kept.bytes > MOST {
            let Some(oldest) = kept.entries.pop_front() else { break };
            kept.bytes -= oldest.bytes();
        }
    }

    /// Forgets all entries; their numbers go on.
    pub(crate) fn clear(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entries.clear();
        kept.bytes = 0;
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<String> {
        self.listeners.subscribe()
    }

    /// The entries after a number, as they are told.
    pub(crate) fn after<T>(&self, id: u64, map: impl Fn(&Entry) -> T) -> Vec<T> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entries.iter().filter(|entry| entry.id > id).map(map).collect()
    }

    pub(crate) fn get(&self, id: u64) -> Option<Entry> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entries.iter().find(|entry| entry.id == id).cloned()
    }

    /// The last attempt of a delivery.
    pub(crate) fn of_delivery(&self, delivery: u64) -> Option<Entry> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entries.iter().rev().find(|entry| entry.delivery == Some(delivery)).cloned()
    }
}
