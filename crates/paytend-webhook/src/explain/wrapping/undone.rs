//! The result of a step that undoes a change.

use crate::explain::change::Change;

/// The text as it was before a change, and the change that was undone.
pub(super) struct Undone {
    pub(super) bytes: Vec<u8>,
    pub(super) change: Change,
}

/// Maximum size of unwrapped text, in bytes.
pub(super) const MAX_TEXT: usize = 4 << 20;
