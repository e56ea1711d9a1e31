//! The atomic state that determines whether a request body was handed to the connection or withdrawn.
//!
//! Two threads can change this state: the connection's task takes the last piece of the body, or the caller gives up.
//! The first change wins, and the other thread sees it. "Not sent" and "the server has the whole request" can therefore
//! never both be true, under any interleaving. The model checker in `tests/handover_model.rs` checks this code.

use super::sync::{Arc, AtomicU8, Ordering};

/// Undecided: the last piece has not been released.
const OPEN: u8 = 0;
/// The last piece has been released to the connection.
const HANDED_OVER: u8 = 1;
/// The caller gave up first, so the last piece is never released.
const WITHDRAWN: u8 = 2;

/// The state of one request body, shared by the body and the caller.
#[derive(Clone, Debug)]
pub(crate) struct Handover(Arc<AtomicU8>);

impl Default for Handover {
    fn default() -> Self {
        Self(Arc::new(AtomicU8::new(OPEN)))
    }
}

impl Handover {
    /// Tries to release the last piece of the body. Returns `false` if the body has been withdrawn.
    pub(crate) fn hand_over(&self) -> bool {
        self.decide(HANDED_OVER)
    }

    /// Tries to withdraw the body. Returns `true` if the body is now withdrawn; its last piece is then never released.
    pub(crate) fn withdraw(&self) -> bool {
        self.decide(WITHDRAWN)
    }

    /// Sets the state to `wanted` if it has not been decided yet. Returns whether the state is now `wanted`.
    fn decide(&self, wanted: u8) -> bool {
        match self.0.compare_exchange(OPEN, wanted, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(decided) => decided == wanted,
        }
    }
}
