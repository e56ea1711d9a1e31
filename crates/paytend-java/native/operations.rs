//! The operations, identified by the numbers defined in `Native.java`.

use paytend_bindings::{
    Code, Failure, PrivateKey, ProviderResponse, PublicKey, Receiver, Rejected, Reply, ScheduledKey, VERSION, generate,
    guarded, hazmat_decrypt_blocks, key_info, keyring, kind, open, request_id, seal, sign, verify, write_private,
    write_public,
};

use crate::frames::{Reader, Writer};
use crate::registry::{Object, get, register, remove};

/// Performs an operation. On success, returns `ok` and the resulting values. On failure, returns the code, message,
/// `respCode` and `respMsg`, followed by the response to send, if any.
pub(crate) fn perform(operation: i32, arguments: &[u8]) -> Vec<u8> {
    let result = guarded(|| Ok(run(operation, &mut Reader::new(arguments))));
    match result.unwrap_or_else(|defect| Err(defect.into())) {
        Ok(written) => written.done(),
        Err(failed) => {
            let Rejected { failure, response } = *failed.0;
            let api_error = failure.api_error();
            let written = Writer::default()
                .bytes(failure.code().name())
                .bytes(failure.message())
                .optional_text(api_error.map(|(code, _)| code))
                .optional_text(api_error.map(|(_, message)| message));
            match failed.1 {
                true => with_response(written, &response).done(),
                false => written.done(),
            }
        }
    }
}

/// A failure, and whether its response must be sent to the provider.
struct Failed(Box<Rejected>, bool);

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self(
            Box::new(Rejected {
                failure,
                response: ProviderResponse { status: 0, headers: Vec::new(), body: Vec::new() },
            }),
            false,
        )
    }
}

fn ok() -> Writer {
    Writer::default().bytes("ok")
}

fn with_response(writer: Writer, response: &ProviderResponse) -> Writer {
    let writer = writer.number(i64::from(response.status)).bytes(&response.body);
    response.headers.iter().fold(writer, |writer, (name, value)| writer.bytes(name).bytes(value))
}

fn run(operation: i32, arguments: &mut Reader<'_>) -> Result<Writer, Failed> {
    match operation {
        0 => Ok(ok().bytes(VERSION)),
        1 => registered(Object::Private(PrivateKey::from_bytes(arguments.bytes()?).map_err(Failure::from)?)),
        2 => registered(Object::Private(PrivateKey::from_file(arguments.text()?).map_err(Failure::from)?)),
        3 => registered(Object::Private(generate(usize::try_from(arguments.number()?).unwrap_or_default())?)),
        4 => registered(Object::Public(object(arguments)?.private()?.public_key().clone())),
        5 => Ok(ok().bytes(&*write_private(object(arguments)?.private()?, arguments.text()?)?)),
        6 => Ok(ok().bytes(sign(object(arguments)?.private()?, arguments.bytes()?)?)),
        7 => Ok(ok().bytes(&*hazmat_decrypt_blocks(object(arguments)?.private()?, arguments.bytes()?)?)),
        8 => registered(Object::Public(PublicKey::from_bytes(arguments.bytes()?).map_err(Failure::from)?)),
        9 => registered(Object::Public(PublicKey::from_file(arguments.text()?).map_err(Failure::from)?)),
        10 => Ok(ok().bytes(write_public(object(arguments)?.public()?, arguments.text()?)?)),
        11 => Ok(ok().bytes(key_info(arguments.bytes()?)?)),
        12 => Ok(ok().bytes(request_id()?)),
        13 => verified(arguments),
        14 => new_keyring(arguments),
        15 => sealed(arguments),
        16 => opened(arguments),
        17 => new_paytend(arguments),
        18 => new_payby(arguments),
        19 => new_payermax(arguments),
        20 => received(arguments),
        21 => {
            let receiver = object(arguments)?;
            let reply = Reply::named(arguments.text()?)?;
            Ok(with_response(ok(), &receiver.receiver()?.respond(reply)))
        }
        22 => {
            remove(arguments.number()?);
            Ok(ok())
        }
        _ => Err(Failure::new(Code::Internal, "unknown operation").into()),
    }
}

fn registered(object: Object) -> Result<Writer, Failed> {
    Ok(ok().number(register(object)))
}

fn object(arguments: &mut Reader<'_>) -> Result<std::sync::Arc<Object>, Failure> {
    get(arguments.number()?)
}

/// Converts a limit, and rejects negative values. `paytend-bindings` rejects 0.
fn limit<T: TryFrom<i64>>(name: &str, number: Option<i64>) -> Result<Option<T>, Failure> {
    let limit = number.map(T::try_from).transpose();
    limit.map_err(|_| Failure::new(Code::Usage, format!("`{name}` must be greater than 0")))
}

/// Converts a time in milliseconds since the Unix epoch. Times before 1970 become 0.
fn clamp_millis(millis: Option<i64>) -> Option<u64> {
    millis.map(|millis| u64::try_from(millis).unwrap_or_default())
}

/// Verifies a detached signature. Arguments: body, `sign`, keys.
fn verified(arguments: &mut Reader<'_>) -> Result<Writer, Failed> {
    let (body, sign) = (arguments.bytes()?, arguments.text()?);
    let mut keys = Vec::new();
    while !arguments.is_empty() {
        keys.push(object(arguments)?.public()?.clone());
    }
    Ok(ok().bytes(verify(&keys, body, sign)?))
}

/// Creates a keyring. Arguments: number of own keys, own keys, peer keys.
fn new_keyring(arguments: &mut Reader<'_>) -> Result<Writer, Failed> {
    let (mut own, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..arguments.number()? {
        own.push(object(arguments)?);
    }
    while !arguments.is_empty() {
        peer.push(object(arguments)?);
    }
    let own = own.iter().map(|key| key.private()).collect::<Result<Vec<_>, _>>()?;
    let peer = peer.iter().map(|key| key.public()).collect::<Result<Vec<_>, _>>()?;
    registered(Object::Keyring(keyring(&own, &peer)?))
}

/// Seals a message. Arguments: keyring, kind, payload, whether the payload is signed, names and values of fields.
fn sealed(arguments: &mut Reader<'_>) -> Result<Writer, Failed> {
    let ring = object(arguments)?;
    let (kind, payload, signed) = (kind(arguments.text()?)?, arguments.optional_text()?, arguments.flag()?);
    let mut fields = Vec::new();
    while !arguments.is_empty() {
        fields.push((arguments.text()?, arguments.text()?));
    }
    Ok(ok().bytes(seal(ring.keyring()?, kind, fields, payload, signed)?))
}

/// Opens a message. Arguments: keyring, kind, document, partner, whether the payload is signed, maximum size.
fn opened(arguments: &mut Reader<'_>) -> Result<Writer, Failed> {
    let ring = object(arguments)?;
    let (kind, document, partner) = (kind(arguments.text()?)?, arguments.bytes()?, arguments.optional_text()?);
    let (signed, max_bytes) = (arguments.flag()?, limit("maxBytes", arguments.optional_number()?)?);
    let opened = open(ring.keyring()?, kind, partner, document, signed, max_bytes)?;
    let written = ok()
        .bytes(opened.payload_text()?)
        .bytes(opened.canonical_text()?.as_bytes())
        .bytes(opened.verified_by())
        .optional_text(opened.decrypted_by());
    Ok(opened.fields().fold(written, |written, (name, value)| written.bytes(name).bytes(value)))
}

fn limited(receiver: Receiver, max_bytes: Option<i64>, max_age: Option<i64>) -> Result<Writer, Failed> {
    registered(Object::Receiver(receiver.limited(limit("maxBytes", max_bytes)?, limit("maxAge", max_age)?)?))
}

/// Creates a receiver for Paytend. Arguments: product, partner, keyring, maximum size.
fn new_paytend(arguments: &mut Reader<'_>) -> Result<Writer, Failed> {
    let (product, partner, ring) = (arguments.text()?, arguments.text()?, object(arguments)?);
    limited(Receiver::paytend(product, partner, ring.keyring()?.clone())?, arguments.optional_number()?, None)
}

fn scheduled(arguments: &mut Reader<'_>) -> Result<ScheduledKey, Failure> {
    let key = object(arguments)?.public()?.clone();
    let (not_before, retire_at) = (arguments.optional_number()?, arguments.optional_number()?);
    Ok(ScheduledKey { key, not_before: clamp_millis(not_before), retire_at: clamp_millis(retire_at) })
}

/// Creates a receiver for PayBy. Arguments: maximum size, maximum age, keys with their validity periods.
fn new_payby(arguments: &mut Reader<'_>) -> Result<Writer, Failed> {
    let (max_bytes, max_age) = (arguments.optional_number()?, arguments.optional_number()?);
    let mut keys = Vec::new();
    while !arguments.is_empty() {
        keys.push(scheduled(arguments)?);
    }
    limited(Receiver::payby(keys)?, max_bytes, max_age)
}

/// Creates a receiver for PayerMax. Arguments: maximum size, maximum age, merchants and keys with their validity
/// periods.
fn new_payermax(arguments: &mut Reader<'_>) -> Result<Writer, Failed> {
    let (max_bytes, max_age) = (arguments.optional_number()?, arguments.optional_number()?);
    let mut merchants = Vec::new();
    while !arguments.is_empty() {
        merchants.push((arguments.text()?.to_owned(), scheduled(arguments)?));
    }
    limited(Receiver::payermax(merchants)?, max_bytes, max_age)
}

/// Verifies a notification. Arguments: receiver, body, time, names and values of headers.
fn received(arguments: &mut Reader<'_>) -> Result<Writer, Failed> {
    let (receiver, body, now) = (object(arguments)?, arguments.bytes()?, clamp_millis(arguments.optional_number()?));
    let mut headers = Vec::new();
    while !arguments.is_empty() {
        headers.push((arguments.text()?, arguments.bytes()?));
    }
    let notification = receiver.receiver()?.receive(headers, body, now).map_err(|rejected| Failed(rejected, true))?;
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let about = notification.business_key.as_ref();
    let sent_at = notification.sent_at.and_then(|millis| i64::try_from(millis).ok()).map(i64::to_be_bytes);
    Ok(ok()
        .bytes(notification.provider)
        .optional_text(some(&notification.product).as_deref())
        .optional_text(some(&notification.notify_type).as_deref())
        .bytes(&notification.content)
        .bytes(notification.reading)
        .optional_text(notification.problem.as_deref())
        .bytes(&notification.dedup_key)
        .optional_text(about.map(|key| key.kind))
        .optional_text(about.map(|key| key.id.as_str()))
        .optional_text(about.and_then(|key| key.state.as_deref()))
        .bytes(&notification.verified_by)
        .optional(sent_at.as_ref().map(<[u8; 8]>::as_slice)))
}
