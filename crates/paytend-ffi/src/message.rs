//! Sealing and opening messages.

use std::sync::OnceLock;

use paytend_bindings::{Failure, Kind, Opened, open, seal};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::abi::{
    PaytendBuffer, PaytendHeader, PaytendSlice, free, handle, usage, write_buffer, write_handle, write_value,
};
use crate::error::PaytendError;
use crate::guard::guard_out;
use crate::keys::PaytendKeyring;

/// The kind of a message: a request, a response or a notification.
#[repr(i32)]
#[derive(Clone, Copy)]
pub enum PaytendKind {
    /// A request from a partner to Paytend; the payload is in `bizData`.
    Request = 0,
    /// A response from Paytend to a partner; the payload is in `respData`.
    Response = 1,
    /// A notification from Paytend to a callback URL; the payload is in `content`.
    Notification = 2,
}

/// Converts a number to a kind, or returns a usage failure if the number is invalid.
fn kind(number: i32) -> Result<Kind, Failure> {
    match number {
        0 => Ok(Kind::Request),
        1 => Ok(Kind::Response),
        2 => Ok(Kind::Notification),
        _ => Err(usage(&format!("kind is {number}; it must be a value of PaytendKind"))),
    }
}

/// Returns the first 32 characters of a field name, for an error message.
fn short(name: &str) -> String {
    name.chars().take(32).collect()
}

/// Seals a message. `kind_number` is a value of `PaytendKind`. `fields` is a JSON object of strings: the unencrypted
/// fields except `signType` and `version`, which sealing adds. An empty `payload` means no payload. `payload_signed`
/// must be false for the upload endpoints of the IBAN product, and true otherwise.
///
/// Adds a 32-character `requestId` to a request that does not contain one. An existing `requestId` is kept.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
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
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe {
        guard_out(out, error, || {
            let fields: Map<String, Value> =
                serde_json::from_str(fields.text("fields")?).map_err(|_| usage("fields is not a JSON object"))?;
            let pairs = fields.iter().map(|(name, value)| match value {
                Value::String(text) => Ok((name.as_str(), text.as_str())),
                _ => Err(usage(&format!("field `{}` must be a JSON string", short(name)))),
            });
            let pairs = pairs.collect::<Result<Vec<_>, _>>()?;
            let sealed = seal(
                &handle(keyring, "keyring")?.0,
                kind(kind_number)?,
                pairs,
                Some(payload.text("payload")?),
                payload_signed,
            )?;
            write_buffer(out, sealed.as_bytes())
        })
    }
}

/// The contents of an authentic message. Free it with `paytend_opened_free`.
pub struct PaytendOpened {
    opened: Opened,
    // The following values are computed on first use.
    fields: OnceLock<String>,
    canonical: OnceLock<Zeroizing<Vec<u8>>>,
    problem: OnceLock<Option<String>>,
    views: OnceLock<Views>,
}

/// A message's fields in their C representation.
struct Views(Vec<PaytendHeader>);

// SAFETY: the slices point into the immutable `PaytendOpened` that contains them, so any thread can own them.
unsafe impl Send for Views {}
// SAFETY: the slices point into the immutable `PaytendOpened` that contains them, so threads can share them.
unsafe impl Sync for Views {}

impl From<Opened> for PaytendOpened {
    fn from(opened: Opened) -> Self {
        Self {
            opened,
            fields: OnceLock::new(),
            canonical: OnceLock::new(),
            problem: OnceLock::new(),
            views: OnceLock::new(),
        }
    }
}

impl PaytendOpened {
    fn canonical(&self) -> &[u8] {
        self.canonical.get_or_init(|| self.opened.canonical())
    }

    fn payload_problem(&self) -> &str {
        self.problem.get_or_init(|| self.opened.payload_problem()).as_deref().unwrap_or_default()
    }

    fn decrypted_by(&self) -> &str {
        self.opened.decrypted_by().unwrap_or_default()
    }

    fn view(&self) -> PaytendOpenedView {
        let slice = |text: &str| PaytendSlice::of(text.as_bytes());
        let pair = |(name, value): (&str, &str)| PaytendHeader { name: slice(name), value: slice(value) };
        let fields = &self.views.get_or_init(|| Views(self.opened.fields().map(pair).collect())).0;
        PaytendOpenedView {
            payload: PaytendSlice::of(self.opened.payload()),
            canonical: PaytendSlice::of(self.canonical()),
            verified_by: slice(self.opened.verified_by()),
            decrypted_by: slice(self.decrypted_by()),
            fields: if fields.is_empty() { std::ptr::null() } else { fields.as_ptr() },
            fields_len: fields.len(),
        }
    }
}

/// Opens a message. `partner_id` is the expected partner of a request or notification, and must be empty for a
/// response. `max_bytes` is the maximum size of the document in bytes; 0 means the default for the kind.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
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
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe {
        guard_out(out, error, || {
            let partner = Some(partner_id.text("partner_id")?).filter(|id| !id.is_empty());
            let limit = (max_bytes > 0).then_some(max_bytes);
            let keyring = &handle(keyring, "keyring")?.0;
            let opened =
                open(keyring, kind(kind_number)?, partner, document.bytes("document")?, payload_signed, limit)?;
            write_handle(out, PaytendOpened::from(opened))
        })
    }
}

/// Returns a part of an opened message, or an empty slice if `opened` is null.
///
/// # Safety
/// `opened` must be null or a valid handle.
unsafe fn part(opened: *const PaytendOpened, part: fn(&PaytendOpened) -> &[u8]) -> PaytendSlice {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { opened.as_ref() }.map_or(PaytendSlice::NONE, |opened| PaytendSlice::of(part(opened)))
}

/// Returns the payload bytes exactly as signed, or an empty slice for a message without a payload. The payload is not
/// necessarily strict JSON in UTF-8; see `paytend_opened_payload_problem`.
///
/// # Safety
/// `opened` must be null or a valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_opened_payload(opened: *const PaytendOpened) -> PaytendSlice {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { part(opened, |opened| opened.opened.payload()) }
}

/// Returns a description of the problem if the payload is not a single strict JSON object, and an empty slice
/// otherwise. The payload is authentic in both cases.
///
/// # Safety
/// `opened` must be null or a valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_opened_payload_problem(opened: *const PaytendOpened) -> PaytendSlice {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { part(opened, |opened| opened.payload_problem().as_bytes()) }
}

/// Returns the unencrypted fields as a JSON object whose values are strings.
///
/// # Safety
/// `opened` must be null or a valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_opened_fields(opened: *const PaytendOpened) -> PaytendSlice {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { part(opened, |opened| opened.fields.get_or_init(|| opened.opened.fields_json()).as_bytes()) }
}

/// All parts of an opened message. The pointers are valid until the opened message is freed.
#[repr(C)]
pub struct PaytendOpenedView {
    /// The payload, as returned by `paytend_opened_payload`.
    pub payload: PaytendSlice,
    /// The signed text, as returned by `paytend_opened_canonical`.
    pub canonical: PaytendSlice,
    /// The fingerprint returned by `paytend_opened_verified_by`.
    pub verified_by: PaytendSlice,
    /// The fingerprint returned by `paytend_opened_decrypted_by`.
    pub decrypted_by: PaytendSlice,
    /// The unencrypted fields, sorted by name; null if the message has no fields.
    pub fields: *const PaytendHeader,
    /// The number of fields.
    pub fields_len: usize,
}

/// Writes all parts of an opened message to `out`, for languages where C calls are slow. Returns false, and writes
/// nothing, if an argument is null.
///
/// # Safety
/// `opened` must be null or a valid handle; `out` must be null or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_opened_view(opened: *const PaytendOpened, out: *mut PaytendOpenedView) -> bool {
    // SAFETY: the caller upholds the safety requirements.
    let Some(view) = (unsafe { opened.as_ref() }).map(PaytendOpened::view) else { return false };
    // SAFETY: the caller upholds the safety requirements.
    unsafe { write_value(out, view) }.is_ok()
}

/// Returns the signed text. It is secret, since it contains the session key and the payload.
///
/// # Safety
/// `opened` must be null or a valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_opened_canonical(opened: *const PaytendOpened) -> PaytendSlice {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { part(opened, |opened| opened.canonical()) }
}

/// Returns the fingerprint of the key that verified the signature.
///
/// # Safety
/// `opened` must be null or a valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_opened_verified_by(opened: *const PaytendOpened) -> PaytendSlice {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { part(opened, |opened| opened.opened.verified_by().as_bytes()) }
}

/// Returns the fingerprint of the key that decrypted the message, or an empty slice if nothing was encrypted.
///
/// # Safety
/// `opened` must be null or a valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_opened_decrypted_by(opened: *const PaytendOpened) -> PaytendSlice {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { part(opened, |opened| opened.decrypted_by().as_bytes()) }
}

/// Wipes and frees an opened message.
///
/// # Safety
/// `opened` must be null or a valid handle, which must not be used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_opened_free(opened: *mut PaytendOpened) {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { free(opened) };
}
