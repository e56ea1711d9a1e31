#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod detached;
mod paytend;
mod provider;
mod receiver;
mod verified;

pub use detached::{PayByReceiver, PayerMaxReceiver, Read};
pub use paytend::PaytendReceiver;
pub use provider::Provider;
pub use receiver::{Reason, Receiver, Rejection};
pub use verified::{BusinessKey, DedupKey, Verified};
