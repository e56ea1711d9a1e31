//! Types and helpers for passing data across the C boundary: slices, buffers and handles.

use std::ptr;

use paytend_bindings::{Code, Failure};
use zeroize::Zeroize;

/// A borrowed slice of bytes. `data` can be null if `len` is 0. Text is UTF-8 and not zero-terminated.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct PaytendSlice {
    /// A pointer to the first byte.
    pub data: *const u8,
    /// The number of bytes.
    pub len: usize,
}

impl PaytendSlice {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), len: bytes.len() }
    }

    pub(crate) const NONE: Self = Self { data: ptr::null(), len: 0 };

    /// Returns the bytes. `name` identifies the argument in error messages.
    ///
    /// # Safety
    /// `data` must point to `len` bytes that do not change during the call, unless `len` is 0.
    pub(crate) unsafe fn bytes<'a>(self, name: &str) -> Result<&'a [u8], Failure> {
        if self.len == 0 {
            return Ok(&[]);
        }
        if self.data.is_null() || isize::try_from(self.len).is_err() {
            return Err(usage(&format!("{name} has a null pointer with a nonzero length, or is too long")));
        }
        // SAFETY: the pointer is not null and the length is not excessive, as checked above. The caller guarantees that
        // the bytes are valid.
        Ok(unsafe { std::slice::from_raw_parts(self.data, self.len) })
    }

    /// Returns the bytes as a string. `name` identifies the argument in error messages.
    ///
    /// # Safety
    /// `data` must meet the requirements of [`bytes`](Self::bytes).
    pub(crate) unsafe fn text<'a>(self, name: &str) -> Result<&'a str, Failure> {
        // SAFETY: `bytes` has the same safety requirements as this function.
        let bytes = unsafe { self.bytes(name) }?;
        std::str::from_utf8(bytes).map_err(|_| usage(&format!("{name} is not valid UTF-8")))
    }
}

/// An HTTP request header, or a message field.
#[repr(C)]
pub struct PaytendHeader {
    /// The name.
    pub name: PaytendSlice,
    /// The value.
    pub value: PaytendSlice,
}

/// Bytes that the caller owns. Free them with `paytend_buffer_free`, which also wipes them.
#[repr(C)]
pub struct PaytendBuffer {
    /// A pointer to the first byte; null if the buffer is empty.
    pub data: *mut u8,
    /// The number of bytes.
    pub len: usize,
}

impl PaytendBuffer {
    /// Copies bytes into a new buffer. The caller must wipe the original if it is secret.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self { data: ptr::null_mut(), len: 0 };
        }
        let boxed: Box<[u8]> = bytes.into();
        Self { len: boxed.len(), data: Box::into_raw(boxed).cast() }
    }
}

/// Wipes and frees a buffer. Does nothing if `data` is null.
///
/// # Safety
/// The buffer must have been returned by this library, and must not be used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_buffer_free(buffer: PaytendBuffer) {
    if !buffer.data.is_null() {
        // SAFETY: `PaytendBuffer::of` allocated the buffer with this length, and the caller frees it only once.
        let mut bytes = unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(buffer.data, buffer.len)) };
        bytes.zeroize();
    }
}

/// Returns the library version as a zero-terminated string with static lifetime.
#[unsafe(no_mangle)]
pub extern "C" fn paytend_version() -> *const std::ffi::c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

pub(crate) fn usage(message: &str) -> Failure {
    Failure::new(Code::Usage, message)
}

/// Writes a value to `out`.
///
/// # Safety
/// `out` must be null or valid for writes.
pub(crate) unsafe fn write_value<T>(out: *mut T, value: T) -> Result<(), Failure> {
    required(out)?;
    // SAFETY: the caller guarantees that the pointer is valid for writes.
    unsafe { out.write(value) };
    Ok(())
}

/// Writes a copy of the bytes to `out` as a buffer. Nothing is allocated if `out` is null.
///
/// # Safety
/// `out` must be null or valid for writes.
pub(crate) unsafe fn write_buffer(out: *mut PaytendBuffer, bytes: &[u8]) -> Result<(), Failure> {
    required(out)?;
    // SAFETY: `write_value` has the same safety requirements as this function.
    unsafe { write_value(out, PaytendBuffer::of(bytes)) }
}

/// Returns a usage error if the output pointer is null.
pub(crate) fn required<T>(out: *mut T) -> Result<(), Failure> {
    if out.is_null() { Err(usage("the output pointer is null")) } else { Ok(()) }
}

/// Moves a value to the heap and writes its handle to `out`.
///
/// # Safety
/// `out` must be null or valid for writes.
pub(crate) unsafe fn write_handle<T>(out: *mut *mut T, value: T) -> Result<(), Failure> {
    required(out)?;
    // SAFETY: `write_value` has the same safety requirements as this function.
    unsafe { write_value(out, Box::into_raw(Box::new(value))) }
}

/// Returns the value behind a handle. `name` identifies the argument in error messages.
///
/// # Safety
/// `handle` must be null or a valid handle.
pub(crate) unsafe fn handle<'a, T>(handle: *const T, name: &str) -> Result<&'a T, Failure> {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { handle.as_ref() }.ok_or_else(|| usage(&format!("{name} is null")))
}

/// Returns an array as a slice. `name` identifies the argument in error messages.
///
/// # Safety
/// `first` must point to `len` values that do not change during the call, unless `len` is 0.
pub(crate) unsafe fn array<'a, T>(first: *const T, len: usize, name: &str) -> Result<&'a [T], Failure> {
    if len == 0 {
        return Ok(&[]);
    }
    let bytes = len.checked_mul(size_of::<T>()).and_then(|bytes| isize::try_from(bytes).ok());
    if first.is_null() || bytes.is_none() {
        return Err(usage(&format!("{name} has a null pointer with a nonzero length, or is too long")));
    }
    // SAFETY: the pointer is not null and the length is not excessive, as checked above. The caller guarantees that the
    // values are valid.
    Ok(unsafe { std::slice::from_raw_parts(first, len) })
}

/// Frees the value behind a handle. Does nothing if `handle` is null.
///
/// # Safety
/// `handle` must be null or a valid handle, which must not be used afterwards.
pub(crate) unsafe fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: `write_handle` allocated the value, and the caller frees it only once.
        drop(unsafe { Box::from_raw(handle) });
    }
}
