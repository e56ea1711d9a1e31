//! What an API call is: one request type that says everything about itself.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::validate::Validate;

/// One API call. Its value is the request's business data (`bizData`); the client sends it, the sandbox answers it.
///
/// An operation that this crate does not have is a type with `Serialize` and `Deserialize`, an empty `impl Validate`, and this.
pub trait Operation: Validate + Serialize + DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    /// The response's business data (`respData`); [`NoData`] where there is none.
    type Response: Serialize + DeserializeOwned + fmt::Debug + Send + Sync + 'static;

    /// Name, path, kind, and where all of it comes from.
    const INFO: OperationInfo;
}

/// The description of an [`Operation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationInfo {
    /// A short name in camelCase, such as `getTopupResult`: the last part of the path. Unique within the product.
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
    /// The largest file it takes, in bytes before base64.
    pub max_file_bytes: Option<usize>,
    /// The documentation's name of the request's object, such as `Topup_BizData`.
    pub request_object: Option<&'static str>,
    /// The documentation's name of the response's object, such as `TopupResponse`.
    pub response_object: Option<&'static str>,
    /// Where to read about it: document and section. The title is the heading.
    pub documentation: &'static str,
    /// How sure we are.
    pub provenance: Provenance,
}

impl OperationInfo {
    /// An operation with a signed payload, of which nothing is documented but what further calls say.
    ///
    /// ```
    /// use paytend_model::{OperationInfo, OperationKind, Product};
    /// const INFO: OperationInfo =
    ///     OperationInfo::new(Product::Issuing, OperationKind::Query, "Query card limits", "/issuing/card/getCardLimits");
    /// assert_eq!(INFO.name, "getCardLimits");
    /// ```
    pub const fn new(product: Product, kind: OperationKind, title: &'static str, path: &'static str) -> Self {
        Self {
            name: last_part(path),
            title,
            product,
            path,
            kind,
            payload: PayloadRule::Signed,
            max_file_bytes: None,
            request_object: None,
            response_object: None,
            documentation: "",
            provenance: Provenance {
                operation: Source::Inferred,
                path: Source::Inferred,
                request: Source::Inferred,
                response: Source::Inferred,
            },
        }
    }

    /// Sets where it is documented.
    #[must_use]
    pub const fn documented(self, documentation: &'static str) -> Self {
        Self { documentation, ..self }
    }

    /// Sets the documentation's name of the request's object.
    #[must_use]
    pub const fn takes(self, object: &'static str) -> Self {
        Self { request_object: Some(object), ..self }
    }

    /// Sets the documentation's name of the response's object.
    #[must_use]
    pub const fn gives(self, object: &'static str) -> Self {
        Self { response_object: Some(object), ..self }
    }

    /// Sets what becomes of the payload.
    #[must_use]
    pub const fn payload(self, payload: PayloadRule) -> Self {
        Self { payload, ..self }
    }

    /// Sets the largest file it takes, in bytes before base64.
    #[must_use]
    pub const fn files_up_to(self, bytes: usize) -> Self {
        Self { max_file_bytes: Some(bytes), ..self }
    }

    /// Sets how sure we are.
    #[must_use]
    pub const fn sure(self, provenance: Provenance) -> Self {
        Self { provenance, ..self }
    }
}

/// What follows the last `/`.
const fn last_part(path: &'static str) -> &'static str {
    let bytes = path.as_bytes();
    let mut start = bytes.len();
    while start > 0 && bytes[start - 1] != b'/' {
        start -= 1;
    }
    path.split_at(start).1
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

impl Product {
    /// The name in lower case: `baas`, `issuing`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Baas => "baas",
            Self::Issuing => "issuing",
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether an operation changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// Only reads: safe to send again.
    Query,
    /// Changes state, possibly moves money: never to be sent again blindly.
    Mutation,
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
        })
    }
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

impl fmt::Display for PayloadRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Signed => "signed",
            Self::Unsigned => "unsigned",
            Self::None => "none",
        })
    }
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
        f.pad(match self {
            Self::Documented => "documented",
            Self::Seen => "seen",
            Self::Inferred => "inferred",
        })
    }
}

payload! {
    /// A response without business data. What it holds nevertheless is kept.
    pub struct NoData: Documented {
        required {}
        optional {}
    }
}
