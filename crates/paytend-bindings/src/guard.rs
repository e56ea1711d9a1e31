//! Catches panics before they cross the language boundary.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Code, Failure};

/// Runs `work`, the body of a binding function, and converts a panic to a failure.
///
/// # Errors
/// Returns the failure of `work`, or [`Code::Internal`] if it panics.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_panic(work).unwrap_or_else(|| Err(internal_failure()))
}

/// Returns the result of `work`, or `None` if it panics.
pub(crate) fn catch_panic<T>(work: impl FnOnce() -> T) -> Option<T> {
    // This is unwind safe, because all values in the bindings are immutable and a panic cannot leave them partially
    // modified.
    catch_unwind(AssertUnwindSafe(work)).ok()
}

pub(crate) fn internal_failure() -> Failure {
    Failure::new(Code::Internal, "internal error: this is a bug in paytend; please report it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_becomes_internal_failure() {
        let failure = guarded::<()>(|| panic!("secret-4711")).unwrap_err();
        assert_eq!(failure.code(), Code::Internal);
        assert!(!failure.message().contains("4711"));
        assert_eq!(guarded(|| Ok(1)).unwrap(), 1);
    }
}
