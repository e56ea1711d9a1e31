//! The keys that open and verify captured messages.

use std::path::Path;

use paytend_crypto::{Keyring, Kind, PrivateKey, PublicKey};
use paytend_webhook::Provider;
use paytend_webhook::explain::KnownKeys;

use super::kind::MessageKind;
use crate::connection::KeysArgs;
use crate::exit::Failure;
use crate::keyfiles::{key_failure, private_in_directory};
use crate::profiles::{PROFILE_VARIABLE, variable};
use crate::settings::{PAYBY_KEY, PAYERMAX_KEY, Settings};

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
    /// Reads the keys if an option or `PAYTEND_PROFILE` selects them.
    pub(super) fn read(args: &KeysArgs) -> Result<Option<Self>, Failure> {
        if args.keys.is_none() && args.profile.is_none() && variable(PROFILE_VARIABLE).is_none() {
            return Ok(None);
        }
        let settings = Settings::read(&args.connection())?;
        let permissions = settings.permissions();
        let (_, own) = settings.read_private_key(permissions)?;
        let (_, peer) = settings.read_public_key()?;
        let in_directory = |name| args.keys.as_ref().map(|keys| keys.join(name)).filter(|file| file.exists());
        let paytend = in_directory("paytend-private.pem");
        let public = |setting, name| settings.file(setting).or_else(|| in_directory(name)).map(|file| public(&file));
        Ok(Some(Self {
            own,
            peer,
            paytend: paytend.map(|file| private_in_directory(&file, permissions)).transpose()?,
            payby: public(PAYBY_KEY, "payby-public.b64").transpose()?,
            payermax: public(PAYERMAX_KEY, "payermax-public.b64").transpose()?,
        }))
    }

    /// Returns an instruction that says which keys are needed to check a message.
    pub(super) fn missing(kind: MessageKind) -> &'static str {
        match kind {
            MessageKind::Envelope(Kind::Request) => {
                "pass --keys DIR of a sandbox, because only Paytend's private key opens requests"
            }
            MessageKind::Envelope(_) => "pass --keys DIR or --profile NAME with the keys",
            MessageKind::Detached(Provider::PayBy) => {
                "pass --keys DIR with payby-public.b64, or --profile NAME with payby_public_key_file"
            }
            MessageKind::Detached(_) => {
                "pass --keys DIR with payermax-public.b64, or --profile NAME with payermax_public_key_file"
            }
        }
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

fn public(file: &Path) -> Result<PublicKey, Failure> {
    PublicKey::from_file(file).map_err(|error| key_failure(&file.display().to_string(), &error))
}
