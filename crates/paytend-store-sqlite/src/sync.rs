//! The synchronization primitives that the `counts` module uses. `tests/batcher_model.rs` replaces them.

pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};
