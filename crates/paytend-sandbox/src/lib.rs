#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod control;
mod failure;
mod faults;
mod handle;
mod keys;
mod payload;
mod profile_file;
mod runtime;
mod sandbox;
#[cfg(feature = "scenario")]
#[cfg_attr(docsrs, doc(cfg(feature = "scenario")))]
pub mod scenario;
mod server;
mod start_error;
mod views;
mod world;

pub use failure::Failure;
pub use faults::{Fault, FaultError, FaultKind};
pub use handle::{DeliverError, Deposit};
pub use keys::folder::{FolderError, FolderOptions, KeyFolder};
pub use paytend_model::lifecycle::{CardState, TopupState};
pub use profile_file::ProfileFile;
pub use runtime::clock::Pace;
#[cfg(feature = "persist")]
pub use runtime::store::StoreError;
pub use sandbox::{Sandbox, SandboxBuilder};
pub use start_error::StartError;
pub use views::{CardView, Delivery};
pub use world::settings::{Settings, Timing};
