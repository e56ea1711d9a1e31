//! Error codes and error objects.

use std::ffi::{CString, c_char};

use paytend_bindings::{Code, Failure};

use crate::abi::{PaytendSlice, free};

/// The error codes. The meaning of a number never changes.
#[repr(i32)]
#[derive(Clone, Copy)]
pub enum PaytendCode {
    /// Success.
    Ok = 0,
    /// An argument is invalid.
    Usage = 1,
    /// The message was not sent by the expected sender to the expected receiver, or it was modified. The exact reason
    /// is not reported.
    NotAuthentic = 2,
    /// The document breaks a format rule that can be checked without a key.
    Malformed = 3,
    /// The message is authentic, but its payload is not a single JSON object.
    Payload = 4,
    /// The document is an unsigned error response, which cannot be authenticated.
    UnsignedFailure = 5,
    /// The message cannot be sealed: a field or the payload breaks a rule that receivers enforce (for example, it
    /// would make the signed text ambiguous).
    Unsealable = 6,
    /// A key cannot be read or used.
    Key = 7,
    /// A key's backend or the random source is temporarily unavailable.
    Unavailable = 8,
    /// An authentic notification was rejected because it is too old, dated in the future, or for the wrong merchant.
    Rejected = 9,
    /// A bug in this library.
    Internal = 10,
}

/// Checks at compile time that the numbers match [`Code`], which all bindings share.
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

/// An error. Free it with `paytend_error_free`.
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

/// Returns an error's code as a value of `PaytendCode`, or 0 if `error` is null.
///
/// # Safety
/// `error` must be null or a valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_error_code(error: *const PaytendError) -> i32 {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { error.as_ref() }.map_or(0, |error| error.failure.code().number())
}

/// Returns the code's name, such as `not_authentic`, as a zero-terminated string that is valid until the error is
/// freed. Returns null if `error` is null.
///
/// # Safety
/// `error` must be null or a valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_error_name(error: *const PaytendError) -> *const c_char {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { error.as_ref() }.map_or(std::ptr::null(), |error| error.name.as_ptr())
}

/// Returns the error message as a zero-terminated string that is valid until the error is freed. Returns null if
/// `error` is null. The message contains no secrets or personal data.
///
/// # Safety
/// `error` must be null or a valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_error_message(error: *const PaytendError) -> *const c_char {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { error.as_ref() }.map_or(std::ptr::null(), |error| error.message.as_ptr())
}

/// Returns the `respCode` of an unsigned error response, as a slice that is valid until the error is freed. The value
/// is not authenticated: an attacker on the network may have written it.
///
/// # Safety
/// `error` must be null or a valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_error_resp_code(error: *const PaytendError) -> PaytendSlice {
    // SAFETY: the caller upholds the safety requirements.
    let api_error = unsafe { error.as_ref() }.and_then(|error| error.failure.api_error());
    api_error.map_or(PaytendSlice::NONE, |(code, _)| PaytendSlice::of(code.as_bytes()))
}

/// Returns the `respMsg` of an unsigned error response, as a slice that is valid until the error is freed. The value is
/// not authenticated: an attacker on the network may have written it.
///
/// # Safety
/// `error` must be null or a valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_error_resp_msg(error: *const PaytendError) -> PaytendSlice {
    // SAFETY: the caller upholds the safety requirements.
    let api_error = unsafe { error.as_ref() }.and_then(|error| error.failure.api_error());
    api_error.map_or(PaytendSlice::NONE, |(_, message)| PaytendSlice::of(message.as_bytes()))
}

/// Frees an error. Does nothing if `error` is null.
///
/// # Safety
/// `error` must be null or a valid handle, which must not be used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_error_free(error: *mut PaytendError) {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { free(error) };
}
