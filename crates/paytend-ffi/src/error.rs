//! Errors.

use std::ffi::{CString, c_char};

use paytend_bindings::{Code, Failure};

use crate::abi::{PaytendSlice, free};

/// What went wrong. The numbers never change their meaning.
#[repr(i32)]
#[derive(Clone, Copy)]
pub enum PaytendCode {
    /// Nothing.
    Ok = 0,
    /// An argument makes no sense.
    Usage = 1,
    /// The message is not from the expected sender to the expected receiver, or was changed. There is no more to know.
    NotAuthentic = 2,
    /// The document breaks a rule that anybody can see.
    Malformed = 3,
    /// The message is authentic, and its payload is not one JSON object.
    Payload = 4,
    /// A failure answer without a signature, which proves nothing.
    UnsignedFailure = 5,
    /// The message would have more than one reading, so no receiver would take it.
    Unsealable = 6,
    /// A key cannot be read or used.
    Key = 7,
    /// A key's backend, or the source of randomness, does not work now.
    Unavailable = 8,
    /// An authentic notification that is not taken: too old, from the future, for another merchant.
    Rejected = 9,
    /// A defect of this library.
    Internal = 10,
}

/// The numbers are those that all bindings share.
const _: () = {
    let pairs = [
        (PaytendCode::Usage as i32, Code::Usage),
        (PaytendCode::NotAuthentic as i32, Code::NotAuthentic),
        (PaytendCode::Malformed as i32, Code::Malformed),
        (PaytendCode::Payload as i32, Code::Payload),
        (PaytendCode::UnsignedFailure as i32, Code::UnsignedFailure),
        (PaytendCode::Unsealable as i32, Code::Unsealable),
        (PaytendCode::Key as i32, Code::Key),
        (PaytendCode::Unavailable as i32, Code::Unavailable),
        (PaytendCode::Rejected as i32, Code::Rejected),
        (PaytendCode::Internal as i32, Code::Internal),
    ];
    assert!(pairs.len() == Code::ALL.len() && PaytendCode::Ok as i32 == 0);
    let mut at = 0;
    while at < pairs.len() {
        assert!(pairs[at].0 == pairs[at].1 as i32);
        at += 1;
    }
};

/// A failure. Free it with `paytend_error_free`.
pub struct PaytendError {
    failure: Failure,
    name: CString,
    message: CString,
}

impl PaytendError {
    pub(crate) fn new(failure: Failure) -> Self {
        let text = |text: &str| CString::new(text.replace('\0', "")).unwrap_or_default();
        Self { name: text(failure.code().name()), message: text(failure.message()), failure }
    }
}

/// The code, one of `PaytendCode`; 0 for null.
///
/// # Safety
/// `error` is null, or an error that is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_error_code(error: *const PaytendError) -> i32 {
    // SAFETY: the caller promises it.
    unsafe { error.as_ref() }.map_or(0, |error| error.failure.code().number())
}

/// The code's name, such as `not_authentic`, with a zero at its end. Lives as long as the error.
///
/// # Safety
/// As `paytend_error_code`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_error_name(error: *const PaytendError) -> *const c_char {
    // SAFETY: the caller promises it.
    unsafe { error.as_ref() }.map_or(std::ptr::null(), |error| error.name.as_ptr())
}

/// What went wrong, in words, with a zero at its end: nothing secret or personal. Lives as long as the error.
///
/// # Safety
/// As `paytend_error_code`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_error_message(error: *const PaytendError) -> *const c_char {
    // SAFETY: the caller promises it.
    unsafe { error.as_ref() }.map_or(std::ptr::null(), |error| error.message.as_ptr())
}

/// `respCode` of an unsigned failure. Anybody on the way may have written it. Lives as long as the error.
///
/// # Safety
/// As `paytend_error_code`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_error_resp_code(error: *const PaytendError) -> PaytendSlice {
    // SAFETY: the caller promises it.
    let answered = unsafe { error.as_ref() }.and_then(|error| error.failure.answered());
    answered.map_or(PaytendSlice::NONE, |(code, _)| PaytendSlice::of(code.as_bytes()))
}

/// `respMsg` of an unsigned failure, likewise.
///
/// # Safety
/// As `paytend_error_code`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_error_resp_msg(error: *const PaytendError) -> PaytendSlice {
    // SAFETY: the caller promises it.
    let answered = unsafe { error.as_ref() }.and_then(|error| error.failure.answered());
    answered.map_or(PaytendSlice::NONE, |(_, message)| PaytendSlice::of(message.as_bytes()))
}

/// Frees an error. Null is left alone.
///
/// # Safety
/// `error` is null or an error, and is freed once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_error_free(error: *mut PaytendError) {
    // SAFETY: the caller promises it.
    unsafe { free(error) };
}
