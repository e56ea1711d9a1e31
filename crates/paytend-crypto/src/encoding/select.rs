//! Picks the wanted key from all that a text or file holds.

use super::der::Names;
use super::{Decoded, Half, KeyForm, KeyStructure};
use crate::KeyError;
use crate::key_error::EncryptedFormat;

/// One of the things in a text or file.
pub(super) struct Item {
    pub(super) outcome: Result<(KeyForm, Decoded), KeyError>,
    /// Which half it holds, if that is known of something that cannot be read.
    pub(super) half: Option<Half>,
    /// The names in a certificate.
    pub(super) names: Option<Names>,
}

impl Item {
    pub(super) fn key(form: KeyForm, key: Decoded) -> Self {
        let half = if form.structure.is_private() { Half::Private } else { Half::Public };
        Self { outcome: Ok((form, key)), half: Some(half), names: None }
    }

    /// A block of PEM that cannot be read.
    pub(super) fn failed(error: KeyError, label: &[u8]) -> Self {
        let mut item = Self { outcome: Err(error), half: None, names: None };
        item.place(label);
        item
    }

    /// Takes from a label which half a block holds.
    pub(super) fn place(&mut self, label: &[u8]) {
        self.half = match label {
            _ if label.ends_with(b"PRIVATE KEY") => Some(Half::Private),
            _ if label.ends_with(b"PUBLIC KEY") || label.ends_with(b"CERTIFICATE") => Some(Half::Public),
            _ => None,
        };
    }
}

/// Picks the one key that is wanted: a private key; or the key of a certificate or a public key. Of a chain of
/// certificates the one is taken that issued none of the others.
///
/// # Errors
/// - What is wrong with something of the wanted half, if there is such a thing.
/// - [`KeyError::Ambiguous`] for several different keys.
/// - [`KeyError::PublicGiven`] or [`KeyError::PrivateGiven`] if only the other half is there.
pub(super) fn select(mut items: Vec<Item>, wanted: Half) -> Result<(KeyForm, Decoded), KeyError> {
    without_issuers(&mut items);
    let (mine, others): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item.half == Some(wanted));
    if let Some(picked) = single(mine, wanted)? {
        return Ok(picked);
    }
    let mut failure = None;
    for other in others {
        match other.outcome {
            Ok((form, _)) => {
                return Err(match wanted {
                    Half::Private => KeyError::PublicGiven(form.structure),
                    Half::Public => KeyError::PrivateGiven(form.structure),
                });
            }
            Err(KeyError::Encrypted(encryption)) if wanted == Half::Public => {
                return Err(KeyError::PrivateGiven(match encryption.format {
                    EncryptedFormat::Traditional => KeyStructure::Pkcs1Private,
                    _ => KeyStructure::Pkcs8,
                }));
            }
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    Err(failure.unwrap_or(KeyError::Encoding))
}

fn single(items: Vec<Item>, wanted: Half) -> Result<Option<(KeyForm, Decoded)>, KeyError> {
    let mut found: Vec<(KeyForm, Decoded)> = Vec::new();
    for item in items {
        let read = item.outcome?;
        if !found.iter().any(|(_, key)| *key == read.1) {
            found.push(read);
        }
    }
    match found.len() {
        0 | 1 => Ok(found.pop()),
        count => Err(KeyError::Ambiguous { count, private: wanted == Half::Private }),
    }
}

/// Removes the certificates that issued others, unless none would be left.
fn without_issuers(items: &mut Vec<Item>) {
    let issued = |at: usize, items: &[Item]| {
        let Some(own) = &items[at].names else { return false };
        items.iter().enumerate().any(|(other, item)| {
            // A certificate that is there twice, and signed by itself, is no chain.
            other != at
                && item.names.as_ref().is_some_and(|names| names.issuer == own.subject && names.subject != own.subject)
        })
    };
    let keep: Vec<bool> = (0..items.len()).map(|at| !issued(at, items)).collect();
    let left = items.iter().zip(&keep).any(|(item, keep)| *keep && item.names.is_some());
    if left {
        let mut keep = keep.into_iter();
        items.retain(|_| keep.next().unwrap_or(true));
    }
}
