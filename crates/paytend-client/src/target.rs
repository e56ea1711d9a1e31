//! What is called: an operation's description, whether it is a type of this workspace or the caller's own words.

use std::borrow::Cow;

use paytend_model::{OperationInfo, OperationKind, PayloadRule};

/// An operation to call.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: Cow<'static, str>,
    /// The path by default, by which a configured one is found.
    pub(crate) path: Cow<'static, str>,
    pub(crate) kind: OperationKind,
    pub(crate) payload: PayloadRule,
    pub(crate) has_response: bool,
    pub(crate) takes_file: bool,
    /// Whether the operation is described by a type.
    pub(crate) is_known: bool,
}

impl From<&OperationInfo> for Target {
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

impl Target {
    /// A path that no operation of the model has: a mutation, for all we know.
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
