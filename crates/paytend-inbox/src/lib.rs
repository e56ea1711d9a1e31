#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod audit;
mod error;
mod forward;
mod inbox;
mod keyfile;
mod keys;
mod kind;
mod memory;
mod record;
mod retry;
mod route;
pub mod schema;
#[cfg(feature = "service")]
#[cfg_attr(docsrs, doc(cfg(feature = "service")))]
pub mod service;
mod store;
mod terms;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod trace;
pub mod worker;

pub use audit::{AuditEntry, AuditEvent, AuditQuery};
pub use error::{FailureAction, FinishError, HandlerError, StoreError, StoreErrorKind};
pub use forward::ForwardSecret;
pub use inbox::{Inbox, Storable};
pub use keys::{SealedPayload, StoreKeys};
pub use kind::{AnyNotification, Kind, NotificationType, ParseKindError, types};
pub use memory::{MemoryEffect, MemoryLimits, MemoryStore, MemoryTransaction, in_memory_transaction};
pub use record::{
    Accepted, ClaimRequest, Claimed, Entry, Erasure, Facts, NewNotification, Query, Release, SightingPolicy, Stats,
    StoreClock, StoredPayload, UnsealedPayload,
};
pub use retry::RetryPolicy;
pub use route::{ParseRouteError, Route};
pub use store::{Store, StoreAdmin};
pub use terms::{Id, Lease, Mac, ParseStateError, State};
pub use worker::{Completion, Delivery, Stopped, Worker, WorkerBuilder, WorkerHealth};
