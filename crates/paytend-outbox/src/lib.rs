#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod audit_log;
pub mod dispatcher;
mod error;
mod memory;
mod new_order;
mod notice;
mod obstacle;
mod outbox;
mod progress;
mod record;
mod store;
mod stored_result;
mod terms;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod unreadable;
mod upload;

pub use audit_log::{OrderAuditQuery, RecordedAction};
pub use dispatcher::{Dispatcher, DispatcherBuilder, EndedOrder, Ending, NotQueried};
pub use error::{ActionError, BeginSendError, SubmitError, unknown_state};
pub use memory::{MemoryOutbox, MemoryOutboxEffect, OutboxTransaction};
pub use notice::OrderNotice;
pub use outbox::{Outbox, SubmitOptions, open_request, open_result};
pub use progress::{IllegalTransition, Progress};
pub use record::{
    Action, Audit, AuditEntry, ClaimOrders, ClaimedOrder, Ended, NewOrder, OrderEntry, OrderFacts, OrderPage,
    OrderQuery, OrderRelease, OrderStats, Pause, Recovered, Submitted,
};
pub use store::{OutboxAdmin, OutboxStore};
pub use terms::{Decision, ParseDecisionError, ParseStateError, State, millis, system_time};
pub use unreadable::{SkippedOrders, UnreadableOrder, unreadable_problem};
