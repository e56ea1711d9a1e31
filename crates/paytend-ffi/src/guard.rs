//! No panic crosses the boundary.

use std::panic::{AssertUnwindSafe, catch_unwind};

use paytend_bindings::{Code, Failure};

use crate::error::PaytendError;

/// Runs what a function does; gives its code, and the error if one is asked for.
///
/// # Safety
/// `error` is null, or may be written to.
pub(crate) unsafe fn guard(error: *mut *mut PaytendError, work: impl FnOnce() -> Result<(), Failure>) -> i32 {
    // What a panic leaves behind is dropped; handles are never changed, so none is half changed.
    let result = catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Failure::new(Code::Internal, "a defect of this library; please report it")));
    match result {
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
