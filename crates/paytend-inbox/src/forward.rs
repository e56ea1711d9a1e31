//! Signatures for forwarded notifications, as specified by Standard Webhooks.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::{StoreError, StoreErrorKind};

/// A secret for signing forwarded notifications, as specified by [Standard Webhooks](https://www.standardwebhooks.com).
/// Receivers verify the `webhook-signature` header with a Standard Webhooks library.
#[derive(Clone)]
pub struct ForwardSecret(Zeroizing<Vec<u8>>);

impl ForwardSecret {
    /// Parses a secret, which is the base64 of 24 to 64 bytes, with or without the `whsec_` prefix.
    ///
    /// ```
    /// use paytend_inbox::ForwardSecret;
    /// let secret = ForwardSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")?;
    /// let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, br#"{"test": 2432232314}"#);
    /// assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    /// # Ok::<(), paytend_inbox::StoreError>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`StoreError`] if the text is not base64 of 24 to 64 bytes.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let text = text.trim();
        let decoded = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).map(Zeroizing::new);
        match decoded {
            Ok(key) if (24..=64).contains(&key.len()) => Ok(Self(key)),
            _ => Err(StoreError::new(
                StoreErrorKind::Keys,
                "invalid forward secret: expected base64 of 24 to 64 bytes; create one with `openssl rand -base64 32`",
            )),
        }
    }

    /// Returns the value of the `webhook-signature` header. `timestamp` is the value of `webhook-timestamp`, in seconds
    /// since the Unix epoch.
    pub fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        // HMAC accepts keys of any length, so this does not fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for ForwardSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardSecret").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_secrets_are_refused_without_being_shown() {
        for invalid in ["", "whsec_", "c2hvcnQ=", "not base64 but quite long enough to be one"] {
            let error = ForwardSecret::parse(invalid).unwrap_err().to_string();
            assert!(error.starts_with("invalid forward secret: "), "{error}");
        }
        let secret = ForwardSecret::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert!(!format!("{secret:?}").contains("MfKQ"));
        assert_ne!(secret.sign("a", 1, b"x"), secret.sign("a", 1, b"y"));
        assert_ne!(secret.sign("a", 1, b"x"), secret.sign("b", 1, b"x"));
        assert_ne!(secret.sign("a", 1, b"x"), secret.sign("a", 2, b"x"));
    }
}
