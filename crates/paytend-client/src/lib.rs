#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod client;
mod config;
mod error;

pub use answer::{Answer, RawAnswer};
pub use client::{Client, Prepared};
pub use config::{Builder, Environment};
pub use error::{Error, ErrorKind, Outcome};
