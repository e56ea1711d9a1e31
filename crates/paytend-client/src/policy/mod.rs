//! Decisions without I/O: when to retry, when an order counts as unknown, and what an order's status means.

pub(crate) mod history;
pub(crate) mod next_step;
pub(crate) mod order_states;
pub(crate) mod resolution;
pub(crate) mod retry;
