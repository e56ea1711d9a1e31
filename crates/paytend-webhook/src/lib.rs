#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod receiver;
mod response;

pub use receiver::{Receiver, Rejection, Verified};
pub use response::{acknowledge, try_again_later};
