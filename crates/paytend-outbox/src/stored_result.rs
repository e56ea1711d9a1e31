//! The stored form of an order's result.

use serde::{Deserialize, Serialize};

use paytend_inbox::{StoreError, StoreErrorKind};

use crate::record::Ended;

/// The result of an order, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ended", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum StoredResult {
    /// The data of the response, exactly as the provider signed it.
    Responded { data: String },
    /// The data of the query's response.
    Found { data: String },
    /// A notification has shown that the order exists. There is no other data.
    Notified,
    /// The code and the message of the rejection.
    Rejected { code: Option<String>, message: Option<String> },
}

impl StoredResult {
    /// Returns how the outcome of the order became known.
    pub(crate) fn ended(&self) -> Ended {
        match self {
            Self::Responded { .. } => Ended::Responded,
            Self::Found { .. } | Self::Notified => Ended::Found,
            Self::Rejected { .. } => Ended::Rejected,
        }
    }

    pub(crate) fn to_bytes(&self) -> zeroize::Zeroizing<Vec<u8>> {
        // Strings and optional strings can always be serialized.
        zeroize::Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(bytes).map_err(|_| {
            StoreError::new(StoreErrorKind::Corrupt, "the stored result of an order cannot be read by this version")
        })
    }
}
