//! The running state: the clock, the data file, the log and the deliveries.

pub(crate) mod acknowledgement;
pub(crate) mod clock;
pub(crate) mod core;
pub(crate) mod delivery;
#[cfg(feature = "explain")]
mod explain;
#[cfg(feature = "explain")]
mod explain_queue;
pub(crate) mod log;
#[cfg(feature = "persist")]
pub(crate) mod store;
