//! The client from outside, against a server that does as it is told.

mod outcomes;
mod requests;
mod server;
