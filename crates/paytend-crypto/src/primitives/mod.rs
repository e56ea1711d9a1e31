//! The encodings and algorithms that the envelope consists of.

pub(crate) mod aes;
pub(crate) mod base64;
pub(crate) mod pkcs1v15;
