//! API operations: the trait that request types implement, and the description of an operation.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::provenance::{Provenance, Source};
use crate::validate::Validate;

/// An API operation. A value of the type is the business data of a request (`bizData`).
///
/// To call an operation that this crate does not define, implement this trait for a type that implements `Serialize`,
/// `Deserialize` and `Validate`. The `impl Validate` can be empty.
pub trait Operation: Validate + Serialize + DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    /// The business data of the response (`respData`), or [`NoData`] if the response has no data.
    type Response: Serialize + DeserializeOwned + fmt::Debug + Send + Sync + 'static;

    /// The name, path, kind and provenance of the operation.
    const INFO: OperationInfo;
}

/// The description of an [`Operation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationInfo {
    /// A short name in camelCase, such as `getTopupResult`: the last part of the path. Unique within the product.
    pub name: &'static str,
    /// The name in the documentation, such as "Query topup result".
    pub title: &'static str,
    /// The product whose documentation describes the operation.
    pub product: Product,
    /// The default path below the base URL, starting with `/`.
    pub path: &'static str,
    /// Whether the operation changes state.
    pub kind: OperationKind,
    /// Whether a request has a payload, and whether the payload is signed.
    pub payload: PayloadRule,
    /// The largest file that the operation accepts, in bytes before base64 encoding.
    pub max_file_bytes: Option<usize>,
    /// The documented name of the request object, such as `Topup_BizData`.
    pub request_object: Option<&'static str>,
    /// The documented name of the response object, such as `TopupResponse`.
    pub response_object: Option<&'static str>,
    /// The document and section that describe the operation. The heading of the section is `title`.
    pub documentation: &'static str,
    /// The sources of the name, the path and the fields.
    pub provenance: Provenance,
}

impl OperationInfo {
    /// Creates the description of an operation with a signed payload. The name, path and fields are marked as inferred
    /// unless [`provenance`](Self::provenance) is called.
    ///
    /// ```
    /// use paytend_model::{OperationInfo, OperationKind, Product};
    /// const INFO: OperationInfo =
    ///     OperationInfo::new(Product::Issuing, OperationKind::Query, "Query card limits", "/issuing/card/getLimits");
    /// assert_eq!(INFO.name, "getLimits");
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

    /// Sets the document and section that describe the operation.
    #[must_use]
    pub const fn documented(self, documentation: &'static str) -> Self {
        Self { documentation, ..self }
    }

    /// Sets the documented name of the request object.
    #[must_use]
    pub const fn request_object(self, object: &'static str) -> Self {
        Self { request_object: Some(object), ..self }
    }

    /// Sets the documented name of the response object.
    #[must_use]
    pub const fn response_object(self, object: &'static str) -> Self {
        Self { response_object: Some(object), ..self }
    }

    /// Sets whether a request has a payload, and whether the payload is signed.
    #[must_use]
    pub const fn payload(self, payload: PayloadRule) -> Self {
        Self { payload, ..self }
    }

    /// Sets the size of the largest file that the operation accepts, in bytes before base64 encoding.
    #[must_use]
    pub const fn max_file_bytes(self, bytes: usize) -> Self {
        Self { max_file_bytes: Some(bytes), ..self }
    }

    /// Sets the sources of the name, the path and the fields.
    #[must_use]
    pub const fn provenance(self, provenance: Provenance) -> Self {
        Self { provenance, ..self }
    }
}

/// Returns the part of a path after the last `/`.
const fn last_part(path: &'static str) -> &'static str {
    let bytes = path.as_bytes();
    let mut start = bytes.len();
    while start > 0 && bytes[start - 1] != b'/' {
        start -= 1;
    }
    path.split_at(start).1
}

/// A Paytend product. Each product numbers its notifications separately, so a `notifyType` is ambiguous without
/// the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Product {
    /// BaaS Core (IBAN accounts), Funding Notification and Payout, which share a callback URL.
    Baas,
    /// Issuing Cards.
    Issuing,
}

impl Product {
    /// Returns the name in lower case: `baas` or `issuing`.
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

/// Whether an operation changes state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// The operation only reads, so it is safe to retry.
    Query,
    /// The operation changes state and may move money, so it must never be blindly retried.
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

/// Whether an operation has a payload, and whether the payload is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadRule {
    /// The payload is encrypted and signed.
    Signed,
    /// The payload is encrypted but not signed, as in the BaaS Core upload operations.
    Unsigned,
    /// The operation has no payload: `bizData` is sent empty.
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

payload! {
    /// A response without business data. Any fields in the response are kept in `extra`.
    pub struct NoData: Documented {}
}
