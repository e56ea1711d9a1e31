//! Tests that `respMsg` describes a request's payload if it is not a JSON object.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paytend_crypto::{Expected, RequestId, detached, hazmat, rustcrypto};
use paytend_sandbox::{Failure, Sandbox};
use paytend_vectors::Seeded;
use serde_json::{Map, Value};

const SESSION_KEY: &str = "gNx86vc1yttHs8ZWOf7+5g==";

/// Seals a request without checking that its payload is valid.
fn seal(sandbox: &Sandbox, payload: &[u8]) -> String {
    let request_id = RequestId::generate().unwrap();
    let fields = [
        ("partnerId", sandbox.partner_id()),
        ("requestId", request_id.as_str()),
        ("signType", "RSA"),
        ("version", "2.0"),
    ];
    let mut signed: BTreeMap<&str, &[u8]> = fields.map(|(name, value)| (name, value.as_bytes())).into();
    signed.extend([("bizData", payload), ("randomKey", SESSION_KEY.as_bytes())]);
    let text: Vec<Vec<u8>> = signed.iter().map(|(name, value)| [name.as_bytes(), b"=", value].concat()).collect();
    let own = rustcrypto::private(sandbox.partner_key().unwrap()).unwrap();
    let paytend = rustcrypto::public(&sandbox.public_key()).unwrap();
    let random_key = hazmat::encrypt_blocks(&*paytend, SESSION_KEY.as_bytes(), &Seeded::with(1)).unwrap();
    let mut document: Map<String, Value> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    document.insert("randomKey".into(), STANDARD.encode(random_key).into());
    document.insert("bizData".into(), encrypt(payload).into());
    document.insert("signature".into(), detached::sign(&*own, &text.join(&b'&')).unwrap().into());
    Value::Object(document).to_string()
}

/// Encrypts a payload with AES-192-ECB and PKCS#7 padding, and returns it as base64.
fn encrypt(payload: &[u8]) -> String {
    use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
    let cipher = aes::Aes192::new_from_slice(SESSION_KEY.as_bytes()).unwrap();
    let padding = 16 - payload.len() % 16;
    let mut data = [payload, &vec![padding as u8; padding]].concat();
    data.chunks_mut(16).for_each(|block| cipher.encrypt_block(block.try_into().unwrap()));
    STANDARD.encode(data)
}

/// Posts a document, and returns the response's code and message.
async fn post(sandbox: &Sandbox, path: &str, document: String) -> (String, String) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let sent = http.post(format!("{}{path}", sandbox.url())).body(document).send().await.unwrap();
    let keyring = sandbox.partner_keyring().unwrap();
    let opened = keyring.open(&sent.bytes().await.unwrap(), &Expected::response()).unwrap();
    let field = |name: &str| opened.field(name).unwrap_or_default().to_owned();
    (field("respCode"), field("respMsg"))
}

#[tokio::test]
async fn refusal_describes_a_payload_that_is_not_an_object() {
    let sandbox = Sandbox::start().await.unwrap();
    let found = |found: &str| format!("expected a JSON object; found {found}");
    for (payload, reason) in [
        (&b" "[..], found("whitespace only")),
        (br#"[{"cardId":"SECRET"}]"#, found("a list of 1 item")),
        (b"cardId=SECRET&orderNo=T", found("form-encoded text")),
        (b"<html>SECRET</html>", found("HTML")),
        (b"eyJjYXJkSWQiOiJTRUNSRVQifQ==", found("a JSON object in base64; decode it first")),
        (br#"{"cardId":"SECRET"#, found("an object that is cut off at byte 17")),
        (br#"{"cardId":"SECRET",}"#, found("an object with a trailing comma at byte 18")),
        (b"{'cardId':'SECRET'}", found("an object with single quotes at byte 1; JSON uses double quotes")),
        (b"{'cardId':None}", found("an object in Python's print format at byte 1; use json.dumps")),
        (br#"{"cardId":"1"}{"SECRET":1}"#, found("an object with more text after its end at byte 14")),
        // `Keyring::open` accepts these two payloads, but the sandbox refuses a request with such a payload.
        (br#"{"cardId":None}"#, found("an object with a Python literal at byte 10; JSON uses true, false and null")),
        (br#"{"cardId":"\ud83d"}"#, found("an object with half of a surrogate pair in a string at byte 11")),
        (b"{\"cardId\":\"\xff\"}", "the payload is not UTF-8 at byte 11".to_owned()),
        (
            br#"{"cardId":"SECRET","cardId":"1"}"#,
            "the payload is not one JSON object: duplicate name in a JSON object at line 1 column 20".to_owned(),
        ),
    ] {
        let document = seal(&sandbox, payload);
        let message = format!("{}: {reason}", Failure::BadData.message());
        let expected = (Failure::BadData.code().to_owned(), message);
        assert_eq!(post(&sandbox, "/issuing/card/topup", document).await, expected, "{reason}");
    }
}

#[tokio::test]
async fn payload_is_described_if_the_random_key_is_percent_encoded() {
    let sandbox = Sandbox::start().await.unwrap();
    let mut document: Value = serde_json::from_str(&seal(&sandbox, b"<SECRET>")).unwrap();
    let encoded = document["randomKey"].as_str().unwrap().replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    document["randomKey"] = encoded.into();
    let (_, message) = post(&sandbox, "/issuing/card/topup", document.to_string()).await;
    assert!(message.ends_with("expected a JSON object; found XML"), "{message}");
    // An unknown path is refused before the payload is read.
    let (code, _) = post(&sandbox, "/issuing/none", seal(&sandbox, b"<SECRET>")).await;
    assert_eq!(code, Failure::UnknownPath.code());
}

/// A refusal names nested fields by their paths and reports all missing fields.
#[tokio::test]
async fn refusal_names_nested_fields() {
    let mut settings = paytend_sandbox::Settings::default();
    settings.strict = true;
    let sandbox = Sandbox::builder().settings(settings).start().await.unwrap();
    let mut holder = crate::cardholder();
    holder["eeaAddress"] = serde_json::json!({ "adressLine": "SECRET", "state": "SECRET", "countryCode": "LT" });
    let error = crate::client(&sandbox).call("createCardholder", &holder).await.unwrap_err();
    let message = error.api_message().unwrap();
    assert_eq!(
        message,
        "bizData does not match this operation: `eeaAddress.addressLine` is missing; `eeaAddress.adressLine` is not a \
         field of this request: did you mean `eeaAddress.addressLine`?; `eeaAddress.cityCode` is missing; \
         `eeaAddress.postcode` is missing"
    );
}
