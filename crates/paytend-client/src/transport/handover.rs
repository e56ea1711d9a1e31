//! Whether a request's body was handed to the connection: one atomic state that two threads compete for.
//!
//! The connection's task takes the body's last piece; the caller gives up. Whoever changes the state first wins, and the other
//! one learns that. So "not sent" and "the server has the whole request" exclude each other, whatever the threads do. The
//! model checker in `tests/handover_model.rs` runs this file under every interleaving.

use super::sync::{Arc, AtomicU8, Ordering};

/// Not decided: the last piece is still here.
const OPEN: u8 = 0;
/// The last piece was released to the connection.
const HANDED_OVER: u8 = 1;
/// The caller gave up first: the last piece is never released.
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
    /// Claims the right to release the body's last piece. Returns whether it may be released.
    pub(crate) fn hand_over(&self) -> bool {
        self.decide(HANDED_OVER)
    }

    /// Withdraws the body. Returns whether that succeeded: if so, the body's last piece was not and will not be released.
    pub(crate) fn withdraw(&self) -> bool {
        self.decide(WITHDRAWN)
    }

    /// Sets an open state to `wanted`. Returns whether the state is `wanted` now.
    fn decide(&self, wanted: u8) -> bool {
        match self.0.compare_exchange(OPEN, wanted, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(decided) => decided == wanted,
        }
    }
}
