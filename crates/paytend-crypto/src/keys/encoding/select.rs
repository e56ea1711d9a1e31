//! Picks the requested key from the items in the input.

use super::key_data::{Half, KeyData};
use super::structure::Names;
use crate::keys::error::{EncryptedFormat, KeyError};
use crate::keys::form::{KeyForm, KeyStructure};

/// A key, certificate or unreadable block in the input.
pub(super) struct Item {
    pub(super) outcome: Result<(KeyForm, KeyData), KeyError>,
    /// Whether the item contains a private or a public key, if known. This can be known even if the item cannot be
    /// read.
    pub(super) half: Option<Half>,
    /// The issuer and subject, if the item is a certificate.
    pub(super) names: Option<Names>,
    /// The name of the variable or entry that contains the item.
    pub(super) source: Option<String>,
}

impl Item {
    pub(super) fn key(form: KeyForm, key: KeyData) -> Self {
        let half = if form.structure.is_private() { Half::Private } else { Half::Public };
        Self { outcome: Ok((form, key)), half: Some(half), names: None, source: None }
    }

    /// Creates an item for a PEM block that cannot be read.
    pub(super) fn failed(error: KeyError, label: &[u8]) -> Self {
        let mut item = Self { outcome: Err(error), half: None, names: None, source: None };
        item.place(label);
        item
    }

    /// Creates an item for an unreadable private or public key.
    pub(super) fn damaged(error: KeyError, half: Half) -> Self {
        Self { half: Some(half), ..Self::failed(error, b"") }
    }

    /// Records whether a PEM block holds a public or a private key, based on the block's label.
    pub(super) fn place(&mut self, label: &[u8]) {
        self.half = match label {
            _ if label.ends_with(b"PRIVATE KEY") => Some(Half::Private),
            _ if label.ends_with(b"PUBLIC KEY") || label.ends_with(b"CERTIFICATE") => Some(Half::Public),
            _ => None,
        };
    }
}

/// Picks the requested key: a private key, or the key of a certificate or public key. From a chain of certificates,
/// picks the key of the certificate that issued no other certificate.
///
/// # Errors
/// - Returns an item's error if the item contains the requested half (private or public) and cannot be read.
/// - Returns [`KeyError::Ambiguous`] if there are several different keys.
/// - Returns [`KeyError::PublicGiven`] or [`KeyError::PrivateGiven`] if the input contains only the other half of a key
///   pair.
pub(super) fn select(mut items: Vec<Item>, wanted: Half) -> Result<(KeyForm, KeyData), KeyError> {
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

fn single(items: Vec<Item>, wanted: Half) -> Result<Option<(KeyForm, KeyData)>, KeyError> {
    /// The maximum number of names in an error message.
    const MOST_NAMES: usize = 6;
    let mut found: Vec<(KeyForm, KeyData)> = Vec::new();
    let mut sources = Vec::new();
    for item in items {
        let read = item.outcome?;
        if !found.iter().any(|(_, key)| *key == read.1) {
            found.push(read);
            sources.push(item.source);
        }
    }
    match found.len() {
        0 | 1 => Ok(found.pop()),
        count => Err(KeyError::Ambiguous {
            count,
            private: wanted == Half::Private,
            names: sources.into_iter().collect::<Option<_>>().filter(|_| count <= MOST_NAMES).unwrap_or_default(),
            certificates: found.iter().all(|(form, _)| form.structure == KeyStructure::Certificate),
        }),
    }
}

/// Removes the certificates that issued other certificates in the input, unless no certificate would be left.
fn without_issuers(items: &mut Vec<Item>) {
    let issued = |at: usize, items: &[Item]| {
        let Some(own) = &items[at].names else { return false };
        items.iter().enumerate().any(|(other, item)| {
            // A self-signed certificate is its own issuer, so a second copy of it must not count as a certificate that
            // it issued.
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
