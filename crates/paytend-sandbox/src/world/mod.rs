//! What the sandbox remembers, and what happens to it. No I/O, no keys, no clock: every change is an [`Event`] with its time, and the same
//! events make the same world, which is how it is kept on disk.

#[cfg(test)]
mod conservation;
mod dispatch;
mod entities;
mod flaw;
mod iban;
mod issuing;
pub(crate) mod money;
mod opening;
pub(crate) mod outbox;
mod partner;
mod settings;
mod tasks;
mod trigger;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use dispatch::object;
pub(crate) use entities::{CardState, TopupState};
pub(crate) use money::{Cents, Place};
pub(crate) use outbox::{Attempted, Delivery, DeliveryState, Outbox, Source};
pub(crate) use partner::{FIRST_CARD, Partner};
pub use settings::{Settings, Timing};
pub(crate) use trigger::{Trigger, kinds, merged};

use crate::failure::{Failure, Refusal};

/// Milliseconds since 1970.
pub(crate) type Millis = u64;

/// The longest time that passes at once: ten years. More is a slip.
pub(crate) const LONGEST: Millis = 10 * 366 * 24 * 3_600_000;

/// Something that happens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Event {
    /// The beginning, and what the world is set back to.
    Begin { at: Millis, partners: Vec<String>, settings: Settings },
    /// Another world, as `export` writes it, takes this one's place.
    Imported { at: Millis, world: String },
    /// A partner's request.
    Call { at: Millis, partner: String, path: String, request_id: String, data: String },
    /// What time does: audits, topups, fees.
    Due { at: Millis },
    /// Something that only the sandbox's owner can make happen.
    Triggered { at: Millis, partner: String, trigger: Trigger },
    /// A notification is to be posted later.
    Postponed { at: Millis, delivery: u64, until: Millis },
    /// The owner has chosen otherwise for a world that goes on.
    Configured { at: Millis, settings: Settings },
    /// An attempt to deliver a notification.
    Attempted { at: Millis, delivery: u64, attempt: Attempted },
}

/// All of it.
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

    /// Makes something happen. What is answered: the response's data as JSON text (empty where there is none), or a refusal.
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
            Event::Call { at, partner, path, request_id, data } => {
                self.pass(at);
                self.call(&partner, &path, request_id, &data)
            }
            Event::Due { at } => {
                self.pass(at);
                Ok(String::new())
            }
            Event::Triggered { at, partner, trigger } => {
                self.pass(at);
                self.with(&partner, |partner, context| trigger::happen(partner, context, trigger))
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

    /// When something falls due by itself, deliveries left out.
    pub(crate) fn next_task(&self) -> Option<Millis> {
        self.partners.values().filter_map(Partner::next_task).min()
    }

    /// Whether money was neither made nor lost.
    pub(crate) fn conserves(&self) -> bool {
        self.partners.values().all(|partner| partner.ledger.conserves())
    }

    /// Lets time pass: everything that is due happens, in order.
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

    fn call(&mut self, partner: &str, path: &str, request_id: String, data: &str) -> Result<String, Refusal> {
        let known = self.partners.get_mut(partner).ok_or(Failure::UnknownPartner)?;
        if !known.requests.insert(request_id) {
            return Err(Failure::DuplicateRequest.into());
        }
        let answer = self.with(partner, |partner, context| dispatch::call(partner, context, path, data));
        // With delays of nothing, what an operation starts has also ended when it is answered.
        self.pass(self.now);
        answer
    }

    fn with<T>(
        &mut self,
        id: &str,
        work: impl FnOnce(&mut Partner, &mut Context<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let partner = self.partners.get_mut(id).ok_or(Failure::UnknownPartner)?;
        let mut context = Context { partner: id, now: self.now, settings: &self.settings, outbox: &mut self.outbox };
        work(partner, &mut context)
    }
}

/// What an operation needs besides its partner.
pub(crate) struct Context<'a> {
    pub(crate) partner: &'a str,
    pub(crate) now: Millis,
    pub(crate) settings: &'a Settings,
    pub(crate) outbox: &'a mut Outbox,
}

impl Context<'_> {
    pub(crate) fn timing(&self) -> &Timing {
        &self.settings.timing
    }
}
