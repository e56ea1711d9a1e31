//! Tests for Paytend's receiver and its responses, with the shared vectors.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use paytend_crypto::rsa::RsaPrivate;
use paytend_crypto::{BackendError, Fields, Keyring, Outgoing, PrivateKey, PublicKey, rustcrypto};
use paytend_model::{BaasNotification, Content, IssuingNotification, Notification, Product};
use paytend_vectors::PARTNER_ID;
use paytend_webhook::{PaytendReceiver, Provider, Reason, Receiver, Reply};
use serde_json::Value;

fn private(name: &str) -> PrivateKey {
    PrivateKey::from_bytes(&paytend_vectors::keys()[name].private).unwrap()
}

fn public(name: &str) -> PublicKey {
    private(name).public_key().clone()
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn receiver(product: Product) -> PaytendReceiver {
    PaytendReceiver::new(product, PARTNER_ID, Keyring::from_keys(&private("partner"), &public("paytend")).unwrap())
}

fn sealed(notify_type: &str, content: &str) -> String {
    let paytend = Keyring::from_keys(&private("paytend"), &public("partner")).unwrap();
    let fields = Fields::notification(PARTNER_ID, notify_type);
    paytend.seal(&Outgoing::new(&fields).payload(content)).unwrap().into_document()
}

#[test]
fn every_notification_vector_is_accepted() {
    let receiver = receiver(Product::Baas);
    let mut accepted = 0;
    for case in paytend_vectors::envelope().iter().filter(|case| case.payload_field == "content") {
        let name = &case.name;
        let verified = receiver.receive(&HeaderMap::new(), case.wire.as_bytes(), now()).expect(name);
        assert_eq!(verified.content(), case.payload.as_bytes(), "{name}");
        assert_eq!(verified.verified_by(), public("paytend").fingerprint());
        match verified.notification() {
            Content::Typed(Notification::Baas(BaasNotification::FundDeposit(deposit))) => {
                assert_eq!(deposit.amount.as_ref().unwrap().to_string(), "1250.07");
                assert_eq!(deposit.counterparty_account_name, Some("Žalgirio 24-oji UAB & Söhne".into()));
            }
            Content::Typed(other) => assert_ne!(other.notify_type(), "2"),
            Content::Unreadable(raw) => panic!("{name}: {raw:?}"),
            Content::Unknown(raw) => assert_eq!(raw.content, case.payload.as_bytes(), "{name}"),
        }
        accepted += 1;
    }
    assert_eq!(accepted, 7);
}

/// The response reveals nothing about the cause of a rejection, except for the size of the body.
#[test]
fn every_invalid_vector_is_rejected_with_the_same_response() {
    let receiver = receiver(Product::Baas);
    for case in paytend_vectors::refuse() {
        let rejection = receiver.receive(&HeaderMap::new(), &case.document, now()).unwrap_err();
        let response = rejection.to_http();
        let too_large = case.document.len() > receiver.max_bytes();
        let status = if too_large { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
        assert_eq!(response.status(), status, "{}", case.name);
        assert_eq!(response.body().as_ref(), br#"{"msg":"refused","status":"01"}"#, "{}", case.name);
        let names: Vec<_> = response.headers().keys().collect();
        assert_eq!(names, ["content-type"], "{}", case.name);
    }
}

#[test]
fn notification_type_depends_on_the_receivers_product() {
    let body = sealed("2", r#"{"orderNo":"F1","holderId":"H1"}"#);
    let baas = receiver(Product::Baas).receive(&HeaderMap::new(), body.as_bytes(), now()).unwrap();
    assert!(matches!(baas.notification(), Content::Typed(Notification::Baas(BaasNotification::FundDeposit(_)))));
    let issuing = receiver(Product::Issuing).receive(&HeaderMap::new(), body.as_bytes(), now()).unwrap();
    assert_ne!(baas.dedup_key(), issuing.dedup_key());
    assert!(matches!(
        issuing.into_notification(),
        Content::Typed(Notification::Issuing(IssuingNotification::CardholderAudit(_)))
    ));
}

#[test]
fn compressed_and_oversized_bodies_are_rejected() {
    let body = sealed("2", r#"{"orderNo":"F1"}"#);
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
    assert!(receiver(Product::Baas).receive(&headers, body.as_bytes(), now()).is_ok());
    headers.append(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    let rejection = receiver(Product::Baas).receive(&headers, body.as_bytes(), now()).unwrap_err();
    assert_eq!(rejection.reason(), &Reason::Encoded("identity, gzip".into()));
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("UTF-8"));
    assert!(receiver(Product::Baas).receive(&headers, body.as_bytes(), now()).is_ok());

    let small = receiver(Product::Baas).with_max_bytes(body.len() - 1);
    assert_eq!(small.max_bytes(), body.len() - 1);
    let rejection = small.receive(&HeaderMap::new(), body.as_bytes(), now()).unwrap_err();
    let too_large = Reason::TooLarge { length: body.len() as u64, limit: body.len() - 1 };
    assert_eq!(rejection.reason(), &too_large);
    assert_eq!(receiver(Product::Baas).max_bytes(), 64 * 1024);
}

#[test]
fn acknowledgements_match_the_documentation() {
    for (provider, field, value) in [
        (Provider::Paytend, "status", "00"),
        (Provider::PayBy, "response", "SUCCESS"),
        (Provider::PayerMax, "code", "SUCCESS"),
    ] {
        let body = |response: &http::Response<bytes::Bytes>| serde_json::from_slice::<Value>(response.body()).unwrap();
        let accepted = provider.respond(Reply::Accepted).to_http();
        assert_eq!((accepted.status(), &body(&accepted)[field]), (StatusCode::OK, &value.into()));
        assert_eq!(accepted.headers()[header::CONTENT_TYPE], "application/json");
        let later = provider.respond(Reply::TryAgainLater).to_http();
        assert_eq!(later.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(later.headers().contains_key(header::RETRY_AFTER));
        let refused = provider.respond(Reply::Refused).to_http();
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        assert!(body(&later)[field] != value && body(&refused)[field] != value, "{provider}");
    }
    assert_eq!(Provider::PayerMax.respond(Reply::Accepted).to_http().body(), r#"{"msg":"Success","code":"SUCCESS"}"#);
}

/// A notification that is sealed again has different bytes but the same dedup key. A different notification has a
/// different dedup key.
#[test]
fn repeated_notification_has_the_same_dedup_key() {
    let receiver = receiver(Product::Baas);
    let key = |notify_type: &str, content: &str| {
        let body = sealed(notify_type, content);
        let verified = receiver.receive(&HeaderMap::new(), body.as_bytes(), now()).unwrap();
        (body, verified.dedup_key(), verified.business_key().cloned())
    };
    let deposit = r#"{"transactionId":"T1","orderNo":"F1","tradeStatus":2}"#;
    let ((body, first, business_key), (second_body, second, _)) = (key("2", deposit), key("2", deposit));
    assert_ne!(body, second_body);
    assert_eq!((first, first.to_string().len()), (second, 64));
    let business_key = business_key.unwrap();
    assert_eq!(
        (business_key.kind, business_key.id.as_str(), business_key.state.as_deref()),
        ("deposit", "T1", Some("2"))
    );
    for (notify_type, content) in [("2", r#"{"transactionId":"T2"}"#), ("4", deposit), ("2", "{}")] {
        assert_ne!(key(notify_type, content).1, first, "{notify_type} {content}");
    }
    assert_eq!(key("2", "{}").2, None);
    assert_eq!(key("99", "{}").2, None);
}

#[test]
fn response_asks_for_a_retry_if_the_key_is_unavailable() {
    struct UnavailableKey(Arc<dyn RsaPrivate>);
    impl RsaPrivate for UnavailableKey {
        fn public_key(&self) -> &PublicKey {
            self.0.public_key()
        }
        fn sign_sha256(&self, digest: &[u8; 32]) -> Result<Vec<u8>, BackendError> {
            self.0.sign_sha256(digest)
        }
        fn decrypt_raw(&self, _: &[u8], _: &mut [u8]) -> Result<(), BackendError> {
            Err(BackendError::new("the token does not respond"))
        }
    }
    let keyring = Keyring::builder()
        .own_key(Arc::new(UnavailableKey(rustcrypto::private(&private("partner")).unwrap())))
        .peer_key(rustcrypto::public(&public("paytend")).unwrap())
        .build()
        .unwrap();
    let rejection = PaytendReceiver::new(Product::Baas, PARTNER_ID, keyring)
        .receive(&HeaderMap::new(), sealed("2", "{}").as_bytes(), now())
        .unwrap_err();
    assert!(matches!(rejection.reason(), Reason::Unavailable(_)), "{rejection}");
    assert_eq!(rejection.to_http().status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn debug_output_does_not_show_message_content() {
    let verified = receiver(Product::Baas)
        .receive(&HeaderMap::new(), sealed("2", r#"{"reference":"CANARY"}"#).as_bytes(), now())
        .unwrap();
    let unread =
        receiver(Product::Baas).receive(&HeaderMap::new(), sealed("9", r#"{"x":"CANARY"}"#).as_bytes(), now()).unwrap();
    let shown = format!("{verified:?} {unread:?}");
    assert!(!shown.contains("CANARY"), "{shown}");
}
