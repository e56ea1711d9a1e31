//! Paytend's and the partners' keys, and the directory that contains them.

pub(crate) mod folder;

use std::collections::BTreeMap;
use std::sync::Arc;

use paytend_crypto::rsa::{Backend, RsaPrivate};
use paytend_crypto::{Keyring, PrivateKey, PublicKey};

use folder::KeyFolder;

/// The keyrings that Paytend uses to seal messages for a partner.
pub(crate) struct Seals {
    pub(crate) current: Keyring,
    /// The keyring from before the last rotation; equal to `current` if there was no rotation.
    pub(crate) stale: Keyring,
}

/// The sandbox's keys.
pub(crate) struct Keys {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) paytend: PrivateKey,
    pub(crate) partners: BTreeMap<String, PublicKey>,
    seals: BTreeMap<String, Seals>,
    rotated: bool,
    bits: usize,
    /// The directory that contains PayBy's and PayerMax's keys.
    pub(crate) folder: Option<KeyFolder>,
    /// PayBy's and PayerMax's keys that have been loaded or generated so far.
    providers: BTreeMap<&'static str, PrivateKey>,
}

impl Keys {
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        paytend: PrivateKey,
        partners: BTreeMap<String, PublicKey>,
        bits: usize,
    ) -> Result<Self, paytend_crypto::Error> {
        let mut keys = Self {
            backend,
            paytend,
            partners,
            seals: BTreeMap::new(),
            rotated: false,
            bits,
            folder: None,
            providers: BTreeMap::new(),
        };
        keys.seals = keys.make(None)?;
        Ok(keys)
    }

    fn make(&self, stale: Option<&PrivateKey>) -> Result<BTreeMap<String, Seals>, paytend_crypto::Error> {
        let seals = |(id, public): (&String, &PublicKey)| {
            let current = self.keyring(&self.paytend, public)?;
            let stale = stale.map_or_else(|| Ok(current.clone()), |key| self.keyring(key, public))?;
            Ok((id.clone(), Seals { current, stale }))
        };
        self.partners.iter().map(seals).collect()
    }

    pub(crate) fn keyring(&self, own: &PrivateKey, peer: &PublicKey) -> Result<Keyring, paytend_crypto::Error> {
        Keyring::builder().backend(&self.backend).own_key(own).peer_key(peer).build()
    }

    /// Loads Paytend's current private key.
    pub(crate) fn own(&self) -> Result<Arc<dyn RsaPrivate>, paytend_crypto::Error> {
        self.backend.private(&self.paytend)
    }

    pub(crate) fn rotated(&self) -> bool {
        self.rotated
    }

    pub(crate) fn seals(&self, partner: &str) -> Option<&Seals> {
        self.seals.get(partner)
    }

    /// Generates a keyring with a key that is unknown to the partner, for the `wrongKey` fault.
    pub(crate) fn stranger(&self, partner: &str) -> Option<Keyring> {
        let key = self.backend.generate(self.bits).ok()?;
        self.keyring(&key, self.partners.get(partner)?).ok()
    }

    /// Replaces Paytend's key. The `staleKey` fault then uses the previous key.
    pub(crate) fn rotate(&mut self) -> Result<PublicKey, paytend_crypto::Error> {
        let old = std::mem::replace(&mut self.paytend, self.backend.generate(self.bits)?);
        self.seals = self.make(Some(&old))?;
        self.rotated = true;
        Ok(self.paytend.public_key().clone())
    }

    /// Returns PayBy's or PayerMax's key, which is read or generated on first use. These keys have 2048 bits, as the
    /// providers' documentation requires.
    pub(crate) fn provider(&mut self, name: &'static str) -> Result<&PrivateKey, paytend_crypto::Error> {
        if !self.providers.contains_key(name) {
            let key = match &self.folder {
                Some(folder) => folder.provider(name).map_err(|error| {
                    tracing::error!(%error, "cannot load {name}'s key");
                    paytend_crypto::Error::Random
                })?,
                None => self.backend.generate(2048)?,
            };
            self.providers.insert(name, key);
        }
        self.providers.get(name).ok_or(paytend_crypto::Error::Random)
    }
}
