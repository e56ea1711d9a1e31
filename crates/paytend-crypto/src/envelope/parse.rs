//! Step 1 of opening: all checks that need no key.

use std::borrow::Cow;

use crate::envelope::canonical::{self, Insertions, Template};
use crate::envelope::json::{self, Value};
use crate::envelope::message::{Expected, Kind};
use crate::error::{Error, FieldProblem, Malformed, UnsignedFailure};
use crate::primitives::aes::BLOCK;
use crate::primitives::base64::decode;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A parsed document that has passed all checks that need no key.
pub(crate) struct Incoming {
    pub(crate) kind: Kind,
    pub(crate) template: Template,
    /// The signed text without the payload, used if the decrypted payload is empty. The decrypted payload can be empty
    /// only if the ciphertext is a single block, which then consists only of padding.
    pub(crate) bare_template: Option<Template>,
    pub(crate) random_key: Option<Vec<u8>>,
    /// The encrypted payload: whole AES blocks, or empty.
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Incoming {
    /// Parses a document and performs all checks that need no key (step 1 of opening).
    pub(crate) fn read(document: &[u8], expected: &Expected) -> Result<Self, Error> {
        let kind = expected.kind;
        let fields = read_fields(document, expected.max_bytes)?;
        if kind == Kind::Response
            && let Some(failure) = unsigned_failure(&fields)
        {
            return Err(Error::UnsignedFailure(failure));
        }

        let (mut random_key, mut payload, mut signature) = (None, None, None);
        let mut plain: Vec<(&str, &str)> = Vec::with_capacity(fields.len());
        for (name, value) in &fields {
            canonical::check_name(name).map_err(Malformed::from)?;
            let slot = match &**name {
                // `encryptFlag` is reserved and not signed, so its value is ignored.
                "encryptFlag" => continue,
                "randomKey" => &mut random_key,
                "signature" => &mut signature,
                other if other == kind.payload_field() => &mut payload,
                other => {
                    if let Some(value) = plain_value(kind, other, value)? {
                        plain.push((other, value));
                    }
                    continue;
                }
            };
            *slot = match value {
                Value::Text(text) if text.is_empty() => None,
                Value::Text(text) => Some(&**text),
                Value::Null => None,
                _ => return Err(Malformed::from(FieldProblem::NotAString(static_name(kind, name))).into()),
            };
        }
        plain.sort_unstable();
        canonical::check_fields(kind, &plain).map_err(|problem| match problem {
            // A message with a different version, algorithm or partner is well formed, but not for this receiver.
            FieldProblem::Fixed(_) => Error::NotAuthentic,
            problem => Malformed::from(problem).into(),
        })?;
        if let Some(partner) = &expected.partner_id
            && !plain.iter().any(|(name, value)| *name == "partnerId" && value == partner)
        {
            return Err(Error::NotAuthentic);
        }

        let signature = decode(signature.ok_or(Error::NotAuthentic)?)?;
        let random_key = random_key.map(|text| decode(&percent_decoded(text)?)).transpose()?;
        let payload = payload.map(decode).transpose()?.unwrap_or_default();
        // Requests and responses without data can omit the session key.
        let keyless = kind != Kind::Notification && payload.is_empty();
        if !payload.len().is_multiple_of(BLOCK) || (random_key.is_none() && !keyless) {
            return Err(Error::NotAuthentic);
        }
        let insertions =
            Insertions { payload: !payload.is_empty() && expected.payload_signed, key: random_key.is_some() };
        let template = Template::new(kind, &plain, insertions);
        let maybe_empty = insertions.payload && payload.len() == BLOCK;
        let bare_template =
            maybe_empty.then(|| Template::new(kind, &plain, Insertions { payload: false, ..insertions }));
        Ok(Self { kind, template, bare_template, random_key, payload, signature })
    }
}

type WireFields<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

fn read_fields(document: &[u8], limit: usize) -> Result<WireFields<'_>, Malformed> {
    if document.len() > limit {
        return Err(Malformed::TooLarge { bytes: document.len(), limit });
    }
    // Some senders and gateways put a byte order mark before a JSON document. It is not part of the signed text.
    let document = document.strip_prefix(BYTE_ORDER_MARK).unwrap_or(document);
    let text = std::str::from_utf8(document).map_err(|e| Malformed::NotUtf8 { at: e.valid_up_to() })?;
    json::read_document(text).map_err(|f| Malformed::Json { problem: f.problem, line: f.line, column: f.column })
}

/// Returns a plain field's text, or `None` if the value is `null` or empty. An unknown field can be a number,
/// `true` or `false`; its text is returned as it was signed.
fn plain_value<'a>(kind: Kind, name: &str, value: &'a Value<'a>) -> Result<Option<&'a str>, Malformed> {
    let text = match value {
        Value::Text(text) => &**text,
        Value::Null => "",
        Value::Literal(text) if !is_known(kind, name) => text,
        Value::Literal(_) => return Err(FieldProblem::NotAString(static_name(kind, name)).into()),
        Value::Nested if is_known(kind, name) => return Err(FieldProblem::NotAString(static_name(kind, name)).into()),
        Value::Nested => return Err(FieldProblem::Nested.into()),
    };
    Ok((!text.is_empty()).then_some(text))
}

fn known_names(kind: Kind) -> impl Iterator<Item = &'static str> {
    kind.required_fields().iter().chain(kind.optional_fields()).copied().chain([
        "randomKey",
        "signature",
        kind.payload_field(),
    ])
}

fn is_known(kind: Kind, name: &str) -> bool {
    known_names(kind).any(|known| known == name)
}

/// Returns a known name as a constant, so that an error never contains the sender's input.
fn static_name(kind: Kind, name: &str) -> &'static str {
    known_names(kind).find(|known| *known == name).unwrap_or("?")
}

/// Returns the code and text of an error response without signature, payload or key, or `None` for other responses. The
/// provider's documentation describes such error responses.
fn unsigned_failure(fields: &WireFields<'_>) -> Option<UnsignedFailure> {
    let text = |name: &str| match fields.iter().find(|(known, _)| known == name) {
        Some((_, Value::Text(text))) => &**text,
        Some((_, Value::Literal(text))) => text,
        Some((_, Value::Nested)) => "{}",
        Some((_, Value::Null)) | None => "",
    };
    let sealed = ["signature", "randomKey", "respData"].iter().any(|name| !text(name).is_empty());
    let (code, message) = (text("respCode"), text("respMsg"));
    if sealed || code.is_empty() || code == "00" {
        return None;
    }
    Some(UnsignedFailure { resp_code: code.to_owned(), resp_msg: message.to_owned() })
}

/// Percent-decodes a `randomKey` if it contains `%`. Source: the provider's published sandbox demo.
fn percent_decoded(text: &str) -> Result<Cow<'_, str>, Error> {
    if !text.contains('%') {
        return Ok(text.into());
    }
    percent_encoding::percent_decode_str(text).decode_utf8().map_err(|_| Error::NotAuthentic)
}

/// Reads one top-level field of a message **that has not been verified**.
///
/// Intended for servers with many partners, which must select the keyring before they can verify a message. Pass the
/// value to [`Expected`] afterwards, so that opening the message verifies the value.
///
/// # Errors
/// Returns [`Error::Malformed`] if the document breaks a rule that can be checked without a key.
pub fn danger_peek(document: &[u8], kind: Kind, name: &str) -> Result<Option<String>, Error> {
    let fields = read_fields(document, kind.default_max_bytes())?;
    Ok(fields.into_iter().find_map(|(known, value)| match value {
        Value::Text(text) if known == name => Some(text.into_owned()),
        _ => None,
    }))
}
