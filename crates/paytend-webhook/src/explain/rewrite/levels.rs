//! The search order: wrappings first, then other serializations by increasing cost.

use super::Rewriter;
use crate::explain::search::{Found, Search};
use crate::explain::wrapping;

/// The search ends when the remaining budget is below this number of bytes.
const LEAST: usize = 1 << 20;

/// Maximum total cost of the changes that are combined.
const MAX_LEVEL: usize = 8;

impl Search {
    /// Searches for the signed text that was changed to the received text `held`. Alternatives are tried in order of
    /// increasing cost.
    pub(in crate::explain) fn run(&mut self, held: &[u8]) -> Option<Found> {
        let layers = match wrapping::undo(held, self) {
            Ok(found) => return Some(found),
            Err(layers) => layers,
        };
        let mut rewriters = Rewriter::of_layers(&layers);
        // The text contains replacement characters. The original characters cannot be guessed, so the search uses only
        // an eighth of the remaining budget.
        if String::from_utf8_lossy(held).contains('\u{fffd}') {
            self.left /= 8;
        }
        if self.left == 0 {
            self.cut = true;
            return None;
        }
        for level in 1..=MAX_LEVEL {
            for rewriter in &mut rewriters {
                // Each rewriter can use at most half of the remaining budget, so that some budget is left for the next
                // rewriter.
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
