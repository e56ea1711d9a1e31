//! Client configuration: the builder, environment variables and files.

pub(crate) mod builder;
mod checks;
pub(crate) mod environment;
#[cfg(feature = "config")]
mod file;
mod http;
#[cfg(feature = "config")]
mod keys;
