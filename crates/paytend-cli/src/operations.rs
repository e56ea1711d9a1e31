//! Finds API operations by their names or paths.

use paytend_model::{OperationEntry, OperationError, OperationKind, operation, operations};

use crate::exit::Failure;
use crate::suggest::{Suggested, did_you_mean};

/// The operation to call: an operation from `paytend-model`, or a path that `paytend-model` does not contain.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Known(&'static OperationEntry),
    Path(String),
}

impl Target {
    /// Finds an operation by its name or path. Accepts unknown paths.
    pub(crate) fn find(name: &str) -> Result<Self, Failure> {
        match find(name) {
            Err(_) if name.starts_with('/') => Ok(Self::Path(name.to_owned())),
            found => found.map(Self::Known),
        }
    }

    /// Returns the name with its product, such as `issuing.topup`, or the path.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Known(entry) => full_name(entry),
            Self::Path(path) => path.clone(),
        }
    }

    /// Returns whether the operation can change state. Returns true for an unknown operation.
    pub(crate) fn is_mutation(&self) -> bool {
        match self {
            Self::Known(entry) => entry.info.kind == OperationKind::Mutation,
            Self::Path(_) => true,
        }
    }
}

/// Finds an operation by its name or path.
///
/// # Errors
/// Returns a usage error that suggests a similar name.
pub(crate) fn find(name: &str) -> Result<&'static OperationEntry, Failure> {
    operation(name).map_err(|error| {
        let names: Vec<String> =
            operations().iter().flat_map(|entry| [full_name(entry), entry.info.path.to_owned()]).collect();
        let hint = match error {
            OperationError::Unknown => did_you_mean(name, names.iter().map(String::as_str)),
            _ => None,
        };
        let hint = hint.unwrap_or_else(|| "run `paytend endpoints` for a list".to_owned());
        Failure::usage(format!("{name}: {error}; {hint}"))
    })
}

/// Returns a parser for names of operations. It offers the known names for shell completions.
pub(crate) fn suggested() -> Suggested {
    Suggested::new(operations().iter().map(full_name))
}

/// Returns the name with its product, such as `issuing.topup`.
pub(crate) fn full_name(entry: &OperationEntry) -> String {
    format!("{}.{}", entry.info.product, entry.info.name)
}
