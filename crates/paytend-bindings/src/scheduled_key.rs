//! Keys and their validity periods.

use std::time::{Duration, SystemTime};

use paytend_crypto::PublicKey;

use crate::{Failure, backend};

/// A provider's key and its validity period, in milliseconds since the Unix epoch.
#[derive(Clone, Debug)]
pub struct ScheduledKey {
    /// The provider's public key.
    pub key: PublicKey,
    /// The start of the validity period (inclusive).
    pub not_before: Option<u64>,
    /// The end of the validity period (exclusive).
    pub retire_at: Option<u64>,
}

impl From<PublicKey> for ScheduledKey {
    fn from(key: PublicKey) -> Self {
        Self { key, not_before: None, retire_at: None }
    }
}

impl ScheduledKey {
    pub(crate) fn load(self) -> Result<paytend_webhook::ScheduledKey<dyn paytend_crypto::rsa::RsaPublic>, Failure> {
        let mut scheduled = paytend_webhook::ScheduledKey::from(backend::public(&self.key)?);
        if let Some(millis) = self.not_before {
            scheduled = scheduled.not_before(time_from_millis(millis));
        }
        if let Some(millis) = self.retire_at {
            scheduled = scheduled.retire_at(time_from_millis(millis));
        }
        Ok(scheduled)
    }
}

/// Converts milliseconds since the Unix epoch to a time. Times after the end of the year 9999 are clamped to it,
/// because some platforms cannot represent them.
pub(crate) fn time_from_millis(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis.min(253_402_300_799_999))
}
