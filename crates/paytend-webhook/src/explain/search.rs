//! The search for the signed text. The signature contains the digest of this text. Each candidate text is hashed; a
//! candidate with that digest must be the signed text.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::change::Change;

/// Maximum number of bytes hashed and written for a message. This bounds the time to about a second in a release build.
const BUDGET: usize = 192 << 20;

/// Additional cost of each candidate, in bytes. It covers the hash's last block and the copy of the hash's state.
const EACH: usize = 128;

/// The target of a search: the text before and after the variable part, and the digest of the whole text.
pub(super) struct Target {
    before: Sha256,
    after: Zeroizing<Vec<u8>>,
    digest: [u8; 32],
}

impl Target {
    pub(super) fn new(before: &[u8], after: &[u8], digest: [u8; 32]) -> Self {
        Self { before: Sha256::new_with_prefix(before), after: Zeroizing::new(after.to_vec()), digest }
    }
}

/// A search and its remaining budget.
pub(super) struct Search {
    target: Target,
    pub(super) left: usize,
    /// The part of the budget, in bytes, that the current part of the search must leave for later parts.
    pub(super) reserve: usize,
    pub(super) cut: bool,
}

impl Search {
    pub(super) fn new(target: Target) -> Self {
        Self { target, left: BUDGET, reserve: 0, cut: false }
    }

    /// Returns whether the current part of the search has used up its budget.
    pub(super) fn is_spent(&self) -> bool {
        self.left <= self.reserve
    }

    /// Returns whether candidates were skipped because the budget was used up.
    pub(super) fn was_cut(&self) -> bool {
        self.cut
    }

    /// Runs a part of the search with a fraction of the remaining budget. `share` is the divisor: 1 for all of the
    /// budget, 2 for half of it.
    pub(super) fn with_share<T>(&mut self, share: usize, part: impl FnOnce(&mut Self) -> T) -> T {
        let reserve = self.reserve;
        self.reserve = self.left.saturating_sub(self.left.saturating_sub(reserve) / share);
        let result = part(self);
        self.cut |= self.is_spent();
        self.reserve = reserve;
        result
    }

    pub(super) fn charge(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }

    /// Returns the hash of the text before the variable part.
    pub(super) fn start(&self) -> Sha256 {
        self.target.before.clone()
    }

    /// Returns whether a candidate text is the signed text. `hash` must already include the text up to the end of the
    /// variable part.
    pub(super) fn finish(&mut self, mut hash: Sha256) -> bool {
        self.charge(self.target.after.len() + EACH);
        hash.update(&*self.target.after);
        hash.finalize()[..] == self.target.digest
    }

    /// Returns whether `part` is the variable part of the signed text.
    pub(super) fn is_signed(&mut self, part: &[u8]) -> bool {
        self.charge(part.len());
        let mut hash = self.start();
        hash.update(part);
        self.finish(hash)
    }
}

/// The signed text that was found, and the changes that were undone to obtain it.
pub(super) struct Found {
    pub(super) text: Zeroizing<Vec<u8>>,
    pub(super) changes: Vec<Change>,
}

impl Found {
    pub(super) fn new(text: Vec<u8>, changes: Vec<Change>) -> Self {
        Self { text: Zeroizing::new(text), changes }
    }
}
