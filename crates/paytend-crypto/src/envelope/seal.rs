//! Sealing messages: encrypting the payload and the session key, and signing the plaintext of both.

use std::fmt;

use zeroize::Zeroizing;

use crate::envelope::canonical::{self, Insertions, Template};
use crate::envelope::json;
use crate::envelope::keyring::Keyring;
use crate::envelope::message::Fields;
use crate::error::{Error, FieldProblem};
use crate::keys::error::KeyError;
use crate::primitives::{aes, base64, pkcs1v15};

/// A message to seal.
#[derive(Clone)]
pub struct Outgoing<'a> {
    fields: &'a Fields,
    payload: Option<&'a str>,
    payload_signed: bool,
}

impl<'a> Outgoing<'a> {
    /// Creates a message without a payload.
    pub fn new(fields: &'a Fields) -> Self {
        Self { fields, payload: None, payload_signed: true }
    }

    /// Sets the payload: one JSON object, which is encrypted and signed byte for byte. An empty string means no
    /// payload.
    #[must_use]
    pub fn payload(mut self, text: &'a str) -> Self {
        self.payload = (!text.is_empty()).then_some(text);
        self
    }

    /// Excludes the payload from the signature, as required by the upload endpoints of the IBAN product.
    #[must_use]
    pub fn unsigned_payload(mut self) -> Self {
        self.payload_signed = false;
        self
    }
}

impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("fields", &self.fields)
            .field("payload_signed", &self.payload_signed)
            .finish_non_exhaustive()
    }
}

/// A sealed message, ready to send.
pub struct Sealed {
    document: String,
    template: Template,
    session_key: Zeroizing<String>,
}

impl Sealed {
    /// Returns the wire document: one JSON object in UTF-8.
    pub fn document(&self) -> &str {
        &self.document
    }

    /// Returns the wire document as an owned string.
    pub fn into_document(self) -> String {
        self.document
    }

    /// Returns the signed text. `payload` must be the sealed payload, which is not stored. The text is secret, because
    /// it contains the session key and the payload.
    pub fn canonical(&self, payload: &str) -> Zeroizing<String> {
        let text = self.template.fill(self.session_key.as_bytes(), payload.as_bytes());
        // The template, the session key and the payload are UTF-8, so this conversion never fails.
        Zeroizing::new(std::str::from_utf8(&text).unwrap_or_default().to_owned())
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("bytes", &self.document.len()).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Seals a message.
    ///
    /// # Errors
    /// - Returns [`Error::Unsealable`] if a field or the payload breaks a rule that the receiver checks.
    /// - Returns [`Error::Key`] if this keyring has no keys to seal messages.
    /// - Returns [`Error::Backend`] if a key's backend fails.
    /// - Returns [`Error::Random`] if the random source fails.
    ///
    /// ```
    /// # use paytend_crypto::{Fields, Keyring, Outgoing, OsRandom, RequestId, rustcrypto};
    /// # let (own, paytend) = (rustcrypto::generate(1024, &OsRandom)?, rustcrypto::generate(1024, &OsRandom)?);
    /// # let keyring = Keyring::from_keys(&own, paytend.public_key())?;
    /// let fields = Fields::request("888666000100260", &RequestId::generate()?);
    /// let sealed = keyring.seal(&Outgoing::new(&fields).payload(r#"{"cardId":"1755902"}"#))?;
    /// assert!(sealed.document().contains("\"signature\""));
    /// # Ok::<(), paytend_crypto::Error>(())
    /// ```
    pub fn seal(&self, message: &Outgoing<'_>) -> Result<Sealed, Error> {
        let keys = &*self.inner;
        let signing = keys.signing.as_ref().ok_or(KeyError::Absent("sign"))?;
        let encryption = keys.encryption.as_ref().ok_or(KeyError::Absent("encrypt"))?;
        let kind = message.fields.kind();
        let payload = message.payload.unwrap_or_default();

        let plain = sorted_fields(message.fields).map_err(Error::Unsealable)?;
        canonical::check_fields(kind, &plain).map_err(Error::Unsealable)?;
        if !payload.is_empty() {
            json::check_object(payload).map_err(|flaw| Error::Unsealable(FieldProblem::Payload(flaw.into())))?;
        }

        let session_key = aes::generate(keys.session_key_length, &*keys.random)?;
        let insertions = Insertions { payload: !payload.is_empty() && message.payload_signed, key: true };
        let template = Template::new(kind, &plain, insertions);
        let digest = template.digest(session_key.as_bytes(), payload.as_bytes(), payload.len());
        let signature = signing.sign_sha256(&digest)?;
        let block = pkcs1v15::encryption_block(session_key.as_bytes(), encryption.public_key().size(), &*keys.random)?;
        let random_key = encryption.encrypt_raw(&block)?;

        let mut document =
            String::with_capacity(payload.len() / 3 * 4 + 3 * (random_key.len() + signature.len()) + 512);
        document.push('{');
        for (name, value) in message.fields.iter().filter(|(_, value)| !value.is_empty()) {
            member(&mut document, name, |out| out.push_str(&serde_json::Value::from(value).to_string()[1..]));
        }
        // Base64 needs no escaping, so it is written directly to the document.
        member(&mut document, kind.payload_field(), |out| {
            if !payload.is_empty() {
                aes::encrypt_into(session_key.as_bytes(), keys.session_key_length, payload.as_bytes(), out);
            }
            out.push('"');
        });
        for (name, bytes) in [("randomKey", &random_key), ("signature", &signature)] {
            member(&mut document, name, |out| {
                base64::encode_into(bytes, out);
                out.push('"');
            });
        }
        document.push('}');
        Ok(Sealed { document, template, session_key })
    }
}

/// Writes `"name":"`. `value` writes the rest of the value and its closing quote.
fn member(document: &mut String, name: &str, value: impl FnOnce(&mut String)) {
    if !document.ends_with('{') {
        document.push(',');
    }
    document.push('"');
    document.push_str(name);
    document.push_str("\":\"");
    value(document);
}

/// Returns the non-empty fields, sorted by name. Refuses the names of fields that sealing adds, and names that the
/// receiver would not accept.
fn sorted_fields(fields: &Fields) -> Result<Vec<(&str, &str)>, FieldProblem> {
    let mut plain = Vec::with_capacity(8);
    for (name, value) in fields.iter() {
        for reserved in ["randomKey", "signature", "encryptFlag", fields.kind().payload_field()] {
            if name == reserved {
                return Err(FieldProblem::Reserved(reserved));
            }
        }
        canonical::check_name(name)?;
        if !value.is_empty() {
            plain.push((name, value));
        }
    }
    plain.sort_unstable();
    Ok(plain)
}
