//! Checks for stored and imported states. An inconsistent state is rejected, because it could cause an endless loop or
//! a counter overflow.

use super::World;
use super::issuing::cards::MOST;
use super::outbox::{DeliveryState, Outbox};
use super::partner::Partner;
use super::settings::Settings;
use super::time::{LONGEST, Millis};

/// The latest time allowed in a stored state, so that adding a duration cannot overflow.
const LATEST: Millis = 221_845_305_600_000;
/// The largest amount allowed in the settings, in hundredths of the currency's unit. The limit prevents an overflow
/// when amounts are added.
const LARGEST: i64 = 1_000_000_000_000_000;
/// The largest counter value allowed in a state.
const HIGHEST: u64 = 1 << 53;

impl World {
    /// Returns the problem with a stored or imported state, or `None` if the state is valid.
    pub(crate) fn flaw(&self) -> Option<&'static str> {
        if !self.conserves() {
            return Some("money was created or lost");
        }
        let due = self.outbox.deliveries.iter().filter_map(|delivery| delivery.next_at);
        let due = due.chain(self.partners.values().filter_map(Partner::last_task));
        if self.now > LATEST || due.into_iter().any(|at| at > LATEST) {
            return Some("a time is after the year 9000");
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
            return Some("the IDs of the deliveries are not 1, 2, 3 and so on");
        }
        self.deliveries.iter().find_map(|delivery| {
            match (delivery.state == DeliveryState::Pending, delivery.next_at.is_some(), delivery.url.is_some()) {
                (true, true, true) | (false, false, _) => None,
                (true, _, _) => Some("a pending delivery has no URL or no scheduled attempt"),
                (false, true, _) => Some("a completed delivery still has a scheduled attempt"),
            }
        })
    }
}

impl Settings {
    fn flaw(&self) -> Option<&'static str> {
        let timing = &self.timing;
        let times = [timing.topup, timing.holder_audit, timing.shipment, timing.account_audit, timing.replacement];
        if times.into_iter().any(|time| time > LONGEST) {
            return Some("a duration in the settings is longer than ten years");
        }
        let sums = [self.funds, self.monthly_fee, self.transfer_order_from];
        sums.into_iter()
            .any(|sum| !(0..=LARGEST).contains(&sum))
            .then_some("an amount in the settings is negative or too large")
    }
}

impl Partner {
    fn flaw(&self, now: Millis) -> Option<&'static str> {
        if self.next_task().is_some_and(|at| at.saturating_add(LONGEST) < now) {
            return Some("a task has been due for more than ten years");
        }
        if !self.one_fee_a_card() {
            return Some("a card has more than one monthly fee task");
        }
        if self.highest_number() > HIGHEST {
            return Some("a counter is too large");
        }
        let counted = |quantity: u64| (1..=MOST).contains(&quantity);
        let countable = self.applications.values().all(|application| counted(application.quantity));
        (!countable).then_some("a card application has no cards or too many cards")
    }
}
