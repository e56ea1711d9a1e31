//! A sender of deliberately incorrect messages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};
use paytend_crypto::hazmat::encrypt_blocks;
use paytend_crypto::{PrivateKey, PublicKey, detached, rustcrypto};
use paytend_vectors::{PARTNER_ID, Seeded};
use paytend_webhook::Provider;
use paytend_webhook::explain::{Explanation, Finding, KnownKeys, TextChange, explain};
use sha2::{Digest, Sha256};

pub(super) fn key(name: &str) -> PrivateKey {
    PrivateKey::from_bytes(&paytend_vectors::keys()[name].private).unwrap()
}

/// The keys in the vectors: the partner's, Paytend's, and some unrelated keys.
pub(super) fn known_keys() -> KnownKeys {
    KnownKeys::new()
        .own("own", key("partner").to_pkcs8_pem().unwrap().as_bytes())
        .and_then(|keys| keys.sender("Paytend", key("paytend").public_key().spki_der()))
        .and_then(|keys| keys.other_private("sandbox", key("partner_2048").to_pkcs8_pem().unwrap().as_bytes()))
        .and_then(|keys| keys.other_public("PayBy", key("payby").public_key().spki_der()))
        .unwrap()
        .partner_id(PARTNER_ID)
}

/// A sender whose fields determine which mistakes it makes.
pub(super) struct Sender {
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) content: Vec<u8>,
    /// The content to sign, if it differs from the encrypted content.
    pub(super) signed_content: Option<Vec<u8>>,
    pub(super) session_key: Vec<u8>,
    pub(super) aes_key: Vec<u8>,
    pub(super) signing_key: PrivateKey,
    pub(super) recipient_key: PublicKey,
}

impl Sender {
    pub(super) fn new() -> Self {
        let session_key = STANDARD.encode([7; 16]).into_bytes();
        let fields = [("notifyType", "2"), ("partnerId", PARTNER_ID), ("signType", "RSA"), ("version", "2.0")];
        Self {
            fields: fields.map(|(name, value)| (name, value.to_owned())).into(),
            content: r#"{"orderNo":"F1","amount":10.00,"name":"Žal & Söhne","url":"a/b"}"#.into(),
            signed_content: None,
            aes_key: session_key.clone(),
            session_key,
            signing_key: key("paytend"),
            recipient_key: key("partner").public_key().clone(),
        }
    }

    /// Returns the document. The signature covers the result of `text`, which receives the names and values of the
    /// fields and the encrypted content and key.
    pub(super) fn send(&self, text: impl Fn(NamedValues, &str, &str) -> Vec<u8>) -> Vec<u8> {
        let content = STANDARD.encode(encrypt(&self.aes_key, &self.content));
        let recipient_key = rustcrypto::public(&self.recipient_key).unwrap();
        let padding = Seeded::with(2);
        let random_key = STANDARD.encode(encrypt_blocks(&*recipient_key, &self.session_key, &padding).unwrap());
        let mut fields: NamedValues =
            self.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes())).collect();
        fields.push(("content".into(), self.signed_content.as_ref().unwrap_or(&self.content).clone()));
        fields.push(("randomKey".into(), self.session_key.clone()));
        fields.sort();
        let signed = text(fields, &content, &random_key);
        let signing_key = rustcrypto::private(&self.signing_key).unwrap();
        let signature = STANDARD.encode(signing_key.sign_sha256(&Sha256::digest(signed).into()).unwrap());
        let mut document = serde_json::json!({"content": content, "randomKey": random_key, "signature": signature});
        for (name, value) in &self.fields {
            document[*name] = value.as_str().into();
        }
        document.to_string().into_bytes()
    }

    pub(super) fn send_valid(&self) -> Vec<u8> {
        self.send(|fields, _, _| join(fields))
    }
}

/// The names and values of fields.
pub(super) type NamedValues = Vec<(String, Vec<u8>)>;
pub(super) type SignedText<'a> = &'a dyn Fn(NamedValues, &str, &str) -> Vec<u8>;

pub(super) fn join(fields: NamedValues) -> Vec<u8> {
    let pairs = fields.into_iter().map(|(name, value)| [name.as_bytes(), b"=", &value].concat());
    pairs.collect::<Vec<_>>().join(&b'&')
}

pub(super) fn encrypt(key: &[u8], plain: &[u8]) -> Vec<u8> {
    use aes::cipher::array::Array;
    use aes::cipher::{BlockCipherEncrypt, KeyInit};
    let padding = 16 - plain.len() % 16;
    let mut data = plain.to_vec();
    data.resize(plain.len() + padding, padding as u8);
    for block in data.chunks_mut(16) {
        let block: &mut Array<u8, _> = block.try_into().unwrap();
        match key.len() {
            16 => aes::Aes128::new_from_slice(key).unwrap().encrypt_block(block),
            32 => aes::Aes256::new_from_slice(key).unwrap().encrypt_block(block),
            _ => aes::Aes192::new_from_slice(key).unwrap().encrypt_block(block),
        }
    }
    data
}

pub(super) fn explain_document(document: &[u8]) -> Explanation {
    explain(Provider::Paytend, &HeaderMap::new(), document, &known_keys())
}

#[track_caller]
pub(super) fn assert_found(explanation: &Explanation, expected: &[Finding]) {
    assert_eq!(explanation.findings(), expected, "{explanation}");
    assert!(!explanation.authentic());
}

pub(super) fn text(changes: &[TextChange], at: usize, field: &str) -> Finding {
    Finding::Text { changes: changes.to_vec(), at, field: Some(field.to_owned()) }
}

pub(super) fn signed(name: &str, body: &[u8]) -> HeaderMap {
    let sign = detached::sign(&*rustcrypto::private(&key(name)).unwrap(), body).unwrap();
    HeaderMap::from_iter([("sign".parse().unwrap(), HeaderValue::from_str(&sign).unwrap())])
}

pub(super) fn detached_keys() -> KnownKeys {
    KnownKeys::new()
        .sender("PayBy", key("payby").public_key().spki_der())
        .and_then(|keys| keys.other_public("PayerMax", key("payermax").public_key().spki_der()))
        .unwrap()
}
