//! Scheduled tasks.

use super::context::Context;
use super::entities::{Audit, Task};
use super::issuing::{cards, funds, holders};
use super::opening;
use super::partner::Partner;
use super::time::Millis;

/// Runs all of a partner's tasks that are due.
pub(super) fn run(partner: &mut Partner, context: &mut Context<'_>, at: Millis) {
    for task in partner.due(at) {
        match task {
            Task::AuditHolder(id) => {
                if partner.holders.get(&id).is_some_and(|holder| holder.audit == Audit::Pending) {
                    holders::audited(partner, context, &id, Audit::Passed);
                }
            }
            Task::Ship(order) => cards::ship(partner, context, &order),
            Task::BookTopup(order) => funds::book(partner, &order),
            Task::AuditUser(id) => {
                if partner.users.get(&id).is_some_and(|user| user.audit == Some(Audit::Pending)) {
                    opening::audited(partner, context, &id, Audit::Passed);
                }
            }
            Task::Replace(old, new) => cards::move_balance(partner, &old, &new),
            Task::MonthlyFee(card) => cards::monthly_fee(partner, context, &card, at),
        }
    }
}
