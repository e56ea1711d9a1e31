//! The keys that `paytend listen` uses to verify notifications, from a directory or a profile.

use std::path::Path;
use std::sync::Arc;

use paytend_client::Client;
use paytend_crypto::keys::FilePermissions;
use paytend_crypto::rsa::{Backend as _, RsaPrivate, RsaPublic};
use paytend_crypto::{PrivateKey, PublicKey};
use paytend_crypto_aws_lc::AwsLc;
use paytend_model::Product;
use paytend_webhook::explain::KnownKeys;
use paytend_webhook::{ConfigError, PayByReceiver, PayerMaxReceiver, PaytendReceiver, ScheduledKey};

use crate::connection::{KeysArgs, PARTNER_ID, PARTNER_PRIVATE, PAYTEND_PUBLIC, is_sandbox};
use crate::exit::{Category, Failure};
use crate::keyfiles::{backend_failure, key_failure, private_in_directory};
use crate::settings::{PAYBY_KEY, PAYERMAX_KEY, Settings};

/// A public key and the name of its file or setting.
struct Named {
    name: String,
    key: PublicKey,
}

/// The keys of a partner: its own key, and Paytend's key.
struct Partner {
    id: String,
    name: String,
    own: PrivateKey,
    paytend: Named,
}

pub(super) struct Keys {
    partner: Option<Partner>,
    payby: Option<Named>,
    payermax: Option<Named>,
    origin: Origin,
}

/// Where the keys come from.
enum Origin {
    Directory {
        /// Whether the directory contains a provider's private key. Only a sandbox's directory does.
        is_sandbox: bool,
    },
    Profile(Box<Client>),
}

impl Keys {
    /// Reads the keys in a directory, such as one created by `paytend sandbox --keys`.
    pub(super) fn from_directory(directory: &Path, permissions: FilePermissions) -> Result<Self, Failure> {
        let existing = |name: &str| Some(directory.join(name)).filter(|path| path.exists());
        let public = |name: &str| existing(name).map(|path| Named::read(name, &path)).transpose();
        let partner = match existing(PARTNER_PRIVATE) {
            Some(path) => Some(Partner {
                id: read_id(&directory.join(PARTNER_ID))?,
                name: PARTNER_PRIVATE.to_owned(),
                own: private_in_directory(&path, permissions)?,
                paytend: Named::read(PAYTEND_PUBLIC, &directory.join(PAYTEND_PUBLIC))?,
            }),
            None => None,
        };
        let provider_keys = ["paytend-private.pem", "payby-private.pem", "payermax-private.pem"];
        let is_sandbox = provider_keys.iter().any(|name| existing(name).is_some());
        let [payby, payermax] = [public("payby-public.b64")?, public("payermax-public.b64")?];
        let keys = Self { partner, payby, payermax, origin: Origin::Directory { is_sandbox } };
        if keys.partner.is_none() && keys.payby.is_none() && keys.payermax.is_none() {
            let directory = directory.display();
            let message =
                format!("there are no keys in {directory}; `paytend sandbox --keys DIR` creates such a directory");
            return Err(Failure::new(Category::Configuration, message));
        }
        Ok(keys)
    }

    /// Reads the keys of a profile. Environment variables override the profile's settings, as in other commands.
    pub(super) fn from_profile(selected: &KeysArgs) -> Result<Self, Failure> {
        let connection = selected.connection();
        let builder = connection.builder()?;
        let keys = builder.keys().map(|(own, paytend)| (own.clone(), paytend.clone()));
        let client = builder.build()?;
        let id = client.partner_id().to_owned();
        let partner = keys.map(|(own, key)| Partner {
            id,
            name: "your private key".to_owned(),
            own,
            paytend: Named { name: "Paytend's public key".to_owned(), key },
        });
        let settings = Settings::read(&connection)?;
        let public = |setting: &str| settings.file(setting).map(|path| Named::read(setting, &path)).transpose();
        let [payby, payermax] = [public(PAYBY_KEY)?, public(PAYERMAX_KEY)?];
        Ok(Self { partner, payby, payermax, origin: Origin::Profile(Box::new(client)) })
    }

    /// Returns whether the keys are known to belong to a sandbox.
    pub(super) async fn are_of_a_sandbox(&self) -> bool {
        match &self.origin {
            Origin::Directory { is_sandbox } => *is_sandbox,
            Origin::Profile(client) => is_sandbox(client).await,
        }
    }

    /// Returns the receiver for Paytend notifications about a product, and the keys to try when explaining a refusal.
    pub(super) fn paytend(&self, product: Product) -> Result<Option<(PaytendReceiver, KnownKeys)>, Failure> {
        let Some(partner) = &self.partner else { return Ok(None) };
        let own = AwsLc.private(&partner.own).map_err(|error| backend_failure(&partner.name, error))?;
        let keys: (ScheduledKey<dyn RsaPrivate>, ScheduledKey<dyn RsaPublic>) =
            (own.into(), partner.paytend.loaded()?.into());
        let receiver = PaytendReceiver::rotating(product, &partner.id, [keys.0], [keys.1]);
        Ok(Some((receiver.map_err(configuration)?, self.known(&partner.paytend)?)))
    }

    /// Returns the receiver for PayBy notifications, and the keys to try when explaining a refusal.
    pub(super) fn payby(&self) -> Result<Option<(PayByReceiver, KnownKeys)>, Failure> {
        let Some(key) = &self.payby else { return Ok(None) };
        Ok(Some((PayByReceiver::new([key.loaded()?]).map_err(configuration)?, self.known(key)?)))
    }

    /// Returns the receiver for PayerMax notifications, and the keys to try when explaining a refusal.
    pub(super) fn payermax(&self) -> Result<Option<(PayerMaxReceiver, KnownKeys)>, Failure> {
        let Some(key) = &self.payermax else { return Ok(None) };
        let receiver = PayerMaxReceiver::danger_any_merchant([key.loaded()?]).map_err(configuration)?;
        Ok(Some((receiver, self.known(key)?)))
    }

    /// Returns the keys to try when explaining why a notification from a sender is not authentic.
    fn known(&self, sender: &Named) -> Result<KnownKeys, Failure> {
        let mut known = KnownKeys::new();
        if let Some(partner) = &self.partner {
            known = known.own(&partner.name, partner.own.to_pkcs8_pem()?.as_bytes())?;
            known = known.other_public("partner-public.b64", partner.own.public_key().to_spki_pem().as_bytes())?;
        }
        let partner = self.partner.as_ref().map(|partner| &partner.paytend);
        for other in partner.into_iter().chain(&self.payby).chain(&self.payermax) {
            let key = other.key.to_spki_pem();
            known = match other.name == sender.name {
                true => known.sender(&other.name, key.as_bytes())?,
                false => known.other_public(&other.name, key.as_bytes())?,
            };
        }
        Ok(known)
    }
}

impl Named {
    fn read(name: &str, path: &Path) -> Result<Self, Failure> {
        let key = PublicKey::from_file(path).map_err(|error| key_failure(&path.display().to_string(), &error))?;
        Ok(Self { name: name.to_owned(), key })
    }

    fn loaded(&self) -> Result<Arc<dyn RsaPublic>, Failure> {
        AwsLc.public(&self.key).map_err(|error| backend_failure(&self.name, error))
    }
}

fn read_id(path: &Path) -> Result<String, Failure> {
    let id = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(Category::Configuration, format!("cannot read {}: {error}", path.display())))?;
    Ok(id.trim().to_owned())
}

fn configuration(error: ConfigError) -> Failure {
    Failure::new(Category::Configuration, error)
}
