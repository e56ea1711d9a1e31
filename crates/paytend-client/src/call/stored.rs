//! The byte form of a prepared request, for callers that store it.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use http::HeaderValue;
use paytend_crypto::RequestId;
use paytend_model::Operation;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::call::prepared::PreparedRequest;

/// The first bytes of every stored request.
const MAGIC: &[u8] = b"PTRQ";
/// The format version of stored requests.
const VERSION: u8 = 1;
/// The length in bytes of the checksum (SHA-256) at the end.
const CHECKSUM: usize = 32;

/// The error returned when bytes are not a stored request of the expected operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestoreError {
    /// The bytes are not a stored request.
    NotARequest,
    /// The bytes were written by a newer version of this crate.
    Version(u8),
    /// The bytes were altered or are incomplete.
    Damaged,
    /// The stored request calls a different operation.
    OtherOperation,
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARequest => f.write_str("the bytes are not a stored request"),
            Self::Version(found) => {
                write!(
                    f,
                    "the stored request has version {found}, but this program reads {VERSION}; update the program"
                )
            }
            Self::Damaged => f.write_str("the stored request was altered or is incomplete"),
            Self::OtherOperation => f.write_str("the stored request calls a different operation"),
        }
    }
}

impl std::error::Error for RestoreError {}

impl<O: Operation> PreparedRequest<O> {
    /// Returns the request in a form that can be stored, with a version and a checksum.
    ///
    /// **Encrypt the bytes before you store them.** They contain the business data as plaintext, which can include
    /// personal data and card data.
    ///
    /// ```no_run
    /// # use paytend_client::{Client, PreparedRequest};
    /// # use paytend_model::issuing::Topup;
    /// # fn example(client: &Client, topup: &Topup) -> Result<(), Box<dyn std::error::Error>> {
    /// let prepared = client.prepare(topup)?;
    /// let restored = PreparedRequest::<Topup>::from_bytes(&prepared.to_bytes())?;
    /// assert_eq!(restored.document(), prepared.document());
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let trace = self.trace_parent.as_ref().map_or(&[][..], HeaderValue::as_bytes);
        let mut parts: Vec<&[u8]> = vec![
            O::INFO.path.as_bytes(),
            self.request_id.as_str().as_bytes(),
            &self.document,
            self.payload.as_bytes(),
            trace,
        ];
        for (name, value) in &self.extra {
            parts.extend([name.as_bytes(), value.as_bytes()]);
        }
        let length: usize = parts.iter().map(|part| 8 + part.len()).sum();
        // The full size is reserved first, because growing the buffer would leave copies of the payload in freed
        // memory.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAGIC.len() + 1 + length + CHECKSUM));
        bytes.extend_from_slice(MAGIC);
        bytes.push(VERSION);
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    /// Restores a request from the bytes that [`to_bytes`](Self::to_bytes) returned.
    ///
    /// # Errors
    /// - Returns [`RestoreError::NotARequest`] if the bytes are not a stored request.
    /// - Returns [`RestoreError::Version`] if a newer version of this crate wrote them.
    /// - Returns [`RestoreError::Damaged`] if they were altered.
    /// - Returns [`RestoreError::OtherOperation`] if the request calls an operation other than `O`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RestoreError> {
        let parts = checked(bytes)?;
        let [path, request_id, document, payload, trace, extra @ ..] = parts.as_slice() else {
            return Err(RestoreError::Damaged);
        };
        if *path != O::INFO.path {
            return Err(RestoreError::OtherOperation);
        }
        let request_id: RequestId = request_id.parse().map_err(|_| RestoreError::Damaged)?;
        if member(document, "requestId").as_deref() != Some(request_id.as_str()) {
            return Err(RestoreError::Damaged);
        }
        let trace_parent = match *trace {
            "" => None,
            value => Some(HeaderValue::from_str(value).map_err(|_| RestoreError::Damaged)?),
        };
        let (pairs, rest) = extra.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(RestoreError::Damaged);
        }
        Ok(Self {
            request_id,
            document: Bytes::copy_from_slice(document.as_bytes()),
            sealed: None,
            payload: (*payload).to_owned(),
            extra: pairs.iter().map(|[name, value]| ((*name).to_owned(), (*value).to_owned())).collect(),
            trace_parent,
            operation: PhantomData,
        })
    }
}

/// Checks the version and the checksum, and returns the parts.
fn checked(bytes: &[u8]) -> Result<Vec<&str>, RestoreError> {
    let versioned = bytes.strip_prefix(MAGIC).ok_or(RestoreError::NotARequest)?;
    match versioned.first() {
        Some(&VERSION) => {}
        Some(other) => return Err(RestoreError::Version(*other)),
        None => return Err(RestoreError::Damaged),
    }
    let (content, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(RestoreError::Damaged)?;
    if Sha256::digest(content)[..] != checksum[..] {
        return Err(RestoreError::Damaged);
    }
    parts(content.get(MAGIC.len() + 1..).unwrap_or_default()).ok_or(RestoreError::Damaged)
}

/// Splits the content into its parts, each of which is preceded by its length as eight bytes.
fn parts(mut content: &[u8]) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    while !content.is_empty() {
        let (length, rest) = content.split_first_chunk::<8>()?;
        let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
        let (part, rest) = rest.split_at_checked(length)?;
        parts.push(std::str::from_utf8(part).ok()?);
        content = rest;
    }
    Some(parts)
}

/// Returns a string member of a sealed document.
pub(crate) fn member(document: &str, name: &str) -> Option<String> {
    let members = paytend_json::members(document.as_bytes()).ok()?;
    let found =
        members.iter().find(|member| serde_json::from_slice::<String>(member.name).is_ok_and(|found| found == name))?;
    serde_json::from_slice(found.value).ok()
}

/// Returns the payload of a stored request for any operation, for tools that display it. It contains the business data.
///
/// # Errors
/// Returns the same errors as [`PreparedRequest::from_bytes`], except [`RestoreError::OtherOperation`].
pub fn stored_payload(bytes: &[u8]) -> Result<&str, RestoreError> {
    Ok(checked(bytes)?.get(3).copied().unwrap_or_default())
}
