//! Limits on the content of a [`MemoryStore`](super::MemoryStore).

use crate::error::StoreError;
use crate::record::StoredPayload;

/// Limits on what a [`MemoryStore`](crate::MemoryStore) keeps.
///
/// ```
/// use paytend_inbox::{MemoryLimits, MemoryStore};
/// let limits = MemoryLimits { waiting: 10_000, waiting_bytes: 32 << 20, processed: 10_000 };
/// let store = MemoryStore::new().with_limits(limits);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// The maximum number of notifications that are not processed yet, or are dead letters. If they have reached it,
    /// the store refuses new notifications with [`StoreErrorKind::Unavailable`](crate::StoreErrorKind::Unavailable).
    pub waiting: usize,
    /// The maximum size of the encrypted content of these notifications, in bytes.
    pub waiting_bytes: usize,
    /// The maximum number of processed notifications that the store keeps, without their content, to recognize
    /// duplicates. The oldest ones are removed. A duplicate of a removed notification is a new notification.
    pub processed: usize,
}

impl MemoryLimits {
    /// Checks that there is room for another payload in addition to the stored ones.
    pub(super) fn check<'p>(
        &self,
        stored: impl Iterator<Item = &'p StoredPayload>,
        new: &StoredPayload,
    ) -> Result<(), StoreError> {
        let stored = stored.filter(|payload| payload.has_content());
        let (count, bytes) = stored.fold((0, size(new)), |(count, bytes), payload| (count + 1, bytes + size(payload)));
        if count < self.waiting && bytes <= self.waiting_bytes {
            return Ok(());
        }
        Err(StoreError::unavailable(format!(
            "the memory for notifications is full: {count} are waiting; process them, or use a durable store"
        )))
    }
}

fn size(payload: &StoredPayload) -> usize {
    match payload {
        StoredPayload::Sealed(sealed) | StoredPayload::SealedWithoutId(sealed) => sealed.ciphertext.len(),
        StoredPayload::Dropped => 0,
    }
}
