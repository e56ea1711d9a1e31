//! The subcommands of `paytend`, one per file.

pub(crate) mod control;
pub(crate) mod demo;
pub(crate) mod endpoints;
pub(crate) mod explain;
pub(crate) mod inbox;
pub(crate) mod keys;
pub(crate) mod open;
pub(crate) mod outbox;
pub(crate) mod reconcile;
pub(crate) mod sandbox;
pub(crate) mod scenario;
pub(crate) mod seal;
pub(crate) mod verify;
