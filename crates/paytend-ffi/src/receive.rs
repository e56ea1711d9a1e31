//! Receiving notifications.

use paytend_bindings::{Answer, DatedKey, Failure, Notification, Receiver, Reply};

use crate::abi::{PaytendHeader, PaytendSlice, array, free, give_handle, handle, usage};
use crate::error::PaytendError;
use crate::guard::guard_out;
use crate::keys::{PaytendKeyring, PaytendPublicKey};

/// No moment, or no limit.
const NEVER: u64 = u64::MAX;

/// Receives the notifications of one route.
pub struct PaytendReceiver(Receiver);
/// A verified notification. Free it with `paytend_notification_free`.
pub struct PaytendNotification {
    notification: Notification,
    summary: String,
}
/// What to answer. Free it with `paytend_answer_free`.
pub struct PaytendAnswer(Answer);

/// A provider's key. Times are in milliseconds since 1970; UINT64_MAX for none.
#[repr(C)]
pub struct PaytendDatedKey {
    /// The key.
    pub key: *const PaytendPublicKey,
    /// The first moment at which it is used.
    pub not_before: u64,
    /// The first moment at which it is no longer used.
    pub retire_at: u64,
    /// The merchant that has it: PayerMax's alone, empty for PayBy.
    pub merchant: PaytendSlice,
}

impl PaytendDatedKey {
    /// # Safety
    /// The key is a handle that is not freed.
    unsafe fn read(&self) -> Result<DatedKey, Failure> {
        let moment = |millis: u64| (millis != NEVER).then_some(millis);
        // SAFETY: the caller promises it.
        let key = unsafe { handle(self.key, "a key") }?.0.clone();
        Ok(DatedKey { key, not_before: moment(self.not_before), retire_at: moment(self.retire_at) })
    }
}

/// What a handler made of a notification.
#[repr(i32)]
#[derive(Clone, Copy)]
pub enum PaytendReply {
    /// It is durable.
    Accepted = 0,
    /// It was durable before.
    Duplicate = 1,
    /// It could not be stored now.
    TryAgainLater = 2,
}

/// Limits of a receiver. UINT64_MAX for the receiver's own.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct PaytendLimits {
    /// The largest body that is looked at, in bytes.
    pub max_bytes: u64,
    /// How old a notification of PayBy's or PayerMax's may be, in milliseconds.
    pub max_age: u64,
}

fn limited(receiver: Receiver, limits: PaytendLimits) -> Result<PaytendReceiver, Failure> {
    let given = |limit: u64| (limit != NEVER).then_some(limit);
    let max_bytes = given(limits.max_bytes).and_then(|bytes| usize::try_from(bytes).ok());
    Ok(PaytendReceiver(receiver.limited(max_bytes, given(limits.max_age))?))
}

/// A receiver of what `product` (`baas` or `issuing`) of Paytend's notifies `partner_id` of.
///
/// # Safety
/// The pointers are as the rules of this library say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_receiver_paytend(
    product: PaytendSlice,
    partner_id: PaytendSlice,
    keyring: *const PaytendKeyring,
    limits: PaytendLimits,
    out: *mut *mut PaytendReceiver,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: all pointers are the caller's promise.
    unsafe {
        guard_out(out, error, || {
            let receiver = Receiver::paytend(
                product.text("product")?,
                partner_id.text("partner_id")?,
                handle(keyring, "keyring")?.0.clone(),
            )?;
            give_handle(out, limited(receiver, limits)?)
        })
    }
}

/// A receiver of PayBy's notifications.
///
/// # Safety
/// The pointers are as the rules of this library say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_receiver_payby(
    keys: *const PaytendDatedKey,
    keys_len: usize,
    limits: PaytendLimits,
    out: *mut *mut PaytendReceiver,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: all pointers are the caller's promise.
    unsafe {
        guard_out(out, error, || {
            let keys = array(keys, keys_len, "keys")?;
            if keys.iter().any(|key| key.merchant.len > 0) {
                return Err(usage("a key of PayBy has a merchant; only keys of PayerMax have one"));
            }
            let keys = keys.iter().map(|key| key.read()).collect::<Result<_, _>>()?;
            give_handle(out, limited(Receiver::payby(keys)?, limits)?)
        })
    }
}

/// A receiver of PayerMax's notifications, of the merchants that the keys name.
///
/// # Safety
/// The pointers are as the rules of this library say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_receiver_payermax(
    keys: *const PaytendDatedKey,
    keys_len: usize,
    limits: PaytendLimits,
    out: *mut *mut PaytendReceiver,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: all pointers are the caller's promise.
    unsafe {
        guard_out(out, error, || {
            let keys = array(keys, keys_len, "keys")?
                .iter()
                .map(|key| Ok((key.merchant.text("a key's merchant")?.to_owned(), key.read()?)));
            let keys = keys.collect::<Result<Vec<_>, Failure>>()?;
            give_handle(out, limited(Receiver::payermax(keys)?, limits)?)
        })
    }
}

/// Verifies a notification. `now` is in milliseconds since 1970, or UINT64_MAX for the system's time. If it is not
/// taken, `answer` (which may be null) is given what to answer the sender.
///
/// # Safety
/// The pointers are as the rules of this library say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_receive(
    receiver: *const PaytendReceiver,
    headers: *const PaytendHeader,
    headers_len: usize,
    body: PaytendSlice,
    now: u64,
    out: *mut *mut PaytendNotification,
    answer: *mut *mut PaytendAnswer,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: all pointers are the caller's promise.
    unsafe {
        guard_out(out, error, || {
            let headers = array(headers, headers_len, "headers")?.iter().map(|header| {
                // A name that is no text is no header's.
                Ok((
                    std::str::from_utf8(header.name.bytes("a header's name")?).unwrap_or_default(),
                    header.value.bytes("a header's value")?,
                ))
            });
            let headers = headers.collect::<Result<Vec<_>, Failure>>()?;
            let now = (now != NEVER).then_some(now);
            match handle(receiver, "receiver")?.0.receive(headers, body.bytes("body")?, now) {
                Ok(notification) => {
                    give_handle(out, PaytendNotification { summary: notification.summary(), notification })
                }
                Err(not_taken) => {
                    if !answer.is_null() {
                        give_handle(answer, PaytendAnswer(not_taken.answer))?;
                    }
                    Err(not_taken.failure)
                }
            }
        })
    }
}

/// What to answer a notification that was received; `reply` is one of `PaytendReply`.
///
/// # Safety
/// The pointers are as the rules of this library say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_receiver_answer(
    receiver: *const PaytendReceiver,
    reply: i32,
    out: *mut *mut PaytendAnswer,
    error: *mut *mut PaytendError,
) -> i32 {
    // SAFETY: all pointers are the caller's promise.
    unsafe {
        guard_out(out, error, || {
            let reply = match reply {
                0 => Reply::Accepted,
                1 => Reply::Duplicate,
                2 => Reply::TryAgainLater,
                _ => return Err(usage(&format!("reply is {reply}; it must be one of PaytendReply"))),
            };
            give_handle(out, PaytendAnswer(handle(receiver, "receiver")?.0.answer(reply)))
        })
    }
}

/// Frees a receiver.
///
/// # Safety
/// `receiver` is null or a receiver, and is freed once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_receiver_free(receiver: *mut PaytendReceiver) {
    // SAFETY: the caller promises it.
    unsafe { free(receiver) };
}

/// A notification but for its content: a JSON object with `provider`, `product`, `notify_type`, `reading` (`typed`,
/// `unreadable` or
/// `unknown`), `problem`, `dedup_key`, `business_key` (`kind`, `id`, `state`), `verified_by` and `sent_at`. What there
/// is none of is null.
///
/// # Safety
/// `notification` is null, or not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_notification_summary(notification: *const PaytendNotification) -> PaytendSlice {
    // SAFETY: the caller promises it.
    unsafe { notification.as_ref() }.map_or(PaytendSlice::NONE, |it| PaytendSlice::of(it.summary.as_bytes()))
}

/// What was signed: Paytend's content, PayBy's and PayerMax's body.
///
/// # Safety
/// `notification` is null, or not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_notification_content(notification: *const PaytendNotification) -> PaytendSlice {
    // SAFETY: the caller promises it.
    unsafe { notification.as_ref() }.map_or(PaytendSlice::NONE, |it| PaytendSlice::of(&it.notification.content))
}

/// Frees a notification.
///
/// # Safety
/// `notification` is null or a notification, and is freed once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_notification_free(notification: *mut PaytendNotification) {
    // SAFETY: the caller promises it.
    unsafe { free(notification) };
}

/// The HTTP status; 0 for null.
///
/// # Safety
/// `answer` is null, or not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_answer_status(answer: *const PaytendAnswer) -> u16 {
    // SAFETY: the caller promises it.
    unsafe { answer.as_ref() }.map_or(0, |answer| answer.0.status)
}

/// The body.
///
/// # Safety
/// `answer` is null, or not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_answer_body(answer: *const PaytendAnswer) -> PaytendSlice {
    // SAFETY: the caller promises it.
    unsafe { answer.as_ref() }.map_or(PaytendSlice::NONE, |answer| PaytendSlice::of(&answer.0.body))
}

/// The header of that number, from 0. Whether there is one.
///
/// # Safety
/// `answer` is null, or not freed; `out` may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_answer_header(
    answer: *const PaytendAnswer,
    number: usize,
    out: *mut PaytendHeader,
) -> bool {
    // SAFETY: the caller promises it.
    let header = unsafe { answer.as_ref() }.and_then(|answer| answer.0.headers.get(number));
    let Some((name, value)) = header.filter(|_| !out.is_null()) else { return false };
    let header = PaytendHeader { name: PaytendSlice::of(name.as_bytes()), value: PaytendSlice::of(value.as_bytes()) };
    // SAFETY: the caller promises that it may be written to.
    unsafe { out.write(header) };
    true
}

/// Frees an answer.
///
/// # Safety
/// `answer` is null or an answer, and is freed once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn paytend_answer_free(answer: *mut PaytendAnswer) {
    // SAFETY: the caller promises it.
    unsafe { free(answer) };
}
