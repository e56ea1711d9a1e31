//! The known keys and their names.

use std::fmt;
use std::sync::Arc;

use paytend_crypto::keys::{Armour, KeyForm, KeyStructure};
use paytend_crypto::rsa::{RsaPrivate, RsaPublic};
use paytend_crypto::{KeyError, Keyring, PrivateKey, PublicKey, rustcrypto};

use super::finding::Finding;

/// The known keys: the keys that should open a message, and other keys that may explain a failure. Examples are keys
/// from a different environment or provider, or keys from before a rotation. Each key has a name, which is shown in
/// findings.
#[derive(Clone, Default)]
pub struct KnownKeys {
    pub(crate) private: Vec<Entry<dyn RsaPrivate>>,
    pub(crate) public: Vec<Entry<dyn RsaPublic>>,
    pub(crate) partner_id: Option<String>,
    pub(crate) max_bytes: Option<usize>,
    pub(crate) notes: Vec<Finding>,
}

pub(crate) struct Entry<K: ?Sized> {
    pub(crate) name: String,
    pub(crate) key: Arc<K>,
    pub(crate) expected: bool,
}

impl<K: ?Sized> Clone for Entry<K> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), key: Arc::clone(&self.key), expected: self.expected }
    }
}

impl KnownKeys {
    /// Creates an empty set of keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the recipient's private key, which should decrypt the message, in any encoding that
    /// [`PrivateKey::from_bytes`] reads.
    ///
    /// # Errors
    /// Returns [`KeyError`] if the key cannot be read.
    pub fn own(self, name: impl Into<String>, key: &[u8]) -> Result<Self, KeyError> {
        self.add_private(name.into(), key, true)
    }

    /// Adds the sender's public key, which should verify the message, in any encoding that [`PublicKey::from_bytes`]
    /// reads.
    ///
    /// # Errors
    /// Returns [`KeyError`] if the key cannot be read.
    pub fn sender(self, name: impl Into<String>, key: &[u8]) -> Result<Self, KeyError> {
        self.add_public(name.into(), key, true)
    }

    /// Adds another private key, which may explain a failure. If the message is encrypted for this key, a finding
    /// reports the key's name.
    ///
    /// # Errors
    /// Returns [`KeyError`] if the key cannot be read.
    pub fn other_private(self, name: impl Into<String>, key: &[u8]) -> Result<Self, KeyError> {
        self.add_private(name.into(), key, false)
    }

    /// Adds another public key, which may explain a failure. If this key verifies the signature, a finding reports the
    /// key's name.
    ///
    /// # Errors
    /// Returns [`KeyError`] if the key cannot be read.
    pub fn other_public(self, name: impl Into<String>, key: &[u8]) -> Result<Self, KeyError> {
        self.add_public(name.into(), key, false)
    }

    /// Sets the `partnerId` that the message should have.
    #[must_use]
    pub fn partner_id(mut self, id: impl Into<String>) -> Self {
        self.partner_id = Some(id.into());
        self
    }

    /// Sets the size limit, in bytes, of the receiver that rejected the message. This is needed only if the limit
    /// differs from the default.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    fn add_private(mut self, name: String, data: &[u8], expected: bool) -> Result<Self, KeyError> {
        let (key, form) = PrivateKey::read(data, None)?;
        self.note(&name, &form);
        let public = rustcrypto::public(key.public_key())?;
        self.public.push(Entry { name: format!("{name} (its public half)"), key: public, expected: false });
        self.private.push(Entry { name, key: rustcrypto::private(&key)?, expected });
        Ok(self)
    }

    fn add_public(mut self, name: String, data: &[u8], expected: bool) -> Result<Self, KeyError> {
        let (key, form) = PublicKey::read(data)?;
        self.note(&name, &form);
        self.public.push(Entry { name, key: rustcrypto::public(&key)?, expected });
        Ok(self)
    }

    fn note(&mut self, key: &str, form: &KeyForm) {
        let (content, pkcs1) = match form.structure {
            KeyStructure::Pkcs1Private => ("PKCS#1", Some("PKCS#8")),
            KeyStructure::Pkcs1Public => ("PKCS#1", Some("SubjectPublicKeyInfo")),
            KeyStructure::Pkcs8 => ("PKCS#8", None),
            KeyStructure::Certificate => ("an X.509 certificate", None),
            _ => ("SubjectPublicKeyInfo", None),
        };
        let correct = form.structure.label();
        match (&form.armour, pkcs1) {
            // A certificate can have several valid labels, so its label is not checked.
            (Armour::Pem(label), _) if label != correct && form.structure != KeyStructure::Certificate => {
                self.notes.push(Finding::KeyLabel { key: key.to_owned(), label: label.clone(), content, correct });
            }
            (_, Some(instead)) => self.notes.push(Finding::KeyPkcs1 { key: key.to_owned(), instead }),
            _ => {}
        }
    }

    /// Returns a finding for each key pair that is configured for both sides.
    pub(crate) fn same_pairs(&self) -> impl Iterator<Item = Finding> + '_ {
        self.private.iter().filter(|own| own.expected).flat_map(|own| {
            let same =
                |sender: &&Entry<dyn RsaPublic>| sender.expected && sender.key.public_key() == own.key.public_key();
            self.public
                .iter()
                .filter(same)
                .map(|sender| Finding::SamePair { own: own.name.clone(), sender: sender.name.clone() })
        })
    }

    /// Returns a keyring with the keys that should open a message.
    pub(crate) fn keyring(&self) -> Option<Keyring> {
        let own = self.private.iter().filter(|own| own.expected);
        let keyring = own.fold(Keyring::builder(), |builder, own| builder.decryption_key(Arc::clone(&own.key)));
        let senders = self.public.iter().filter(|sender| sender.expected);
        senders.fold(keyring, |builder, sender| builder.verification_key(Arc::clone(&sender.key))).build().ok()
    }
}

impl fmt::Debug for KnownKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let private = self.private.iter().map(|entry| (&entry.name, entry.key.public_key().fingerprint()));
        let public = self.public.iter().map(|entry| (&entry.name, entry.key.public_key().fingerprint()));
        f.debug_struct("KnownKeys")
            .field("private", &private.collect::<Vec<_>>())
            .field("public", &public.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
