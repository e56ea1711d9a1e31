//! The search for the signed text. Its digest is known, so a candidate with that digest is proven to be the signed
//! text.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::change::Change;
use super::rewrite::Rewriter;
use super::wrapping::{self, Layer};

/// Maximum number of bytes hashed and written for a message. This bounds the time to about a second in a release build.
const BUDGET: usize = 192 << 20;

/// Additional cost of a candidate in bytes, for the last block of the hash and the copy of its state.
const EACH: usize = 128;

/// The search ends when the remaining budget is below this number of bytes.
const LEAST: usize = 1 << 20;

/// Maximum total cost of the changes that are combined.
const MAX_LEVEL: usize = 8;

/// The target of a search: the texts before and after the variable part, and the digest of the whole.
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
    left: usize,
    /// The budget that the current part of the search must leave.
    reserve: usize,
    cut: bool,
}

impl Search {
    pub(super) fn new(target: Target) -> Self {
        Self { target, left: BUDGET, reserve: 0, cut: false }
    }

    /// Returns whether the current part of the search has used up its budget.
    pub(super) fn is_spent(&self) -> bool {
        self.left <= self.reserve
    }

    /// Returns whether some candidates were skipped.
    pub(super) fn was_cut(&self) -> bool {
        self.cut
    }

    /// Runs a part of the search with its share of the current budget: all of it for 1, half of it for 2.
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

    /// Returns whether a candidate is the signed text. The hash contains its variable part.
    pub(super) fn finish(&mut self, mut hash: Sha256) -> bool {
        self.charge(self.target.after.len() + EACH);
        hash.update(&*self.target.after);
        hash.finalize()[..] == self.target.digest
    }

    /// Returns whether this is the variable part of the signed text.
    pub(super) fn is_signed(&mut self, part: &[u8]) -> bool {
        self.charge(part.len());
        let mut hash = self.start();
        hash.update(part);
        self.finish(hash)
    }

    /// Searches for the signed text from which `received` was made, in the order of increasing cost.
    pub(super) fn run(&mut self, received: &[u8]) -> Option<Found> {
        let layers = match wrapping::undo(received, self) {
            Ok(found) => return Some(found),
            Err(layers) => layers,
        };
        let mut rewriters = Rewriter::of_layers(&layers);
        // Replaced characters cannot be guessed, so only the likely forms are tried.
        if String::from_utf8_lossy(received).contains('\u{fffd}') {
            self.left /= 8;
        }
        if self.left == 0 {
            self.cut = true;
            return None;
        }
        for level in 1..=MAX_LEVEL {
            for rewriter in &mut rewriters {
                // A single text must not use up the whole budget.
                self.reserve = self.left / 2;
                let found = rewriter.level(level, self);
                self.cut |= self.is_spent();
                if found.is_some() || self.left < LEAST {
                    return found;
                }
            }
        }
        None
    }
}

/// The text that was found, and the changes that were undone.
pub(super) struct Found {
    pub(super) text: Zeroizing<Vec<u8>>,
    pub(super) changes: Vec<Change>,
}

impl Found {
    pub(super) fn new(text: Vec<u8>, changes: Vec<Change>) -> Self {
        Self { text: Zeroizing::new(text), changes }
    }
}

impl From<Layer> for Found {
    fn from(layer: Layer) -> Self {
        Self { text: layer.bytes, changes: layer.changes }
    }
}
