//! A C interface to `paytend-crypto` and `paytend-webhook`. The header `include/paytend.h` is generated from this
//! crate.
//!
//! # Rules
//! - A function that can fail returns 0 on success, and a value of `PaytendCode` on failure. On failure, it also writes
//!   an error with details to `error`, unless `error` is null. Results are written to output pointers only on success.
//! - Borrowed arguments (`PaytendSlice`, `const …*`) are not kept after the call. A returned slice is valid until the
//!   handle that it was obtained from is freed.
//! - Owned results (`PaytendBuffer`, handles) must be freed exactly once, with the free function for their type.
//!   Freeing a buffer, a key or an opened message wipes it. Freeing null does nothing.
//! - Handles are immutable and can be used by several threads concurrently.
//! - Panics do not cross the boundary. They are reported as `PAYTEND_CODE_INTERNAL`.

pub mod abi;
pub mod error;
mod guard;
pub mod keys;
pub mod message;
pub mod receive;
