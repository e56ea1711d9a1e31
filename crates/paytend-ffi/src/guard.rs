//! No panic crosses the boundary.

use paytend_bindings::{Failure, guarded};

use crate::abi::required;
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

/// The same for a function with a result: if there is no place to write it to, nothing is done, so nothing that was
/// made gets lost.
///
/// # Safety
/// As [`guard`].
pub(crate) unsafe fn guard_out<T>(
    out: *mut T,
    error: *mut *mut PaytendError,
    work: impl FnOnce() -> Result<(), Failure>,
) -> i32 {
    // SAFETY: the caller's promise is passed on.
    unsafe { guard(error, || required(out).and_then(|()| work())) }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;
    use crate::error::{paytend_error_code, paytend_error_free};

    #[test]
    fn a_panic_becomes_an_internal_error() {
        let mut error = ptr::null_mut();
        // SAFETY: the error may be written to, and is freed once.
        unsafe {
            assert_eq!(guard(&raw mut error, || panic!("CANARY")), 10);
            assert_eq!(paytend_error_code(error), 10);
            paytend_error_free(error);
        }
    }
}
