//! Sends orders and determines their outcomes.
//!
//! A dispatcher claims orders, sends or queries each order, runs a handler with the outcome, and completes the order.
//! Any number of dispatchers can use one store, in one or several processes.
//!
//! | event | the order |
//! |---|---|
//! | the response arrives | is stored with its response; its handler's effect and the completion are one transaction |
//! | nothing was sent | is sent again after a backoff, up to the retry limit |
//! | the store fails before a send | is sent again after a backoff, up to the retry limit |
//! | no authentic response arrives | is queried until it is found or has been reported as unknown for the settle time |
//! | the query reports it as unknown | is sent again with the same bytes if the client's [`Resolution`] allows it |
//! | it is rejected, and the query reports it as unknown | is passed to its handler with the rejection |
//! | neither a response nor a query shows the outcome, or there is no query | becomes stuck until an operator decides |
//! | the process dies during a send | is claimed after its lease has expired, and queried before anything is sent |
//! | the process dies before or after a send | is claimed again after its lease has expired |
//! | the process dies after storing the response | is passed to its handler after its lease has expired |
//! | the payload key of its request is missing | waits until a dispatcher has the key |
//! | the handler fails | is attempted again after a backoff: its handler runs with the stored response |
//!
//! A handler runs at least once. An effect in the store's transaction is committed once. A notification can report the
//! order while a handler is running with a rejection, or with the decision that the order was not executed. In this
//! case, the run is not committed, and the handler runs again with the new outcome.
//!
//! While the store is unavailable, the result of an attempt is kept in memory, and storing it is retried for up to 15
//! minutes, even after the lease has expired.

#[cfg(doc)]
use paytend_client::Resolution;

mod builder;
mod confirmations;
mod ended;
mod exchange;
mod handling;
mod job;
mod limits;
mod run;
mod storing;

pub use builder::{Dispatcher, DispatcherBuilder};
pub use ended::{EndedOrder, Ending, NotQueried};
pub use run::Stopped;
