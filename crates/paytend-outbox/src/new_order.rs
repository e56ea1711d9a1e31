//! An order that is not stored yet.

use std::fmt;
use std::sync::Arc;

use paytend_inbox::{SealedPayload, StoreError, StoreKeys};

use crate::error::SubmitError;
use crate::progress::Progress;
use crate::record::{OrderFacts, REQUEST, open};
use crate::upload::StoredUpload;

/// Compares a stored request with the request of a new order. Returns the names of the fields that differ.
pub(crate) type Compare = dyn Fn(&[u8]) -> Vec<String> + Send + Sync;

/// A sealed and encrypted order that is not stored yet. [`Outbox::prepare`](crate::Outbox::prepare) creates it.
#[derive(Clone)]
pub struct NewOrder {
    pub(crate) facts: OrderFacts,
    pub(crate) request: SealedPayload,
    pub(crate) keys: Arc<StoreKeys>,
    pub(crate) compare: Arc<Compare>,
    /// The upload if its file is stored by reference, and `None` otherwise.
    pub(crate) upload: Option<Arc<StoredUpload>>,
}

impl NewOrder {
    /// Returns the facts, which a store keeps unencrypted.
    pub fn facts(&self) -> &OrderFacts {
        &self.facts
    }

    /// Returns the encrypted request.
    pub fn request(&self) -> &SealedPayload {
        &self.request
    }

    /// Checks that a stored order with the same number has the same content. A store calls this method when it finds an
    /// order with the number.
    ///
    /// # Errors
    /// Returns [`SubmitError::Conflict`] with the names of the fields that differ, or [`SubmitError::Store`] if the
    /// stored request cannot be decrypted.
    pub fn check_same(&self, stored: &OrderFacts, request: Option<&SealedPayload>) -> Result<(), SubmitError> {
        if stored.operation != self.facts.operation {
            return Err(SubmitError::Conflict { fields: vec!["operation".to_owned()] });
        }
        if stored.content_tag == self.facts.content_tag {
            return Ok(());
        }
        let unknown = || vec!["content".to_owned()];
        let fields = match request {
            Some(sealed) => {
                let opened = stored.with_binding(REQUEST, |parts| self.keys.open_bound("an order", parts, sealed))?;
                let fields = (self.compare)(&zeroize::Zeroizing::new(opened));
                if fields.is_empty() { unknown() } else { fields }
            }
            None => unknown(),
        };
        Err(SubmitError::Conflict { fields })
    }

    /// Returns the request that replaces the stored request of the same order, or `None` if nothing changes. A request
    /// is replaced if an upload's file is stored by reference and has moved before the first send. A store calls this
    /// method after [`check_same`](Self::check_same).
    ///
    /// # Errors
    /// Returns [`StoreError`] if the request cannot be encrypted.
    pub fn moved_file(
        &self,
        stored: &OrderFacts,
        progress: &Progress,
        request: Option<&SealedPayload>,
    ) -> Result<Option<SealedPayload>, StoreError> {
        let (Some(new), Some(sealed)) = (&self.upload, request) else { return Ok(None) };
        if progress.history.sends > 0 || !progress.is_open {
            return Ok(None);
        }
        // If the stored request cannot be read, it is kept.
        let opened = open(&self.keys, stored, REQUEST, sealed).ok();
        let old = opened.and_then(|bytes| StoredUpload::from_bytes(&bytes).ok().flatten());
        let Some(moved) = old.and_then(|old| old.moved_to(new)) else { return Ok(None) };
        stored.with_binding(REQUEST, |parts| self.keys.seal_bound(parts, &moved.to_bytes())).map(Some)
    }
}

impl fmt::Debug for NewOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewOrder").field("facts", &self.facts).finish_non_exhaustive()
    }
}
