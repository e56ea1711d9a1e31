//! Sends orders and determines their outcomes.
//!
//! A dispatcher claims orders, sends or queries each order, runs a handler with the outcome, and completes the order.
//! Any number of dispatchers can use one store, in one or several processes.
//!
//! | what happens | the order |
//! |---|---|
//! | the response arrives | its handler runs; the effect and the completion are committed in one transaction |
//! | nothing was sent | is sent again after a backoff, up to the retry limit |
//! | no authentic response arrives | is queried until it is found or was reported unknown for the settle time |
//! | the query reports it unknown | is sent again with the same bytes, if the client's [`Resolution`] allows it |
//! | it is rejected, and the query reports it unknown | its handler runs with the rejection |
//! | neither response nor query shows the outcome, or there is no query | is stuck: an operator decides |
//! | the process dies during a send | its lease ends, and it is queried before anything else |
//! | the process dies before or after a send | its lease ends, and it is claimed again |
//! | the handler fails | its outcome is stored, and the handler runs again after a backoff |
//!
//! A handler runs at least once. Its effect in the store's transaction is committed once.

#[cfg(doc)]
use paytend_client::Resolution;

mod builder;
mod ended;
mod exchange;
mod handling;
mod job;
mod limits;
mod run;

pub use builder::{Dispatcher, DispatcherBuilder};
pub use ended::{EndedOrder, Ending, NotQueried};
pub use run::Stopped;
