//! Processes notifications with handlers.
//!
//! A worker claims notifications, runs a handler for each notification, and completes it. Any number of workers can use
//! one store, in one or several processes.
//!
//! | the handler | result |
//! |---|---|
//! | returns `Ok` | the effect and the completion are committed in one transaction |
//! | returns an error, or its effect fails | a new attempt begins after a backoff, up to the retry limit |
//! | returns a [`dead_letter`] error, or reaches the limit | the notification becomes a dead letter |
//! | panics, or exceeds the time limit | the same as after an error |
//! | is running when its lease is lost | the handler is cancelled, and its effect cannot be committed |
//! | is running when the worker's stop deadline passes | the handler is cancelled, and the attempt does not count |
//! | is running when the process dies | a new attempt begins when the lease has expired; this attempt counts |
//!
//! A handler runs at least once. An effect in the store's transaction is committed once. All other effects of a handler
//! can happen more than once.
//!
//! [`dead_letter`]: crate::HandlerError::dead_letter

mod builder;
mod delivery;
mod handlers;
mod health;
mod job;
mod run;

pub use builder::{Worker, WorkerBuilder};
pub use delivery::{Completion, Delivery};
pub use health::WorkerHealth;
pub use run::Stopped;
