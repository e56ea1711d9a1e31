//! Describes a captured message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paytend_crypto::{Expected, Kind};
use paytend_inbox::Route;
use paytend_model::{Field, OperationEntry, PayloadRule, operations};
use paytend_webhook::Provider;
use paytend_webhook::explain::{Explanation, Verdict, explain, explain_envelope};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::find::{Found, Place};
use super::keys::Keys;
use super::kind::{Members, MessageKind};
use super::redact::{Redacted, is_plain, redacted};
use crate::event_kinds;
use crate::exit::Failure;
use crate::output::{self, Style};

/// The fields of an envelope that contain no personal data.
const HARMLESS: &[&str] = &["partnerId", "requestId", "notifyType", "respCode", "signType", "version"];
/// The fields of an envelope that contain encrypted data, an encrypted key or a signature.
const SEALED: &[&str] = &["bizData", "respData", "content", "randomKey", "signature"];

/// The description of a message. Its members are part of the interface for scripts; see `schemas/inspect.json`.
#[derive(Serialize)]
pub(super) struct Description {
    place: String,
    kind: &'static str,
    wrappings: Vec<String>,
    operation: Option<String>,
    http_status: Option<u16>,
    /// The fields of the envelope that are not encrypted.
    fields: Map<String, Value>,
    encrypted_bytes: Option<usize>,
    /// The size of the receiver's key, in bits. The session key is encrypted with this key.
    receiver_key_bits: Option<usize>,
    /// The size of the sender's key, in bits. The message is signed with this key.
    sender_key_bits: Option<usize>,
    /// An instruction to provide the keys for this message. It is shown if the signature was not checked.
    #[serde(skip)]
    missing: &'static str,
    /// The result of the verification, or `None` if there are no keys for this message.
    verdict: Option<&'static str>,
    findings: Vec<String>,
    data: Option<Box<RawValue>>,
    /// The number of values that `--reveal` shows.
    hidden: usize,
    /// Whether the whole text was searched.
    search_complete: bool,
}

impl Description {
    pub(super) fn of(found: &Found, keys: Option<&Keys>, reveal: bool, search_complete: bool) -> Result<Self, Failure> {
        let operation = operation(found);
        let members: Members<'_> = serde_json::from_slice(&found.bytes).unwrap_or_default();
        let text = |name: &str| members.get(name).and_then(|raw| scalar(raw));
        let bits = |text: Option<String>| decoded(text.as_deref()?).map(|bytes| bytes.len() * 8);
        let place = match found.place {
            Place::Line(number) => format!("line {number}"),
            Place::Entry(number) => format!("entry {number}"),
        };
        let mut shown = Self {
            place,
            kind: found.kind.name(),
            wrappings: found.wrappings.clone(),
            operation: operation.map(|entry| format!("{}.{}", entry.info.product, entry.info.name)),
            http_status: found.head.status,
            fields: Map::new(),
            encrypted_bytes: None,
            receiver_key_bits: None,
            sender_key_bits: None,
            missing: Keys::missing(found.kind),
            verdict: None,
            findings: Vec::new(),
            data: None,
            hidden: 0,
            search_complete,
        };
        match found.kind {
            MessageKind::Envelope(kind) => {
                shown.set_fields(&members, reveal);
                shown.encrypted_bytes = bits(text(kind.payload_field())).map(|bits| bits / 8);
                shown.receiver_key_bits = bits(text("randomKey"));
                shown.sender_key_bits = bits(text("signature"));
            }
            MessageKind::Detached(_) => {
                shown.sender_key_bits = bits(found.head.sign.clone());
                shown.set_data(
                    std::str::from_utf8(&found.bytes).unwrap_or_default(),
                    &descriptions(found, None),
                    reveal,
                );
            }
        }
        if let Some(keys) = keys {
            shown.verify(found, operation, keys, reveal)?;
        }
        Ok(shown)
    }

    /// Returns whether the signature was checked and is not valid.
    pub(super) fn is_refused(&self) -> bool {
        self.verdict == Some("not_authentic")
    }

    fn set_fields(&mut self, members: &Members<'_>, reveal: bool) {
        for (name, raw) in members.iter().filter(|(name, _)| !SEALED.contains(&name.as_str())) {
            match scalar(raw) {
                Some(text) if reveal || (HARMLESS.contains(&name.as_str()) && is_harmless(name, &text)) => {
                    self.fields.insert(name.clone(), text.into());
                }
                _ => self.hidden += 1,
            }
        }
    }

    fn set_data(&mut self, text: &str, descriptions: &[&[Field]], reveal: bool) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let Redacted { text, hidden } = match reveal {
            true => Redacted { text: text.to_owned(), hidden: 0 },
            false => redacted(text, descriptions),
        };
        self.hidden += hidden;
        // Data that is not strict JSON is shown as a string.
        self.data = RawValue::from_string(text.clone()).or_else(|_| serde_json::value::to_raw_value(&text)).ok();
    }

    fn verify(
        &mut self,
        found: &Found,
        operation: Option<&OperationEntry>,
        keys: &Keys,
        reveal: bool,
    ) -> Result<(), Failure> {
        let Some(known) = keys.known(found.kind)? else { return Ok(()) };
        let explanation = match found.kind {
            MessageKind::Detached(_) if found.head.sign.is_none() => {
                self.findings.push("the `sign` header was not captured, so the signature cannot be checked".to_owned());
                return Ok(());
            }
            MessageKind::Detached(provider) => explain(provider, &found.head.headers(), &found.bytes, &known),
            MessageKind::Envelope(kind) => {
                let signed = operation.is_none_or(|entry| entry.info.payload != PayloadRule::Unsigned);
                if let Some(keyring) = keys.keyring(kind)? {
                    let expected = match kind {
                        Kind::Response => Expected::response(),
                        kind => Expected::danger_any_partner(kind),
                    };
                    let expected = expected.with_max_bytes(Kind::Request.default_max_bytes());
                    let expected = if signed { expected } else { expected.unsigned_payload() };
                    if let Ok(opened) = keyring.open(&found.bytes, &expected) {
                        let notify_type = opened.field("notifyType");
                        let descriptions = descriptions(found, notify_type);
                        self.set_data(&String::from_utf8_lossy(opened.payload_bytes()), &descriptions, reveal);
                    }
                }
                explain_envelope(kind, signed, &found.bytes, &known)
            }
        };
        self.set_verdict(&explanation);
        Ok(())
    }

    fn set_verdict(&mut self, explanation: &Explanation) {
        self.verdict = Some(match explanation.verdict() {
            Verdict::Authentic => "authentic",
            Verdict::AuthenticBut(_) => "authentic_but",
            _ => "not_authentic",
        });
        self.findings.extend(explanation.findings().iter().map(ToString::to_string));
    }

    pub(super) fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            return output::json(self);
        }
        let style = Style::stdout();
        let operation = self.operation.as_deref().map(|name| format!(", {name}")).unwrap_or_default();
        let status = self.http_status.map(|status| format!(", HTTP {status}")).unwrap_or_default();
        output::line(&format!("{}: {}{operation}{status}", self.place, style.bold(self.kind)))?;
        let mut lines = Vec::new();
        if !self.wrappings.is_empty() {
            lines.push(format!("found in: {}", self.wrappings.join(", then ")));
        }
        let fields = self.fields.iter().map(|(name, value)| format!("{name} {}", value.as_str().unwrap_or_default()));
        let fields: Vec<String> = fields.map(|field| field.replace('\u{1b}', "?")).collect();
        if !fields.is_empty() {
            lines.push(fields.join(", "));
        }
        if let Some(bytes) = self.encrypted_bytes {
            lines.push(format!("{bytes} bytes of encrypted data"));
        }
        for (bits, what) in
            [(self.receiver_key_bits, "encrypted for a key of"), (self.sender_key_bits, "signed with a key of")]
        {
            lines.extend(bits.map(|bits| format!("{what} {bits} bits")));
        }
        lines.push(match self.verdict {
            // The findings already report why the signature was not checked, such as a missing header.
            None if !self.findings.is_empty() => "the signature was not checked".to_owned(),
            None => format!("the signature was not checked: {}", self.missing),
            Some("not_authentic") => style.bad("not authentic"),
            Some("authentic") => style.good("authentic"),
            Some(_) => style.good("authentic, but:"),
        });
        lines.extend(self.findings.iter().map(|finding| format!("- {finding}")));
        lines.extend(self.data.as_ref().map(|data| data.get().to_owned()));
        if self.hidden > 0 {
            lines.push(style.dim(&format!("{} values are hidden; --reveal shows them", self.hidden)));
        }
        for line in lines {
            output::line(&format!("  {}", printable(&line)))?;
        }
        Ok(())
    }
}

/// Finds the operation whose path matches the path of the request.
fn operation(found: &Found) -> Option<&'static OperationEntry> {
    let path = found.head.path.as_deref()?;
    let is_call = matches!(found.kind, MessageKind::Envelope(Kind::Request | Kind::Response));
    // A gateway can add a prefix to the path, so only the end is compared.
    operations().iter().find(|entry| is_call && path.ends_with(entry.info.path))
}

/// Returns the fields of each payload type that the message can contain.
fn descriptions(found: &Found, notify_type: Option<&str>) -> Vec<&'static [Field]> {
    let known = operation(found);
    let calls = || operations().iter().filter(move |entry| known.is_none_or(|known| std::ptr::eq(known, *entry)));
    let events = |of: &dyn Fn(&event_kinds::EventKind) -> bool| -> Vec<&'static [Field]> {
        event_kinds::ALL.iter().filter(|kind| of(kind)).map(|kind| kind.description.fields).collect()
    };
    match found.kind {
        MessageKind::Envelope(Kind::Request) => calls().map(|entry| entry.request.fields).collect(),
        MessageKind::Envelope(Kind::Response) => calls().map(|entry| entry.response.fields).collect(),
        MessageKind::Envelope(_) => events(&|kind| {
            let is_paytend = matches!(kind.route, Route::PaytendBaas | Route::PaytendIssuing);
            is_paytend && notify_type.is_none_or(|notify_type| kind.notify_type == notify_type)
        }),
        MessageKind::Detached(Provider::PayBy) => events(&|kind| kind.route == Route::PayBy),
        MessageKind::Detached(_) => events(&|kind| kind.route == Route::PayerMax),
    }
}

/// Returns the text of a JSON string or number.
fn scalar(raw: &RawValue) -> Option<String> {
    match serde_json::from_str(raw.get()).ok()? {
        Value::String(text) => Some(text),
        Value::Number(_) | Value::Bool(_) => Some(raw.get().to_owned()),
        _ => None,
    }
}

/// Returns whether the value of a field in `HARMLESS` really looks harmless. By mistake, it could be a card number, for
/// example.
fn is_harmless(name: &str, text: &str) -> bool {
    // A partner ID has 15 digits, like some card numbers. Card numbers with 15 digits begin with 34 or 37.
    let is_partner_id = name == "partnerId"
        && text.len() == 15
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && !text.starts_with("34")
        && !text.starts_with("37");
    is_partner_id || is_plain(text)
}

/// Decodes base64 text. Returns `None` if it is invalid or empty.
fn decoded(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.trim()).ok().filter(|bytes| !bytes.is_empty())
}

/// Replaces control characters by `?`. The escape character is kept, because colours need it.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\u{1b}' { '?' } else { c }).collect()
}
