//! An alternative structure of a JSON text, with members reordered, removed or added.

use super::document::Node;
use crate::explain::change::Change;

/// An alternative structure of a JSON text, with the changes to report if this structure was signed.
pub(super) struct Structure {
    pub(super) root: Node,
    pub(super) changes: Vec<Change>,
}

impl Structure {
    /// Adds the changes from an earlier step, except those already listed in this structure.
    pub(super) fn after(mut self, before: &Self) -> Self {
        let new: Vec<Change> = before.changes.iter().filter(|change| !self.changes.contains(change)).copied().collect();
        self.changes.extend(new);
        self
    }
}
