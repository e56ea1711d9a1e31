//! No panic reaches another language.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Code, Failure};

/// Runs what a function of a binding does. A panic is a failure like others: [`Code::Internal`].
///
/// # Errors
/// What the work fails with.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    caught(work).unwrap_or_else(|| Err(defect()))
}

/// What the work gives, unless it panics.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    // What a panic leaves behind is dropped; what the bindings hold is never changed, so nothing is half changed.
    catch_unwind(AssertUnwindSafe(work)).ok()
}

pub(crate) fn defect() -> Failure {
    Failure::new(Code::Internal, "a defect of this library; please report it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure() {
        let failure = guarded::<()>(|| panic!("secret-4711")).unwrap_err();
        assert_eq!(failure.code(), Code::Internal);
        assert!(!failure.message().contains("4711"));
        assert_eq!(guarded(|| Ok(1)).unwrap(), 1);
    }
}
