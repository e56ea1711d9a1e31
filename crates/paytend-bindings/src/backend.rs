//! The RSA backend: pure Rust, or OpenSSL's libcrypto with the feature `openssl`.

use std::sync::Arc;

use paytend_crypto::rsa::{RsaPrivate, RsaPublic};
use paytend_crypto::{PrivateKey, PublicKey};

use crate::Failure;

#[cfg(not(feature = "openssl"))]
mod chosen {
    pub(super) use paytend_crypto::rustcrypto::{private, public};

    pub(super) const NAME: &str = "rustcrypto";
}

#[cfg(feature = "openssl")]
mod chosen {
    use paytend_crypto_openssl::LoadError;
    pub(super) use paytend_crypto_openssl::{private, public};

    use crate::{Code, Failure};

    pub(super) const NAME: &str = "openssl";

    impl From<LoadError> for Failure {
        fn from(error: LoadError) -> Self {
            let code = if matches!(error, LoadError::Invalid) { Code::Key } else { Code::Unavailable };
            Self::new(code, error)
        }
    }
}

/// The name of the backend that this crate was built with: `rustcrypto` or `openssl`.
pub const BACKEND: &str = chosen::NAME;

pub(crate) fn private(key: &PrivateKey) -> Result<Arc<dyn RsaPrivate>, Failure> {
    Ok(chosen::private(key)?)
}

pub(crate) fn public(key: &PublicKey) -> Result<Arc<dyn RsaPublic>, Failure> {
    Ok(chosen::public(key)?)
}
