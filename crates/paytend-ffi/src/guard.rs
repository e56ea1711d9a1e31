//! No panic crosses the boundary.

use paytend_bindings::{Failure, guarded};

use crate::error::PaytendError;

/// Runs what a function does; gives its code, and the error if one is asked for.
///
/// # Safety
/// `error` is null, or may be written to.
pub(crate) unsafe fn guard(error: *mut *mut PaytendError, work: impl FnOnce() -> Result<(), Failure>) -> i32 {
    match guarded(work) {
        Ok(()) => 0,
        Err(failure) => {
            let code = failure.code().number();
            if !error.is_null() {
                // SAFETY: the caller promises that it may be written to.
                unsafe { error.write(Box::into_raw(Box::new(PaytendError::new(failure)))) };
            }
            code
        }
    }
}
