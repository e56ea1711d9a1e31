//! The crate from outside: known answers, an independent implementation, properties.

mod api;
mod keys;
mod properties;
mod reference;
mod support;
mod vectors;
mod wycheproof;
