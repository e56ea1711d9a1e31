//! The keys that open and verify captured messages.

use std::path::Path;

use paytend_crypto::keys::FilePermissions;
use paytend_crypto::{Keyring, Kind, PrivateKey, PublicKey};
use paytend_webhook::Provider;
use paytend_webhook::explain::KnownKeys;

use super::kind::MessageKind;
use crate::connection::ConnectionArgs;
use crate::exit::Failure;
use crate::keyfiles::key_failure;
use crate::profiles::{PROFILE_VARIABLE, variable};
use crate::settings::Settings;

/// The keys from a profile or a key directory.
pub(super) struct Keys {
    /// The partner's private key and Paytend's public key.
    own: PrivateKey,
    peer: PublicKey,
    /// Paytend's private key, which only a sandbox's key directory contains. It opens requests.
    paytend: Option<PrivateKey>,
    payby: Option<PublicKey>,
    payermax: Option<PublicKey>,
}

impl Keys {
    /// Reads the keys if an option or `PAYTEND_PROFILE` selects a connection.
    pub(super) fn read(args: &ConnectionArgs) -> Result<Option<Self>, Failure> {
        if args.keys.is_none() && args.profile.is_none() && variable(PROFILE_VARIABLE).is_none() {
            return Ok(None);
        }
        let settings = Settings::read(args)?;
        let permissions = settings.permissions();
        let (_, own) = settings.read_private_key(permissions)?;
        let (_, peer) = settings.read_public_key()?;
        let mut keys = Self { own, peer, paytend: None, payby: None, payermax: None };
        if let Some(directory) = &args.keys {
            let file = directory.join("paytend-private.pem");
            keys.paytend = file.exists().then(|| private(&file, permissions)).transpose()?;
            keys.payby = public(&directory.join("payby-public.b64"))?;
            keys.payermax = public(&directory.join("payermax-public.b64"))?;
        }
        Ok(Some(keys))
    }

    /// Returns the keyring for a message in an envelope, or `None` if there are no keys for it.
    pub(super) fn keyring(&self, kind: Kind) -> Result<Option<Keyring>, Failure> {
        let Some((own, peer)) = self.pair(kind) else { return Ok(None) };
        Ok(Some(Keyring::from_keys(own, peer)?))
    }

    /// Returns the keys for explaining a message, or `None` if there are no keys for it.
    pub(super) fn known(&self, kind: MessageKind) -> Result<Option<KnownKeys>, Failure> {
        let known = KnownKeys::new();
        let sender = |key: &PublicKey, name: &str| known.clone().sender(name, key.to_spki_pem().as_bytes());
        Ok(match kind {
            MessageKind::Envelope(kind) => match self.pair(kind) {
                Some((own, peer)) => {
                    let known = sender(peer, "the sender's public key")?;
                    Some(known.own("the receiver's private key", own.to_pkcs8_pem()?.as_bytes())?)
                }
                None => None,
            },
            MessageKind::Detached(Provider::PayBy) => {
                self.payby.as_ref().map(|key| sender(key, "PayBy's public key")).transpose()?
            }
            MessageKind::Detached(_) => {
                self.payermax.as_ref().map(|key| sender(key, "PayerMax's public key")).transpose()?
            }
        })
    }

    /// Returns the receiver's private key and the sender's public key.
    fn pair(&self, kind: Kind) -> Option<(&PrivateKey, &PublicKey)> {
        match kind {
            Kind::Request => Some((self.paytend.as_ref()?, self.own.public_key())),
            _ => Some((&self.own, &self.peer)),
        }
    }
}

fn private(file: &Path, permissions: FilePermissions) -> Result<PrivateKey, Failure> {
    PrivateKey::read_file(file, permissions, None).map_err(|error| key_failure(&file.display().to_string(), &error))
}

/// Reads a public key, if the file exists.
fn public(file: &Path) -> Result<Option<PublicKey>, Failure> {
    if !file.exists() {
        return Ok(None);
    }
    PublicKey::from_file(file).map(Some).map_err(|error| key_failure(&file.display().to_string(), &error))
}
