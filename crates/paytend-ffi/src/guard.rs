//! Catches panics and reports errors to the C caller.

use paytend_bindings::{Failure, guarded};

use crate::abi::required;
use crate::error::PaytendError;

/// Runs the body of a function, and returns 0 or the error code. On failure, writes the error to `error`, unless
/// `error` is null.
///
/// # Safety
/// `error` must be null or valid for writes.
pub(crate) unsafe fn guard(error: *mut *mut PaytendError, work: impl FnOnce() -> Result<(), Failure>) -> i32 {
    match guarded(work) {
        Ok(()) => 0,
        Err(failure) => {
            let code = failure.code().number();
            if !error.is_null() {
                // SAFETY: the caller guarantees that the pointer is valid for writes.
                unsafe { error.write(Box::into_raw(Box::new(PaytendError::new(failure)))) };
            }
            code
        }
    }
}

/// Runs the body of a function that writes a result to `out`. If `out` is null, the body does not run, so it cannot
/// create a result that no one frees.
///
/// # Safety
/// `error` must be null or valid for writes.
pub(crate) unsafe fn guard_out<T>(
    out: *mut T,
    error: *mut *mut PaytendError,
    work: impl FnOnce() -> Result<(), Failure>,
) -> i32 {
    // SAFETY: `guard` has the same safety requirements as this function.
    unsafe { guard(error, || required(out).and_then(|()| work())) }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;
    use crate::error::{paytend_error_code, paytend_error_free};

    #[test]
    fn panic_becomes_an_internal_error() {
        let mut error = ptr::null_mut();
        // SAFETY: the error pointer is valid for writes, and the error is freed once.
        unsafe {
            assert_eq!(guard(&raw mut error, || panic!("CANARY")), 10);
            assert_eq!(paytend_error_code(error), 10);
            paytend_error_free(error);
        }
    }
}
