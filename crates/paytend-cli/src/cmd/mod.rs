//! The subcommands of `paytend`, one per file.

pub(crate) mod call;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod control;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod endpoints;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod help;
pub(crate) mod inbox;
pub(crate) mod inspect;
pub(crate) mod keys;
pub(crate) mod listen;
pub(crate) mod man;
pub(crate) mod open;
pub(crate) mod outbox;
pub(crate) mod pages;
pub(crate) mod reconcile;
pub(crate) mod sandbox;
pub(crate) mod sandbox_control;
pub(crate) mod scenario;
pub(crate) mod seal;
pub(crate) mod trigger;
pub(crate) mod verify;
