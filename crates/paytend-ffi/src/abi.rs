//! Crossing the boundary: slices in, buffers and handles out.

use std::ptr;

use paytend_bindings::{Code, Failure};
use zeroize::Zeroize;

/// Bytes that somebody else owns. `data` may be null if `len` is 0. Text is UTF-8, without a zero at its end.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct PaytendSlice {
    /// The first byte.
    pub data: *const u8,
    /// How many there are.
    pub len: usize,
}

impl PaytendSlice {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), len: bytes.len() }
    }

    pub(crate) const NONE: Self = Self { data: ptr::null(), len: 0 };

    /// Returns the bytes. `name` is the argument's, for the error.
    ///
    /// # Safety
    /// `data` points to `len` bytes that nobody changes meanwhile, or `len` is 0.
    pub(crate) unsafe fn bytes<'a>(self, name: &str) -> Result<&'a [u8], Failure> {
        if self.len == 0 {
            return Ok(&[]);
        }
        if self.data.is_null() || isize::try_from(self.len).is_err() {
            return Err(usage(&format!("{name} has a length and no data, or an impossible length")));
        }
        // SAFETY: the caller promises it; null and too long are ruled out.
        Ok(unsafe { std::slice::from_raw_parts(self.data, self.len) })
    }

    /// Returns the text. `name` is the argument's, for the error.
    ///
    /// # Safety
    /// As [`bytes`](Self::bytes).
    pub(crate) unsafe fn text<'a>(self, name: &str) -> Result<&'a str, Failure> {
        // SAFETY: the caller's promise is passed on.
        let bytes = unsafe { self.bytes(name) }?;
        std::str::from_utf8(bytes).map_err(|_| usage(&format!("{name} is not UTF-8")))
    }
}

/// A header of a request, or a field of a message.
#[repr(C)]
pub struct PaytendHeader {
    /// Its name.
    pub name: PaytendSlice,
    /// Its value.
    pub value: PaytendSlice,
}

/// Bytes that the caller owns: free them with `paytend_buffer_free`, which wipes them first.
#[repr(C)]
pub struct PaytendBuffer {
    /// The first byte; null if there are none.
    pub data: *mut u8,
    /// How many there are.
    pub len: usize,
}

impl PaytendBuffer {
    /// Takes over bytes. Vectors that may be secret are wiped by their owner.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self { data: ptr::null_mut(), len: 0 };
        }
        let boxed: Box<[u8]> = bytes.into();
        Self { len: boxed.len(), data: Box::into_raw(boxed).cast() }
    }
}

/// Wipes and frees a buffer. One without data is left alone.
///
/// # Safety
/// The buffer was given out by this library, and is freed once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_buffer_free(buffer: PaytendBuffer) {
    if !buffer.data.is_null() {
        // SAFETY: it was made by `PaytendBuffer::of` with this length, and is freed once.
        let mut bytes = unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(buffer.data, buffer.len)) };
        bytes.zeroize();
    }
}

/// The version of the library, as text with a zero at its end. Lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn paytend_version() -> *const std::ffi::c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

pub(crate) fn usage(message: &str) -> Failure {
    Failure::new(Code::Usage, message)
}

/// Gives out a value.
///
/// # Safety
/// `out` is null, or may be written to.
pub(crate) unsafe fn give<T>(out: *mut T, value: T) -> Result<(), Failure> {
    required(out)?;
    // SAFETY: the caller promises that it may be written to.
    unsafe { out.write(value) };
    Ok(())
}

/// Gives out bytes, in a buffer that is made only if there is a place for it.
///
/// # Safety
/// As [`give`].
pub(crate) unsafe fn give_buffer(out: *mut PaytendBuffer, bytes: &[u8]) -> Result<(), Failure> {
    required(out)?;
    // SAFETY: the caller's promise is passed on.
    unsafe { give(out, PaytendBuffer::of(bytes)) }
}

/// Checks that there is a place to write a result to.
pub(crate) fn required<T>(out: *mut T) -> Result<(), Failure> {
    if out.is_null() { Err(usage("there is no place to write the result to")) } else { Ok(()) }
}

/// Gives out a handle.
///
/// # Safety
/// As [`give`].
pub(crate) unsafe fn give_handle<T>(out: *mut *mut T, value: T) -> Result<(), Failure> {
    required(out)?;
    // SAFETY: the caller's promise is passed on.
    unsafe { give(out, Box::into_raw(Box::new(value))) }
}

/// Returns what a handle is of. `name` is the argument's, for the error.
///
/// # Safety
/// `handle` is null, or was given out by this library and is not freed.
pub(crate) unsafe fn handle<'a, T>(handle: *const T, name: &str) -> Result<&'a T, Failure> {
    // SAFETY: the caller promises it.
    unsafe { handle.as_ref() }.ok_or_else(|| usage(&format!("{name} is null")))
}

/// Returns what an array holds. `name` is the argument's, for the error.
///
/// # Safety
/// `first` points to `len` values that nobody changes meanwhile, or `len` is 0.
pub(crate) unsafe fn array<'a, T>(first: *const T, len: usize, name: &str) -> Result<&'a [T], Failure> {
    if len == 0 {
        return Ok(&[]);
    }
    let bytes = len.checked_mul(size_of::<T>()).and_then(|bytes| isize::try_from(bytes).ok());
    if first.is_null() || bytes.is_none() {
        return Err(usage(&format!("{name} has a length and no data, or an impossible length")));
    }
    // SAFETY: the caller promises it; null and too long are ruled out.
    Ok(unsafe { std::slice::from_raw_parts(first, len) })
}

/// Frees a handle. Null is left alone.
///
/// # Safety
/// `handle` is null, or was given out by this library, and is freed once.
pub(crate) unsafe fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: it was made by `give_handle`, and is freed once.
        drop(unsafe { Box::from_raw(handle) });
    }
}
