//! Receivers for notifications.

use paytend_bindings::{Failure, Notification, ProviderResponse, Receiver, Reply, ScheduledKey};

use crate::abi::{PaytendHeader, PaytendSlice, array, free, handle, usage, write_handle};
use crate::error::PaytendError;
use crate::guard::guard_out;
use crate::keys::{PaytendKeyring, PaytendPublicKey};

/// The value of a time or limit that is not set.
const UNSET: u64 = u64::MAX;

/// A receiver for the notifications that arrive at one HTTP route. Free it with `paytend_receiver_free`.
pub struct PaytendReceiver(Receiver);
/// A verified notification. Free it with `paytend_notification_free`.
pub struct PaytendNotification {
    notification: Notification,
    summary: String,
}
/// The HTTP response to send to the provider. Free it with `paytend_provider_response_free`.
pub struct PaytendProviderResponse(ProviderResponse);

/// A provider's key and its validity period. Times are in milliseconds since the Unix epoch; UINT64_MAX means no limit.
#[repr(C)]
pub struct PaytendScheduledKey {
    /// The key.
    pub key: *const PaytendPublicKey,
    /// The start of the validity period (inclusive).
    pub not_before: u64,
    /// The end of the validity period (exclusive).
    pub retire_at: u64,
    /// The merchant number for PayerMax; empty for PayBy.
    pub merchant: PaytendSlice,
}

impl PaytendScheduledKey {
    /// Converts the C struct to a [`ScheduledKey`].
    ///
    /// # Safety
    /// `key` must be null or a valid handle.
    unsafe fn read(&self) -> Result<ScheduledKey, Failure> {
        let moment = |millis: u64| (millis != UNSET).then_some(millis);
        // SAFETY: the caller upholds the safety requirements.
        let key = unsafe { handle(self.key, "a key") }?.0.clone();
        Ok(ScheduledKey { key, not_before: moment(self.not_before), retire_at: moment(self.retire_at) })
    }
}

/// The result of handling a notification.
#[repr(i32)]
#[derive(Clone, Copy)]
pub enum PaytendReply {
    /// The notification has been stored durably.
    Accepted = 0,
    /// The notification had already been stored durably.
    Duplicate = 1,
    /// The notification could not be stored; the provider should retry.
    TryAgainLater = 2,
}

/// A receiver's limits. UINT64_MAX means the default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct PaytendLimits {
    /// The maximum size of a body, in bytes.
    pub max_bytes: u64,
    /// The maximum age of a notification from PayBy or PayerMax, in milliseconds.
    pub max_age: u64,
}

fn limited(receiver: Receiver, limits: PaytendLimits) -> Result<PaytendReceiver, Failure> {
    let given = |limit: u64| (limit != UNSET).then_some(limit);
    let max_bytes = given(limits.max_bytes).and_then(|bytes| usize::try_from(bytes).ok());
    Ok(PaytendReceiver(receiver.limited(max_bytes, given(limits.max_age))?))
}

/// Creates a receiver for notifications from one Paytend product to one partner. `product` is `baas` or `issuing`.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_receiver_paytend(
    product: PaytendSlice,
    partner_id: PaytendSlice,
    keyring: *const PaytendKeyring,
    limits: PaytendLimits,
    out: *mut *mut PaytendReceiver,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe {
        guard_out(out, error, || {
            let receiver = Receiver::paytend(
                product.text("product")?,
                partner_id.text("partner_id")?,
                handle(keyring, "keyring")?.0.clone(),
            )?;
            write_handle(out, limited(receiver, limits)?)
        })
    }
}

/// Creates a receiver for PayBy's notifications.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_receiver_payby(
    keys: *const PaytendScheduledKey,
    keys_len: usize,
    limits: PaytendLimits,
    out: *mut *mut PaytendReceiver,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe {
        guard_out(out, error, || {
            let keys = array(keys, keys_len, "keys")?;
            if keys.iter().any(|key| key.merchant.len > 0) {
                return Err(usage("unexpected merchant for a PayBy key; only PayerMax keys have a merchant"));
            }
            let keys = keys.iter().map(|key| key.read()).collect::<Result<_, _>>()?;
            write_handle(out, limited(Receiver::payby(keys)?, limits)?)
        })
    }
}

/// Creates a receiver for PayerMax's notifications to the merchants in `keys`.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_receiver_payermax(
    keys: *const PaytendScheduledKey,
    keys_len: usize,
    limits: PaytendLimits,
    out: *mut *mut PaytendReceiver,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe {
        guard_out(out, error, || {
            let keys = array(keys, keys_len, "keys")?
                .iter()
                .map(|key| Ok((key.merchant.text("a key's merchant")?.to_owned(), key.read()?)));
            let keys = keys.collect::<Result<Vec<_>, Failure>>()?;
            write_handle(out, limited(Receiver::payermax(keys)?, limits)?)
        })
    }
}

/// Verifies a notification. `now` is in milliseconds since the Unix epoch; UINT64_MAX means the system time. If the
/// notification is rejected, sets `*response` to the HTTP response for the provider, unless `response` is null.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_receive(
    receiver: *const PaytendReceiver,
    headers: *const PaytendHeader,
    headers_len: usize,
    body: PaytendSlice,
    now: u64,
    out: *mut *mut PaytendNotification,
    response: *mut *mut PaytendProviderResponse,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe {
        guard_out(out, error, || {
            let headers = array(headers, headers_len, "headers")?.iter().map(|header| {
                // Replaces names that are not UTF-8 with empty names, which receivers ignore.
                Ok((
                    std::str::from_utf8(header.name.bytes("a header name")?).unwrap_or_default(),
                    header.value.bytes("a header value")?,
                ))
            });
            let headers = headers.collect::<Result<Vec<_>, Failure>>()?;
            let now = (now != UNSET).then_some(now);
            match handle(receiver, "receiver")?.0.receive(headers, body.bytes("body")?, now) {
                Ok(notification) => {
                    write_handle(out, PaytendNotification { summary: notification.summary(), notification })
                }
                Err(rejected) => {
                    if !response.is_null() {
                        write_handle(response, PaytendProviderResponse(rejected.response))?;
                    }
                    Err(rejected.failure)
                }
            }
        })
    }
}

/// Returns the HTTP response for a received notification. `reply` is a value of `PaytendReply`.
///
/// # Safety
/// All pointers must satisfy the rules at the top of `paytend.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_receiver_respond(
    receiver: *const PaytendReceiver,
    reply: i32,
    out: *mut *mut PaytendProviderResponse,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: the caller guarantees that all pointers satisfy the rules.
    unsafe {
        guard_out(out, error, || {
            let reply = match reply {
                0 => Reply::Accepted,
                1 => Reply::Duplicate,
                2 => Reply::TryAgainLater,
                _ => return Err(usage(&format!("reply is {reply}; it must be a value of PaytendReply"))),
            };
            write_handle(out, PaytendProviderResponse(handle(receiver, "receiver")?.0.respond(reply)))
        })
    }
}

/// Frees a receiver.
///
/// # Safety
/// `receiver` must be null or a valid handle, which must not be used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_receiver_free(receiver: *mut PaytendReceiver) {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { free(receiver) };
}

/// Returns everything except a notification's content, as a JSON object. The slice is empty if `notification` is
/// null.
///
/// The members are `provider`, `product`, `notify_type`, `reading`, `problem`, `dedup_key`, `business_key`,
/// `verified_by` and `sent_at`. `reading` is `typed`, `unreadable` or `unknown`. The members of `business_key` are
/// `kind`, `id` and `state`. Absent values are null.
///
/// # Safety
/// `notification` must be null or a valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_notification_summary(notification: *const PaytendNotification) -> PaytendSlice {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { notification.as_ref() }.map_or(PaytendSlice::NONE, |it| PaytendSlice::of(it.summary.as_bytes()))
}

/// Returns the signed content: the decrypted `content` for Paytend, the body for PayBy and PayerMax. The slice is empty
/// if `notification` is null.
///
/// # Safety
/// `notification` must be null or a valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_notification_content(notification: *const PaytendNotification) -> PaytendSlice {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { notification.as_ref() }.map_or(PaytendSlice::NONE, |it| PaytendSlice::of(&it.notification.content))
}

/// Frees a notification.
///
/// # Safety
/// `notification` must be null or a valid handle, which must not be used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_notification_free(notification: *mut PaytendNotification) {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { free(notification) };
}

/// Returns a response's HTTP status, or 0 if `response` is null.
///
/// # Safety
/// `response` must be null or a valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_provider_response_status(response: *const PaytendProviderResponse) -> u16 {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { response.as_ref() }.map_or(0, |response| response.0.status)
}

/// Returns a response's body, or an empty slice if `response` is null.
///
/// # Safety
/// `response` must be null or a valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_provider_response_body(response: *const PaytendProviderResponse) -> PaytendSlice {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { response.as_ref() }.map_or(PaytendSlice::NONE, |response| PaytendSlice::of(&response.0.body))
}

/// Writes a response header to `out`. The first header has index 0. Returns false, and writes nothing, if the
/// index is out of range or an argument is null.
///
/// # Safety
/// `response` must be null or a valid handle; `out` must be null or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_provider_response_header(
    response: *const PaytendProviderResponse,
    index: usize,
    out: *mut PaytendHeader,
) -> bool {
    // SAFETY: the caller upholds the safety requirements.
    let header = unsafe { response.as_ref() }.and_then(|response| response.0.headers.get(index));
    let Some((name, value)) = header.filter(|_| !out.is_null()) else { return false };
    let header = PaytendHeader { name: PaytendSlice::of(name.as_bytes()), value: PaytendSlice::of(value.as_bytes()) };
    // SAFETY: the caller guarantees that the pointer is valid for writes.
    unsafe { out.write(header) };
    true
}

/// Frees a response.
///
/// # Safety
/// `response` must be null or a valid handle, which must not be used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_provider_response_free(response: *mut PaytendProviderResponse) {
    // SAFETY: the caller upholds the safety requirements.
    unsafe { free(response) };
}
