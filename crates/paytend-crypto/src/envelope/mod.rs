//! Paytend's envelope: the signed text, and sealing and opening messages.

pub(crate) mod canonical;
pub(crate) mod json;
pub(crate) mod keyring;
pub(crate) mod message;
pub(crate) mod open;
pub(crate) mod parse;
pub(crate) mod request_id;
pub(crate) mod seal;
