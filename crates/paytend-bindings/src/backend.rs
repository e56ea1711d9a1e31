//! The RSA backend of all bindings.

use std::sync::Arc;

use paytend_crypto::rsa::{Backend, RsaPrivate, RsaPublic};
use paytend_crypto::{PrivateKey, PublicKey};
use paytend_crypto_aws_lc::AwsLc;

use crate::Failure;

/// The backend used in the released packages.
pub(crate) const BACKEND: AwsLc = AwsLc;

pub(crate) fn private(key: &PrivateKey) -> Result<Arc<dyn RsaPrivate>, Failure> {
    Ok(BACKEND.private(key)?)
}

pub(crate) fn public(key: &PublicKey) -> Result<Arc<dyn RsaPublic>, Failure> {
    Ok(BACKEND.public(key)?)
}
