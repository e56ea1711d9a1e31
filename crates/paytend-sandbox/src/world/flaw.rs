//! What keeps a world that was written elsewhere from being run: it would never come to rest, or its numbers could not
//! be counted on.

use super::issuing::cards::MOST;
use super::partner::Partner;
use super::{DeliveryState, LONGEST, Millis, Outbox, Settings, World};

/// The latest time of a world that is taken over: what follows it can still be counted.
const LATEST: Millis = 221_845_305_600_000;
/// The largest sum in the settings, in hundredths: sums of many of them can still be counted.
const LARGEST: i64 = 1_000_000_000_000_000;
/// The largest counter.
const HIGHEST: u64 = 1 << 53;

impl World {
    /// Returns what is wrong with a world that was written elsewhere.
    pub(crate) fn flaw(&self) -> Option<&'static str> {
        if !self.conserves() {
            return Some("money was made or lost in it");
        }
        let due = self.outbox.deliveries.iter().filter_map(|delivery| delivery.next_at);
        let due = due.chain(self.partners.values().filter_map(Partner::last_task));
        if self.now > LATEST || due.into_iter().any(|at| at > LATEST) {
            return Some("it is beyond the year 9000");
        }
        self.outbox
            .flaw()
            .or_else(|| self.settings.flaw())
            .or_else(|| self.partners.values().find_map(|partner| partner.flaw(self.now)))
    }
}

impl Outbox {
    fn flaw(&self) -> Option<&'static str> {
        if !self.deliveries.iter().zip(1..).all(|(delivery, id)| delivery.id == id) {
            return Some("its deliveries are not numbered from 1");
        }
        self.deliveries.iter().find_map(|delivery| {
            match (delivery.state == DeliveryState::Pending, delivery.next_at.is_some(), delivery.url.is_some()) {
                (true, true, true) | (false, false, _) => None,
                (true, _, _) => Some("a pending delivery in it has no URL or no next attempt"),
                (false, true, _) => Some("a delivery in it that has ended has a next attempt"),
            }
        })
    }
}

impl Settings {
    fn flaw(&self) -> Option<&'static str> {
        let timing = &self.timing;
        let times = [timing.topup, timing.holder_audit, timing.shipment, timing.account_audit, timing.replacement];
        if times.into_iter().any(|time| time > LONGEST) {
            return Some("a time in its settings is longer than ten years");
        }
        let sums = [self.funds, self.monthly_fee, self.transfer_order_from];
        sums.into_iter()
            .any(|sum| !(0..=LARGEST).contains(&sum))
            .then_some("a sum in its settings is negative or too large")
    }
}

impl Partner {
    fn flaw(&self, now: Millis) -> Option<&'static str> {
        if self.next_task().is_some_and(|at| at.saturating_add(LONGEST) < now) {
            return Some("something in it has been due for more than ten years");
        }
        if !self.one_fee_a_card() {
            return Some("a card in it pays more than one monthly fee");
        }
        if self.highest_number() > HIGHEST {
            return Some("a counter in it is too large");
        }
        let counted = |quantity: u64| (1..=MOST).contains(&quantity);
        let countable = self.applications.values().all(|application| counted(application.quantity));
        (!countable).then_some("an application in it is for no card or for too many")
    }
}
