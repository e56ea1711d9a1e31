//! The encodings and algorithms that the envelope uses.

pub(crate) mod aes;
pub(crate) mod base64;
pub(crate) mod pkcs1v15;
