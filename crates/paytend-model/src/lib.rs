#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(missing_debug_implementations, reason = "bon's builder states do not implement Debug; the payloads do")]
//!
//! # Adding an operation
//!
//! 1. Declare a struct with the `payload!` macro in the file for its area, such as `issuing/card.rs`.
//! 2. Add an `impl Operation` below the struct.
//! 3. Add the struct's name to the list in [`operations`]. A test fails if the name is missing.
//!
//! The client, the sandbox, the `paytend` command and the OpenAPI document all use this declaration.

#[macro_use]
mod payload;

mod content;
mod notification;
mod operation;
mod problem;
mod provenance;
mod registry;
mod review;
#[cfg(feature = "schema")]
mod schema;
mod validate;
mod value;

pub mod documents;
pub mod envelope;
pub mod funding;
pub mod iban;
pub mod issuing;
pub mod lifecycle;
#[cfg(feature = "schema")]
pub mod openapi;
pub mod payby;
pub mod payermax;

pub use content::{Content, RawNotification};
pub use notification::{BaasNotification, IssuingNotification, Notification, NotificationInfo};
pub use operation::{NoData, Operation, OperationInfo, OperationKind, PayloadRule, Product};
pub use payload::{Description, Extra, Payload};
pub use problem::Problem;
pub use provenance::{Provenance, Source};
pub use registry::{OperationEntry, OperationError, operation, operations};
pub use review::Finding;
pub use rust_decimal::Decimal;
pub use validate::{Field, Report, Rule, Severity, Validate, ValidationError, Violation};
pub use value::{
    Amount, AmountError, Base64Text, CardId, Code, Count, CountryCode, Currency, Date, FileContent, Gender, HashedText,
    HolderId, IdType, Json, MAX_FILE_BYTES, OrderNo, PartnerId, Personal, TransactionId, UserId,
};
