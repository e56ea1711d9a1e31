#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! # Adding an operation
//!
//! One struct in the file of its area, declared with the crate's `payload!` macro, an `impl Operation` below it, and its
//! name in [`operations`]'s list (a test fails without). The client sends it, the sandbox finds its path, the command line
//! lists it from that one definition.

#[macro_use]
mod payload;

mod amount;
mod base64_text;
mod notification;
mod operation;

pub mod funding;
pub mod iban;
pub mod issuing;

pub use amount::{Amount, AmountError};
pub use base64_text::Base64Text;
pub use notification::{BaasNotification, IssuingNotification, Notification, RawNotification};
pub use operation::{
    NoData, Operation, OperationInfo, OperationKind, PayloadRule, Product, Provenance, Source, operations,
};
pub use payload::Extra;
