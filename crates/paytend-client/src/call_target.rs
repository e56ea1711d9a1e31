//! The operation that a request calls: an operation of `paytend-model`, or a path specified by the caller.

use std::borrow::Cow;

use paytend_model::{OperationInfo, OperationKind, PayloadRule};

/// The operation that a request calls.
#[derive(Clone, Debug)]
pub(crate) struct CallTarget {
    pub(crate) name: Cow<'static, str>,
    /// The default path. A path configured for the operation is looked up by its default path.
    pub(crate) path: Cow<'static, str>,
    pub(crate) kind: OperationKind,
    pub(crate) payload: PayloadRule,
    pub(crate) has_response: bool,
    pub(crate) takes_file: bool,
    /// Whether the operation has a Rust type, either from `paytend-model` or defined by the caller.
    pub(crate) is_known: bool,
}

impl From<&OperationInfo> for CallTarget {
    fn from(info: &OperationInfo) -> Self {
        Self {
            name: info.name.into(),
            path: info.path.into(),
            kind: info.kind,
            payload: info.payload,
            has_response: info.response_object.is_some(),
            takes_file: info.max_file_bytes.is_some(),
            is_known: true,
        }
    }
}

impl CallTarget {
    /// Creates a target for a path that `paytend-model` does not contain. The operation may be a mutation,
    /// so it is treated as one.
    pub(crate) fn unknown(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        Self {
            name: name.into(),
            path: path.to_owned().into(),
            kind: OperationKind::Mutation,
            payload: PayloadRule::Signed,
            has_response: false,
            takes_file: false,
            is_known: false,
        }
    }
}
