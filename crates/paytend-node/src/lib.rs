//! The native part of the Node package. The public API is in `index.js`.
//!
//! Slow operations have a synchronous variant, and an asynchronous variant that runs on Node's worker pool. Error
//! messages are JSON, which `index.js` converts to exceptions.

mod keys;

use std::collections::HashMap;

use napi::bindgen_prelude::{AsyncTask, Buffer, Uint8Array};
use napi::{Env, Error, Result, Status, Task};
use napi_derive::napi;
use paytend_bindings as paytend;
use paytend_bindings::Failure;
use serde_json::{Value, json};

fn js_error(failure: &Failure, response: Option<&paytend::ProviderResponse>) -> Error {
    let (resp_code, resp_msg) = failure.api_error().unzip();
    let details = json!({
        "code": failure.code().name(),
        "message": failure.message(),
        "respCode": resp_code,
        "respMsg": resp_msg,
        "response": response.map(provider_response),
    });
    Error::new(Status::GenericFailure, details.to_string())
}

fn provider_response(response: &paytend::ProviderResponse) -> Value {
    let headers: HashMap<_, _> = response.headers.iter().cloned().collect();
    json!({ "status": response.status, "headers": headers, "body": String::from_utf8_lossy(&response.body) })
}

/// Runs `work`, and converts a failure or panic to a JavaScript error.
fn guarded<T>(work: impl FnOnce() -> std::result::Result<T, Failure>) -> Result<T> {
    paytend::guarded(work).map_err(|failure| js_error(&failure, None))
}

fn clamp_millis(millis: Option<i64>) -> Option<u64> {
    millis.map(|millis| u64::try_from(millis).unwrap_or_default())
}

#[napi]
pub struct Keyring(pub(crate) paytend::Keyring);

/// An opened message. Each part is converted to a JavaScript value on access.
#[napi]
pub struct Opened(paytend::Opened);

#[napi]
impl Opened {
    /// Returns the fields as alternating names and values. In an object, a name such as `__proto__` would be special.
    #[napi]
    pub fn fields(&self) -> Vec<&str> {
        self.0.fields().flat_map(|(name, value)| [name, value]).collect()
    }

    #[napi]
    pub fn payload(&self) -> Result<&str> {
        self.0.payload_text().map_err(|failure| js_error(&failure, None))
    }

    #[napi]
    pub fn payload_bytes(&self) -> Buffer {
        self.0.payload().to_vec().into()
    }

    #[napi]
    pub fn payload_problem(&self) -> Option<String> {
        self.0.payload_problem()
    }

    #[napi]
    pub fn canonical(&self) -> Result<String> {
        Ok(self.0.canonical_text().map_err(|failure| js_error(&failure, None))?.to_string())
    }

    #[napi]
    pub fn verified_by(&self) -> &str {
        self.0.verified_by()
    }

    #[napi]
    pub fn decrypted_by(&self) -> Option<&str> {
        self.0.decrypted_by()
    }
}

pub struct Opening {
    keyring: paytend::Keyring,
    document: Vec<u8>,
    expected: Expected,
}

impl Task for Opening {
    type Output = Opened;
    type JsValue = Opened;

    fn compute(&mut self) -> Result<Opened> {
        self.expected.open(&self.keyring, &self.document)
    }

    fn resolve(&mut self, _: Env, opened: Opened) -> Result<Opened> {
        Ok(opened)
    }
}

/// The expected properties of a message.
struct Expected {
    kind: String,
    partner_id: Option<String>,
    payload_signed: bool,
    max_bytes: Option<u32>,
}

impl Expected {
    fn open(&self, keyring: &paytend::Keyring, document: &[u8]) -> Result<Opened> {
        let limit = self.max_bytes.map(|bytes| bytes as usize);
        guarded(|| {
            let kind = paytend::kind(&self.kind)?;
            paytend::open(keyring, kind, self.partner_id.as_deref(), document, self.payload_signed, limit).map(Opened)
        })
    }
}

pub struct Sealing {
    keyring: paytend::Keyring,
    kind: String,
    fields: Vec<(String, String)>,
    payload: Option<String>,
    payload_signed: bool,
}

impl Task for Sealing {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> Result<String> {
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        guarded(|| {
            let kind = paytend::kind(&self.kind)?;
            paytend::seal(&self.keyring, kind, fields, self.payload.as_deref(), self.payload_signed)
        })
    }

    fn resolve(&mut self, _: Env, sealed: String) -> Result<String> {
        Ok(sealed)
    }
}

#[napi]
impl Keyring {
    fn sealing(
        &self,
        kind: String,
        fields: Vec<Vec<String>>,
        payload: Option<String>,
        payload_signed: bool,
    ) -> Sealing {
        let pair = |pair: Vec<String>| <[String; 2]>::try_from(pair).ok().map(|[name, value]| (name, value));
        let fields = fields.into_iter().filter_map(pair).collect();
        Sealing { keyring: self.0.clone(), kind, fields, payload, payload_signed }
    }

    #[napi]
    pub fn seal_sync(
        &self,
        kind: String,
        fields: Vec<Vec<String>>,
        payload: Option<String>,
        payload_signed: bool,
    ) -> Result<String> {
        self.sealing(kind, fields, payload, payload_signed).compute()
    }

    #[napi]
    pub fn seal(
        &self,
        kind: String,
        fields: Vec<Vec<String>>,
        payload: Option<String>,
        payload_signed: bool,
    ) -> AsyncTask<Sealing> {
        AsyncTask::new(self.sealing(kind, fields, payload, payload_signed))
    }

    #[napi]
    pub fn open_sync(
        &self,
        kind: String,
        document: Uint8Array,
        partner_id: Option<String>,
        payload_signed: bool,
        max_bytes: Option<u32>,
    ) -> Result<Opened> {
        Expected { kind, partner_id, payload_signed, max_bytes }.open(&self.0, &document)
    }

    #[napi]
    pub fn open(
        &self,
        kind: String,
        document: Uint8Array,
        partner_id: Option<String>,
        payload_signed: bool,
        max_bytes: Option<u32>,
    ) -> AsyncTask<Opening> {
        let expected = Expected { kind, partner_id, payload_signed, max_bytes };
        AsyncTask::new(Opening { keyring: self.0.clone(), document: document.to_vec(), expected })
    }

    #[napi]
    pub fn receiver(&self, product: String, partner_id: String, max_bytes: Option<u32>) -> Result<Receiver> {
        guarded(|| limited(paytend::Receiver::paytend(&product, &partner_id, self.0.clone())?, max_bytes, None))
    }
}

#[napi]
pub struct Receiver(pub(crate) paytend::Receiver);

fn limited(
    receiver: paytend::Receiver,
    max_bytes: Option<u32>,
    max_age: Option<i64>,
) -> std::result::Result<Receiver, Failure> {
    receiver.limited(max_bytes.map(|bytes| bytes as usize), clamp_millis(max_age)).map(Receiver)
}

/// A verified notification: the summary as JSON, and the content.
#[napi(object)]
pub struct Received {
    pub summary: String,
    pub content: Buffer,
}

pub struct Receiving {
    receiver: paytend::Receiver,
    headers: Vec<Vec<String>>,
    body: Vec<u8>,
    now: Option<i64>,
}

impl Receiving {
    fn verify(&self) -> Result<(String, Vec<u8>)> {
        // Node decodes header values as Latin-1. Encoding them as Latin-1 restores the bytes.
        let latin1 = |text: &str| text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect::<Vec<u8>>();
        let headers: Vec<(&str, Vec<u8>)> =
            self.headers.iter().filter_map(|pair| Some((pair.first()?.as_str(), latin1(pair.get(1)?)))).collect();
        let pairs = headers.iter().map(|(name, value)| (*name, value.as_slice()));
        match self.receiver.receive(pairs, &self.body, clamp_millis(self.now)) {
            Ok(notification) => Ok((notification.summary(), notification.content)),
            Err(rejected) => Err(js_error(&rejected.failure, Some(&rejected.response))),
        }
    }
}

impl Task for Receiving {
    type Output = (String, Vec<u8>);
    type JsValue = Received;

    fn compute(&mut self) -> Result<(String, Vec<u8>)> {
        self.verify()
    }

    fn resolve(&mut self, _: Env, (summary, content): (String, Vec<u8>)) -> Result<Received> {
        Ok(Received { summary, content: content.into() })
    }
}

#[napi]
impl Receiver {
    fn receiving(&self, headers: Vec<Vec<String>>, body: &[u8], now: Option<i64>) -> Receiving {
        Receiving { receiver: self.0.clone(), headers, body: body.to_owned(), now }
    }

    #[napi]
    pub fn receive_sync(&self, headers: Vec<Vec<String>>, body: Uint8Array, now: Option<i64>) -> Result<Received> {
        let (summary, content) = self.receiving(headers, &body, now).verify()?;
        Ok(Received { summary, content: content.into() })
    }

    #[napi]
    pub fn receive(&self, headers: Vec<Vec<String>>, body: Uint8Array, now: Option<i64>) -> AsyncTask<Receiving> {
        AsyncTask::new(self.receiving(headers, &body, now))
    }

    /// Returns the HTTP response for a received notification as JSON.
    #[napi]
    pub fn respond(&self, reply: String) -> Result<String> {
        guarded(|| paytend::Reply::named(&reply).map(|reply| provider_response(&self.0.respond(reply)).to_string()))
    }
}

#[napi]
pub fn key_info(data: Uint8Array) -> Result<String> {
    guarded(|| paytend::key_info(&data))
}

#[napi]
pub fn request_id() -> Result<String> {
    guarded(paytend::request_id)
}

#[napi]
pub fn version() -> String {
    paytend::VERSION.to_owned()
}
