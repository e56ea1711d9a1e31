//! Decisions without I/O: what is retried, when an order counts as unknown, and what its status means.

pub(crate) mod order_states;
pub(crate) mod resolution;
pub(crate) mod retry;
