//! The sandbox's state and the events that change it.
//!
//! This module performs no I/O and uses neither keys nor a clock. Every change is an [`Event`] with its time. The data
//! file stores the events, because the same events always produce the same state.

#[cfg(test)]
mod conservation;
mod context;
pub(crate) mod dispatch;
pub(crate) mod entities;
mod flaw;
mod iban;
mod issuing;
pub(crate) mod money;
mod opening;
pub(crate) mod outbox;
pub(crate) mod partner;
pub(crate) mod settings;
mod tasks;
pub(crate) mod time;
pub(crate) mod trigger;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use context::Context;
use outbox::{Attempted, Outbox};
use partner::Partner;
use settings::Settings;
use time::Millis;
use trigger::Trigger;

use crate::failure::{Failure, Refusal};

/// An event that changes the world.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Event {
    /// The start or a reset of the sandbox.
    Begin { at: Millis, partners: Vec<String>, settings: Settings },
    /// An import, which replaces the state with an exported state.
    Imported { at: Millis, world: String },
    /// A partner's request. `duplicates` is set if a fault accepts a `requestId` or an `orderNo` that was used before.
    Call {
        at: Millis,
        partner: String,
        path: String,
        request_id: String,
        data: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        duplicates: bool,
    },
    /// The passing of time, which runs due audits, topups and fees.
    Due { at: Millis },
    /// A trigger from the control interface or from a test.
    Triggered { at: Millis, partner: String, trigger: Trigger },
    /// The postponement of a notification by a fault.
    Postponed { at: Millis, delivery: u64, until: Millis },
    /// A request to post a notification again, optionally to another URL.
    Resent { at: Millis, delivery: u64, url: Option<String> },
    /// New settings for a stored state.
    Configured { at: Millis, settings: Settings },
    /// An attempt to deliver a notification.
    Attempted { at: Millis, delivery: u64, attempt: Attempted },
}

/// The whole state of a sandbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct World {
    pub(crate) now: Millis,
    pub(crate) settings: Settings,
    pub(crate) partners: BTreeMap<String, Partner>,
    pub(crate) outbox: Outbox,
}

impl World {
    pub(crate) fn new(at: Millis, partners: &[String], settings: Settings) -> Self {
        let make = |id: &String| (id.clone(), Partner::new(&settings, at));
        Self { now: at, partners: partners.iter().map(make).collect(), settings, outbox: Outbox::default() }
    }

    /// Applies an event. Returns the response's data as JSON text, or a refusal. The text is empty if the response has
    /// no data.
    pub(crate) fn apply(&mut self, event: Event) -> Result<String, Refusal> {
        match event {
            Event::Begin { at, partners, settings } => {
                *self = Self::new(at, &partners, settings);
                Ok(String::new())
            }
            Event::Imported { at, world } => {
                let world: Self = serde_json::from_str(&world).map_err(|_| Failure::BadData)?;
                if world.flaw().is_some() {
                    return Err(Failure::BadData.into());
                }
                *self = world;
                self.pass(at);
                Ok(String::new())
            }
            Event::Call { at, partner, path, request_id, data, duplicates } => {
                self.pass(at);
                self.call(&partner, &path, request_id, &data, duplicates)
            }
            Event::Due { at } => {
                self.pass(at);
                Ok(String::new())
            }
            Event::Triggered { at, partner, trigger } => {
                self.pass(at);
                self.with(&partner, |partner, context| trigger::happen(partner, context, trigger))
            }
            Event::Resent { at, delivery, url } => {
                self.pass(at);
                self.resend(delivery, url.as_deref())
            }
            Event::Configured { at, settings } => {
                self.pass(at);
                self.settings = settings;
                Ok(String::new())
            }
            Event::Postponed { at, delivery, until } => {
                self.now = self.now.max(at);
                self.outbox.postpone(delivery, until);
                Ok(String::new())
            }
            Event::Attempted { at, delivery, attempt } => {
                self.now = self.now.max(at);
                self.outbox.attempted(delivery, at, attempt);
                Ok(String::new())
            }
        }
    }

    /// Returns the time of the next scheduled task. Deliveries are not included.
    pub(crate) fn next_task(&self) -> Option<Millis> {
        self.partners.values().filter_map(Partner::next_task).min()
    }

    /// Returns whether no money has been created or lost.
    pub(crate) fn conserves(&self) -> bool {
        self.partners.values().all(|partner| partner.ledger.conserves())
    }

    /// Advances time and runs all tasks that fall due, in order.
    fn pass(&mut self, until: Millis) {
        while let Some(at) = self.next_task().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let ids: Vec<String> = self.partners.keys().cloned().collect();
            for id in ids {
                let _: Result<(), Refusal> = self.with(&id, |partner, context| {
                    tasks::run(partner, context, at);
                    Ok(())
                });
            }
        }
        self.now = self.now.max(until);
    }

    /// Schedules a notification to be posted again, to `url` if it is set, otherwise to its previous URL or the
    /// callback URL.
    fn resend(&mut self, id: u64, url: Option<&str>) -> Result<String, Refusal> {
        let absent = || Refusal::because(Failure::WrongState, "there is no such notification");
        let delivery = self.outbox.get(id).ok_or_else(absent)?;
        let callback = || self.partners.get(&delivery.partner)?.callback(delivery.source.sender()).cloned();
        let url = url.map(iban::checked_url).transpose()?.or_else(|| delivery.url.clone()).or_else(callback);
        let url = url.ok_or_else(|| Refusal::because(Failure::WrongState, "no callback URL is set"))?;
        self.outbox.resend(id, self.now, url);
        Ok(String::new())
    }

    fn call(
        &mut self,
        partner: &str,
        path: &str,
        request_id: String,
        data: &str,
        duplicates: bool,
    ) -> Result<String, Refusal> {
        let known = self.partners.get_mut(partner).ok_or(Failure::UnknownPartner)?;
        if !known.requests.insert(request_id) && !duplicates {
            return Err(Failure::DuplicateRequest.into());
        }
        let answer = self.with(partner, |partner, context| {
            context.accepts_duplicates = duplicates;
            dispatch::call(partner, context, path, data)
        });
        // With zero delays, everything that an operation starts has finished before the response is sent.
        self.pass(self.now);
        answer
    }

    fn with<T>(
        &mut self,
        id: &str,
        work: impl FnOnce(&mut Partner, &mut Context<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let partner = self.partners.get_mut(id).ok_or(Failure::UnknownPartner)?;
        let mut context = Context {
            partner: id,
            now: self.now,
            settings: &self.settings,
            outbox: &mut self.outbox,
            accepts_duplicates: false,
        };
        work(partner, &mut context)
    }
}
