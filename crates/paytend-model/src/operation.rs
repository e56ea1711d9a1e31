//! What an API call is: one request type that says everything about itself.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{funding, iban, issuing};

/// One API call. Its value is the request's business data (`bizData`); the client sends it, the sandbox answers it.
pub trait Operation: Serialize + DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    /// The response's business data (`respData`); [`NoData`] where there is none.
    type Response: Serialize + DeserializeOwned + fmt::Debug + Send + Sync + 'static;

    /// Name, path, kind, and where all of it comes from.
    const INFO: OperationInfo;
}

/// The description of an [`Operation`]. Its fields are public, so that an operation that this crate does not have can be described
/// too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationInfo {
    /// A short unique name in camelCase, such as `getTopupResult`: the last part of the path.
    pub name: &'static str,
    /// The documentation's name, such as "Query topup result".
    pub title: &'static str,
    /// The product whose documentation describes it.
    pub product: Product,
    /// Default path below the base URL, starting with `/`.
    pub path: &'static str,
    /// Whether it changes anything.
    pub kind: OperationKind,
    /// What becomes of the payload.
    pub payload: PayloadRule,
    /// Where to read about it: document and section.
    pub documentation: &'static str,
    /// How sure we are.
    pub provenance: Provenance,
}

/// Paytend's products. They number their notifications independently, so a `notifyType` means nothing without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Product {
    /// BaaS Core (IBAN accounts), Funding Notification and Payout, which share a callback URL.
    Baas,
    /// Issuing Cards.
    Issuing,
}

/// Whether an operation changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// Only reads: safe to send again.
    Query,
    /// Changes state, possibly moves money: never to be sent again blindly.
    Mutation,
}

/// What becomes of an operation's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadRule {
    /// Encrypted and signed.
    Signed,
    /// Encrypted, and left out of the signature (the upload endpoints of the IBAN product).
    Unsigned,
    /// There is none: `bizData` is sent empty.
    None,
}

/// How sure we are of the parts of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// That the operation exists, and its name.
    pub operation: Source,
    /// Its path.
    pub path: Source,
    /// The request's fields.
    pub request: Source,
    /// The response's fields.
    pub response: Source,
}

/// Where a fact comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// It stands in the provider's documentation.
    Documented,
    /// It is how the provider's published programs behave.
    Seen,
    /// Inferred from the pattern of the others. It may be wrong; it can be overridden.
    Inferred,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Documented => "documented",
            Self::Seen => "seen",
            Self::Inferred => "inferred",
        })
    }
}

payload! {
    /// A response without business data. What it holds nevertheless is kept.
    pub struct NoData {
        required {}
        optional {}
    }
}

impl Default for NoData {
    fn default() -> Self {
        Self::new()
    }
}

/// All operations that this crate has types for.
pub fn operations() -> &'static [&'static OperationInfo] {
    const ALL: &[&OperationInfo] = &[
        &issuing::QueryPartnerBalance::INFO,
        &issuing::CreateCardholder::INFO,
        &issuing::QueryCardBalance::INFO,
        &issuing::Topup::INFO,
        &issuing::QueryTopupResult::INFO,
        &iban::VerifyMobileNumber::INFO,
        &funding::SetCallbackUrl::INFO,
    ];
    ALL
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use super::*;

    /// Counts `impl Operation for` in the sources, so that an operation that is missing from the list is noticed.
    fn implementations(folder: &Path) -> usize {
        std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                if path.is_dir() {
                    return implementations(&path);
                }
                let text = std::fs::read_to_string(&path).unwrap();
                text.lines().filter(|line| line.starts_with("impl Operation for ")).count()
            })
            .sum()
    }

    #[test]
    fn every_operation_is_listed_once() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        assert_eq!(operations().len(), implementations(&sources));
        let names: HashSet<_> = operations().iter().map(|info| info.name).collect();
        let paths: HashSet<_> = operations().iter().map(|info| info.path).collect();
        assert_eq!((names.len(), paths.len()), (operations().len(), operations().len()));
    }

    #[test]
    fn a_name_is_the_last_part_of_its_path() {
        for info in operations() {
            assert_eq!(info.path.rsplit('/').next(), Some(info.name), "{info:?}");
            assert!(info.path.starts_with('/'), "{info:?}");
        }
    }
}
