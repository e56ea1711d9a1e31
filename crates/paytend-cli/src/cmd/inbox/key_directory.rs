//! Reads the receivers' keys from a key directory. `paytend sandbox --keys` creates such a directory.

use std::path::{Path, PathBuf};

use paytend_crypto::keys::FilePermissions;
use paytend_crypto::rsa::{Backend as _, RsaPrivate, RsaPublic};
use paytend_crypto::{PrivateKey, PublicKey};
use paytend_crypto_aws_lc::AwsLc;
use paytend_model::Product;
use paytend_webhook::{ConfigError, PayByReceiver, PayerMaxReceiver, PaytendReceiver, ScheduledKey};

use crate::cmd::inbox::config::{DatedKey, KeyRole};
use crate::connection::{PARTNER_PRIVATE, PAYBY_PUBLIC, PAYERMAX_PUBLIC, PAYTEND_PUBLIC, partner_id};
use crate::exit::{Category, Failure};
use crate::keyfiles::{backend_failure, key_failure};

pub(crate) struct KeyDirectory<'a> {
    pub(crate) path: &'a Path,
    pub(crate) permissions: FilePermissions,
    /// Additional keys, with their validity periods.
    pub(crate) dated: &'a [DatedKey],
}

impl KeyDirectory<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Returns whether there are keys for PayBy.
    pub(crate) fn has_payby(&self) -> bool {
        self.has(PAYBY_PUBLIC, KeyRole::Payby)
    }

    /// Returns whether there are keys for PayerMax.
    pub(crate) fn has_payermax(&self) -> bool {
        self.has(PAYERMAX_PUBLIC, KeyRole::Payermax)
    }

    fn has(&self, name: &str, role: KeyRole) -> bool {
        self.file(name).exists() || self.dated.iter().any(|key| key.role == role)
    }

    pub(crate) fn paytend(&self, product: Product) -> Result<PaytendReceiver, Failure> {
        let id = partner_id(self.path)?;
        let (own, paytend) = (self.private_keys()?, self.public_keys(PAYTEND_PUBLIC, KeyRole::Paytend)?);
        PaytendReceiver::rotating(product, &id, own, paytend).map_err(configuration)
    }

    pub(crate) fn payby(&self) -> Result<PayByReceiver, Failure> {
        PayByReceiver::new(self.public_keys(PAYBY_PUBLIC, KeyRole::Payby)?).map_err(configuration)
    }

    /// Creates a receiver for one merchant, or for every merchant whose notifications the keys verify.
    pub(crate) fn payermax(&self, merchant: Option<&str>) -> Result<PayerMaxReceiver, Failure> {
        let keys = self.public_keys(PAYERMAX_PUBLIC, KeyRole::Payermax)?;
        match merchant {
            Some(merchant) => PayerMaxReceiver::new(keys.into_iter().map(|key| (merchant, key))),
            None => PayerMaxReceiver::danger_any_merchant(keys),
        }
        .map_err(configuration)
    }

    /// Reads the key file in the directory, if it exists, and the additional keys for this role.
    fn public_keys(&self, name: &str, role: KeyRole) -> Result<Vec<ScheduledKey<dyn RsaPublic>>, Failure> {
        let mut keys = Vec::new();
        let dated: Vec<_> = self.dated.iter().filter(|key| key.role == role).collect();
        if self.file(name).exists() || dated.is_empty() {
            keys.push(public(&self.file(name))?);
        }
        for key in dated {
            keys.push(key.schedule(public(&key.file)?));
        }
        Ok(keys)
    }

    fn private_keys(&self) -> Result<Vec<ScheduledKey<dyn RsaPrivate>>, Failure> {
        let mut keys = Vec::new();
        let dated: Vec<_> = self.dated.iter().filter(|key| key.role == KeyRole::Partner).collect();
        if self.file(PARTNER_PRIVATE).exists() || dated.is_empty() {
            keys.push(self.private(&self.file(PARTNER_PRIVATE))?);
        }
        for key in dated {
            keys.push(key.schedule(self.private(&key.file)?));
        }
        Ok(keys)
    }

    fn private(&self, path: &Path) -> Result<ScheduledKey<dyn RsaPrivate>, Failure> {
        let name = path.display().to_string();
        let key = PrivateKey::read_file(path, self.permissions, None).map_err(|error| key_failure(&name, &error))?;
        Ok(AwsLc.private(&key).map_err(|error| backend_failure(&name, error))?.into())
    }
}

fn public(path: &Path) -> Result<ScheduledKey<dyn RsaPublic>, Failure> {
    let name = path.display().to_string();
    let key = PublicKey::from_file(path).map_err(|error| key_failure(&name, &error))?;
    Ok(AwsLc.public(&key).map_err(|error| backend_failure(&name, error))?.into())
}

fn configuration(error: ConfigError) -> Failure {
    Failure::new(Category::Configuration, error)
}
