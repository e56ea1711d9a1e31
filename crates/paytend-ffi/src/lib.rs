//! A C interface to `paytend-crypto` and `paytend-webhook`: see `include/paytend.h`, which is generated from this
//! crate.
//!
//! # Rules
//! - A function that can fail returns 0, or a code of `PaytendCode`, and then, if asked for one, an error that says
//!   more. Results are written through pointers, and only on success.
//! - What is borrowed (`PaytendSlice`, `const …*` arguments) is not kept beyond the call, and what is given out as a
//!   slice lives as long as the handle that it is of. What is owned (`PaytendBuffer`, handles) is freed once, by the
//!   function of its name; buffers are wiped then.
//! - Handles are never changed after they are made, and may be used by several threads at once.
//! - No panic crosses the boundary: it becomes `PAYTEND_CODE_INTERNAL`.

pub mod abi;
pub mod error;
mod guard;
pub mod keys;
pub mod message;
pub mod receive;
