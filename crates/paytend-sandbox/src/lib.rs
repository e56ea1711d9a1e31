#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod acknowledgement;
mod clock;
mod control;
mod core;
mod deliver;
#[cfg(feature = "explain")]
mod explain;
mod failure;
mod faults;
mod folder;
mod handle;
mod log;
mod payload;
mod profile_file;
mod sandbox;
#[cfg(feature = "scenario")]
#[cfg_attr(docsrs, doc(cfg(feature = "scenario")))]
pub mod scenario;
mod server;
mod start_error;
#[cfg(feature = "persist")]
mod store;
mod world;

pub use clock::Pace;
pub use failure::Failure;
pub use faults::{Fault, FaultError, FaultKind};
pub use folder::{FolderError, FolderOptions, KeyFolder};
pub use handle::{CardView, DeliverError, Delivery, Deposit};
pub use paytend_model::lifecycle::{CardState, TopupState};
pub use profile_file::ProfileFile;
pub use sandbox::{Sandbox, SandboxBuilder};
pub use start_error::StartError;
#[cfg(feature = "persist")]
pub use store::StoreError;
pub use world::{Settings, Timing};
