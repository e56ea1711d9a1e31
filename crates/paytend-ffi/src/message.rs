//! Sealing and opening.

use paytend_bindings::{Failure, Kind, Opened, open, seal};
use serde_json::{Map, Value};

use crate::abi::{PaytendBuffer, PaytendSlice, free, give, give_handle, handle, usage};
use crate::error::PaytendError;
use crate::guard::guard;
use crate::keys::PaytendKeyring;

/// The three shapes of a message.
#[repr(i32)]
#[derive(Clone, Copy)]
pub enum PaytendKind {
    /// From a partner to Paytend; the payload is `bizData`.
    Request = 0,
    /// Paytend's answer; the payload is `respData`.
    Response = 1,
    /// From Paytend to a callback URL; the payload is `content`.
    Notification = 2,
}

/// Any number may come in.
fn kind(number: i32) -> Result<Kind, Failure> {
    match number {
        0 => Ok(Kind::Request),
        1 => Ok(Kind::Response),
        2 => Ok(Kind::Notification),
        _ => Err(usage("a kind is one of PaytendKind")),
    }
}

/// Seals a message. `kind` is one of `PaytendKind`. `fields` is a JSON object of texts with the plain fields but those that the protocol fixes
/// (`signType`, `version`). An empty `payload` is none. `payload_signed` is true but for the upload endpoints of the IBAN product.
///
/// # Safety
/// The pointers are as the rules of this library say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_seal(
    keyring: *const PaytendKeyring,
    kind_number: i32,
    fields: PaytendSlice,
    payload: PaytendSlice,
    payload_signed: bool,
    out: *mut PaytendBuffer,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: all pointers are the caller's promise.
    unsafe {
        guard(error, || {
            let fields: Map<String, Value> =
                serde_json::from_str(fields.text()?).map_err(|_| usage("the fields are not a JSON object"))?;
            let pairs = fields.iter().map(|(name, value)| match value {
                Value::String(text) => Ok((name.as_str(), text.as_str())),
                _ => Err(usage("a field's value is not a text")),
            });
            let pairs = pairs.collect::<Result<Vec<_>, _>>()?;
            let sealed = seal(&handle(keyring)?.0, kind(kind_number)?, pairs, Some(payload.text()?), payload_signed)?;
            give(out, PaytendBuffer::of(sealed.as_bytes()))
        })
    }
}

/// What an authentic message says. Free it with `paytend_opened_free`.
pub struct PaytendOpened {
    opened: Opened,
    fields: String,
}

/// Opens a message. A request and a notification must name `partner_id`; for a response it is empty. `max_bytes` is the largest document that
/// is looked at; 0 for the kind's own limit.
///
/// # Safety
/// The pointers are as the rules of this library say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_open(
    keyring: *const PaytendKeyring,
    kind_number: i32,
    partner_id: PaytendSlice,
    document: PaytendSlice,
    payload_signed: bool,
    max_bytes: usize,
    out: *mut *mut PaytendOpened,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: all pointers are the caller's promise.
    unsafe {
        guard(error, || {
            let partner = Some(partner_id.text()?).filter(|id| !id.is_empty());
            let limit = (max_bytes > 0).then_some(max_bytes);
            let keyring = &handle(keyring)?.0;
            let opened = open(keyring, kind(kind_number)?, partner, document.bytes()?, payload_signed, limit)?;
            give_handle(out, PaytendOpened { fields: opened.fields_json(), opened })
        })
    }
}

/// A part of what was opened; nothing for null.
///
/// # Safety
/// `opened` is null, or not freed.
unsafe fn part(opened: *const PaytendOpened, part: fn(&PaytendOpened) -> &[u8]) -> PaytendSlice {
    // SAFETY: the caller promises it.
    unsafe { opened.as_ref() }.map_or(PaytendSlice::NONE, |opened| PaytendSlice::of(part(opened)))
}

/// The payload's text, exactly as it was signed; empty if there was none.
///
/// # Safety
/// `opened` is null, or not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_opened_payload(opened: *const PaytendOpened) -> PaytendSlice {
    // SAFETY: the caller promises it.
    unsafe { part(opened, |opened| opened.opened.payload.as_bytes()) }
}

/// The plain fields: a JSON object of texts.
///
/// # Safety
/// `opened` is null, or not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_opened_fields(opened: *const PaytendOpened) -> PaytendSlice {
    // SAFETY: the caller promises it.
    unsafe { part(opened, |opened| opened.fields.as_bytes()) }
}

/// The signed text. Secret: it holds the session key and the payload.
///
/// # Safety
/// `opened` is null, or not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_opened_canonical(opened: *const PaytendOpened) -> PaytendSlice {
    // SAFETY: the caller promises it.
    unsafe { part(opened, |opened| opened.opened.canonical.as_bytes()) }
}

/// The fingerprint of the key that the signature is by.
///
/// # Safety
/// `opened` is null, or not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_opened_verified_by(opened: *const PaytendOpened) -> PaytendSlice {
    // SAFETY: the caller promises it.
    unsafe { part(opened, |opened| opened.opened.verified_by.as_bytes()) }
}

/// The fingerprint of the key that decrypted it; empty if nothing was encrypted.
///
/// # Safety
/// `opened` is null, or not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_opened_decrypted_by(opened: *const PaytendOpened) -> PaytendSlice {
    // SAFETY: the caller promises it.
    unsafe { part(opened, |opened| opened.opened.decrypted_by.as_deref().unwrap_or_default().as_bytes()) }
}

/// Wipes and frees what was opened.
///
/// # Safety
/// `opened` is null or what was opened, and is freed once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_opened_free(opened: *mut PaytendOpened) {
    // SAFETY: the caller promises it.
    unsafe { free(opened) };
}
