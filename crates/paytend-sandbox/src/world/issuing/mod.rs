//! Operations of Issuing Cards.

pub(super) mod cards;
pub(super) mod funds;
pub(super) mod holders;
