//! Runs due tasks, and seals or signs, posts and retries notifications.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header;
use paytend_crypto::rsa::Backend as _;
use paytend_crypto::{Fields, Outgoing, detached};
use serde_json::Value;

use crate::failure::Refusal;
use crate::faults::FaultKind;
use crate::runtime::acknowledgement::{Acknowledgement, shown_url, unreachable};
use crate::runtime::core::{Core, Lost};
use crate::runtime::log::{Entry, Side};
use crate::world::Event;
use crate::world::outbox::{Attempted, Delivery, DeliveryState, Source};
use crate::world::time::{LONGEST, Millis};
use crate::world::trigger::merged;

/// The pause before the next attempt if an event could not be written to the data file.
const PAUSE: Duration = Duration::from_secs(1);
/// The maximum number of bytes read from a receiver's response. An acknowledgement is far shorter.
const MOST: usize = 64 << 10;

/// Runs tasks and deliveries as they fall due, until the sandbox stops.
pub(crate) async fn drive(core: Arc<Core>) {
    loop {
        if !core.run_due(core.now()).await {
            // An event could not be written, for example because the disk is full. Wait before retrying, because a
            // retry may post the same notification again.
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        let next = core.next_due().and_then(|at| core.clock().until(at));
        match next {
            Some(wait) => {
                let woken = core.wake.notified();
                // Wait for the due time, or for a change to the clock or the outbox, whichever comes first.
                let _ = tokio::time::timeout(wait, woken).await;
            }
            None => core.wake.notified().await,
        }
    }
}

/// The outcome of running the next due task or delivery.
#[derive(Clone, Copy, PartialEq)]
enum Ran {
    One,
    Nothing,
    /// The event could not be written to the data file.
    Failed,
}

/// The time recorded for an attempt.
#[derive(Clone, Copy)]
enum At {
    /// The due time, used while time is being advanced.
    Scheduled,
    /// The current time. A delivery that became overdue while the sandbox was stopped therefore gets only one attempt.
    Now,
}

/// A sealed or signed document that is ready to be posted.
struct Ready {
    side: Side,
    sign: Option<String>,
}

impl Core {
    /// Returns the time at which the next task or delivery falls due.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        self.look(|world| {
            let delivery = world.outbox.next().map(|(at, _)| at);
            world.next_task().into_iter().chain(delivery).min()
        })
    }

    /// Runs everything that is due by `until`, in order. Returns `false` if an event could not be written.
    pub(crate) async fn run_due(&self, until: Millis) -> bool {
        let _driving = self.driving.lock().await;
        self.run_all(until, At::Now).await
    }

    /// Posts a notification again, and returns after the attempt. This method first waits for attempts in flight, so
    /// the notification is always posted at least once more.
    pub(crate) async fn resend(&self, delivery: u64, url: Option<String>) -> Result<Result<String, Refusal>, Lost> {
        let _driving = self.driving.lock().await;
        let resent = self.happen(|at| Event::Resent { at, delivery, url })?;
        if resent.is_ok() {
            self.run_all(self.look(|world| world.now).max(self.now()), At::Now).await;
            self.wake.notify_one();
        }
        Ok(resent)
    }

    /// Like [`run_due`](Self::run_due), but returns immediately if due tasks or deliveries are already running. A
    /// request made by a receiver while it handles a delivery must not wait for that delivery.
    pub(crate) async fn run_due_if_free(&self, until: Millis) {
        if let Ok(_driving) = self.driving.try_lock() {
            self.run_all(until, At::Now).await;
        }
    }

    /// Advances time. Everything that falls due in this period runs at its due time and is complete when this method
    /// returns. The work continues even if the returned future is dropped.
    pub(crate) async fn advance(self: &Arc<Self>, by: Millis) {
        let core = Arc::clone(self);
        let passing = tokio::spawn(async move {
            let _driving = core.driving.lock().await;
            let until = core.now().saturating_add(by.min(LONGEST));
            core.run_all(until, At::Scheduled).await;
            // The clock may already have passed `until`. Use the later time, because time never goes backwards.
            let reached = until.max(core.now());
            core.set_clock(reached, core.clock().pace());
            if let Err(error) = core.happen(|_| Event::Due { at: reached }) {
                tracing::error!(%error, "cannot advance time");
            }
        });
        // The task fails only if the runtime shuts down.
        let _ = passing.await;
    }

    async fn run_all(&self, until: Millis, when: At) -> bool {
        loop {
            if self.stopped.load(Ordering::Relaxed) {
                return true;
            }
            match self.run_next(until, when).await {
                Ran::One => {}
                Ran::Nothing => return true,
                Ran::Failed => return false,
            }
        }
    }

    /// Runs the next task or delivery that is due by `until`.
    async fn run_next(&self, until: Millis, when: At) -> Ran {
        let (task, delivery) = self.look(|world| (world.next_task(), world.outbox.next()));
        let task = task.filter(|at| *at <= until);
        let ran = match delivery.filter(|(at, _)| *at <= until) {
            Some((at, id)) if task.is_none_or(|task| at < task) => {
                let at = match when {
                    At::Scheduled => at,
                    At::Now => at.max(self.now()),
                };
                self.deliver(id, at).await
            }
            _ => match task {
                Some(at) => self.happen(|_| Event::Due { at }).map(drop),
                None => return Ran::Nothing,
            },
        };
        match ran {
            Ok(()) => Ran::One,
            Err(error) => {
                tracing::error!(%error, "cannot write the due event to the data file");
                Ran::Failed
            }
        }
    }

    /// Makes a delivery attempt and records it.
    async fn deliver(&self, id: u64, at: Millis) -> Result<(), Lost> {
        let Some(delivery) = self.look(|world| world.outbox.get(id).cloned()) else { return Ok(()) };
        let faults = self.faults().of_notification(&delivery.source.name(), delivery.postponed);
        let postponed = faults.iter().find_map(|fault| match fault {
            FaultKind::Late { millis } => Some(at.saturating_add(*millis)),
            FaultKind::Reorder => {
                let next = self.look(|world| {
                    let waiting = |one: &&Delivery| one.id != id && one.state == DeliveryState::Pending;
                    world.outbox.deliveries.iter().filter(waiting).filter_map(|one| one.next_at).min()
                });
                Some(next.unwrap_or(at.saturating_add(999)).saturating_add(1))
            }
            _ => None,
        });
        if let Some(until) = postponed {
            return self.happen(|_| Event::Postponed { at, delivery: id, until }).map(drop);
        }
        let mut attempt = self.attempt(&delivery, at, &faults).await;
        if faults.contains(&FaultKind::Duplicate) {
            attempt = self.attempt(&delivery, at, &faults).await;
        }
        self.happen(|_| Event::Attempted { at, delivery: id, attempt }).map(drop)
    }

    async fn attempt(&self, delivery: &Delivery, at: Millis, faults: &[FaultKind]) -> Attempted {
        let Some(url) = delivery.url.clone() else { return Attempted::failed(None, "no callback URL is set") };
        let log = |attempt: &Attempted, sent: Side, answer: String| {
            self.log.add(Entry {
                id: 0,
                kind: "delivery",
                at,
                partner: delivery.partner.clone(),
                what: delivery.source.name(),
                path: None,
                verdict: attempt.verdict(),
                good: attempt.acknowledged,
                faults: faults.to_vec(),
                delivery: Some(delivery.id),
                url: Some(shown_url(&url)),
                status: attempt.status,
                findings: Vec::new(),
                sent,
                answered: Side { wire: answer, ..Side::default() },
            });
        };
        let ready = match self.prepare(delivery, faults) {
            Ok(ready) => ready,
            Err(error) => {
                let attempt = Attempted::failed(None, error.to_string());
                log(&attempt, Side::default(), String::new());
                return attempt;
            }
        };
        let settings = self.look(|world| world.settings.clone());
        let http = self.http_for(&url, &settings.self_signed_hosts);
        let mut request = http
            .post(&url)
            .header(header::CONTENT_TYPE, "application/json; charset=UTF-8")
            .body(ready.side.wire.clone());
        if let Some(sign) = &ready.sign {
            request = request.header("sign", sign);
        }
        let (attempt, answer) = match request.send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                let Body { text, cut } = read(response).await;
                let rule = Acknowledgement::of(&delivery.source, settings.payby_plain_success);
                let reason = cut.map(ToOwned::to_owned).or_else(|| rule.refuses(status, &text));
                (Attempted { status: Some(status), acknowledged: reason.is_none(), reason }, text)
            }
            Err(error) => (Attempted::failed(None, unreachable(&error)), String::new()),
        };
        log(&attempt, ready.side, answer);
        attempt
    }

    fn prepare(&self, delivery: &Delivery, faults: &[FaultKind]) -> Result<Ready, paytend_crypto::Error> {
        let skew = faults.iter().find_map(|fault| match fault {
            FaultKind::ClockSkew { millis } => Some(*millis),
            _ => None,
        });
        let content = skew.map_or_else(|| delivery.content.clone(), |by| skewed(&delivery.content, by));
        match &delivery.source {
            Source::Paytend { notify_type, .. } => {
                let keyring = self.keyring(&delivery.partner, faults)?;
                let fields = Fields::notification(&delivery.partner, notify_type);
                let sealed = keyring.seal(&Outgoing::new(&fields).payload(&content))?;
                let canonical = Some(sealed.canonical(&content).to_string());
                let wire = broken(sealed.into_document(), faults);
                Ok(Ready { side: Side { wire, canonical, payload: Some(content) }, sign: None })
            }
            provider => {
                let mut keys = self.keys();
                let backend = Arc::clone(&keys.backend);
                let key = keys.provider(if *provider == Source::PayBy { "payby" } else { "payermax" })?;
                let mut sign = detached::sign(&*backend.private(key)?, content.as_bytes())?;
                if faults
                    .iter()
                    .any(|fault| matches!(fault, FaultKind::WrongSignature | FaultKind::WrongKey | FaultKind::StaleKey))
                {
                    sign = flipped(&sign);
                }
                let side = Side { wire: content.clone(), canonical: Some(content.clone()), payload: Some(content) };
                Ok(Ready { side, sign: Some(sign) })
            }
        }
    }

    /// Returns the keyring for sealing Paytend's messages to a partner. If a fault requires it, the keyring contains a
    /// wrong or an old key.
    pub(crate) fn keyring(
        &self,
        partner: &str,
        faults: &[FaultKind],
    ) -> Result<paytend_crypto::Keyring, paytend_crypto::Error> {
        let keys = self.keys();
        let absent = || paytend_crypto::Error::Random;
        let stranger =
            faults.contains(&FaultKind::WrongKey) || (faults.contains(&FaultKind::StaleKey) && !keys.rotated());
        if stranger {
            return keys.stranger(partner).ok_or_else(absent);
        }
        let seals = keys.seals(partner).ok_or_else(absent)?;
        Ok(if faults.contains(&FaultKind::StaleKey) { &seals.stale } else { &seals.current }.clone())
    }
}

/// The part of a response body that was read. If the body is incomplete, this also contains the reason.
struct Body {
    text: String,
    cut: Option<&'static str>,
}

/// Reads at most [`MOST`] bytes of a body.
async fn read(mut response: reqwest::Response) -> Body {
    let mut bytes = Vec::new();
    let cut = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let left = MOST - bytes.len();
                bytes.extend_from_slice(&chunk[..chunk.len().min(left)]);
                if chunk.len() > left {
                    break Some("the response is longer than 64 KiB");
                }
            }
            Ok(None) => break None,
            Err(_) => break Some("the connection was closed before the end of the response"),
        }
    };
    Body { text: String::from_utf8_lossy(&bytes).into_owned(), cut }
}

/// Corrupts a document's signature if a fault requires it.
pub(crate) fn broken(document: String, faults: &[FaultKind]) -> String {
    if !faults.contains(&FaultKind::WrongSignature) {
        return document;
    }
    let Some(at) = document.find(r#""signature":""#).map(|at| at + r#""signature":""#.len()) else { return document };
    let (before, after) = document.split_at(at);
    format!("{before}{}", flipped(after))
}

/// Returns a base64 text with its first character changed.
fn flipped(text: &str) -> String {
    let other = if text.starts_with('A') { 'B' } else { 'A' };
    format!("{other}{}", text.get(1..).unwrap_or_default())
}

/// Returns a notification's content with its times shifted by `by` milliseconds.
fn skewed(content: &str, by: i64) -> String {
    let Ok(value) = serde_json::from_str::<Value>(content) else { return content.to_owned() };
    let mut times = serde_json::Map::new();
    if let Some(at) = value["notify_timestamp"].as_i64() {
        times.insert("notify_timestamp".into(), at.saturating_add(by).into());
    }
    let moved = value["notifyTime"]
        .as_str()
        .and_then(|time| time.parse::<jiff::Timestamp>().ok())
        .and_then(|time| jiff::Timestamp::from_millisecond(time.as_millisecond().saturating_add(by)).ok());
    if let Some(time) = moved {
        times.insert("notifyTime".into(), format!("{time:.3}").into());
    }
    // All other fields, in particular amounts, stay exactly as written.
    merged(content, &Value::from(times).to_string()).unwrap_or_else(|_| content.to_owned())
}
