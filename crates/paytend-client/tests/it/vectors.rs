//! Tests that the client reads every response in the test vectors correctly.

use paytend_client::{Client, Environment, Outcome, RawResponse};
use paytend_crypto::{Keyring, PrivateKey};
use paytend_model::iban::VerifyMobileNumber;
use paytend_vectors::PARTNER_ID;

fn client(own: &str, peer: &str) -> Client {
    let keys = paytend_vectors::keys();
    let key = |name: &str| PrivateKey::from_bytes(&keys[name].private).unwrap();
    let keyring = Keyring::from_keys(&key(own), key(peer).public_key()).unwrap();
    Client::builder(Environment::Sandbox, PARTNER_ID, keyring).build().unwrap()
}

/// Returns an operation without response fields, so that its response may contain any data.
fn operation() -> VerifyMobileNumber {
    VerifyMobileNumber::builder().mobile("8613261402222").type_("1").build()
}

#[test]
fn valid_responses_are_accepted_or_reported_as_rejections() {
    let (mut accepted, mut rejected) = (0, 0);
    for case in paytend_vectors::envelope().into_iter().filter(|case| case.payload_field == "respData") {
        let client = client(&case.receiver, &case.sender);
        let prepared = client.prepare(&operation()).unwrap();
        match client.open(&prepared, &RawResponse::new(200, case.wire.into_bytes())) {
            Ok(response) => {
                assert_eq!(response.opened().payload_text(), Some(&*case.payload), "{}", case.name);
                assert!(case.canonical.contains("respCode=00&"), "{}", case.name);
                accepted += 1;
            }
            Err(error) => {
                assert_eq!((error.outcome(), error.is_authenticated()), (Outcome::Rejected, true), "{}", case.name);
                assert!(!case.canonical.contains("respCode=00&"), "{}", case.name);
                rejected += 1;
            }
        }
    }
    assert!(accepted >= 8 && rejected >= 2, "{accepted} accepted, {rejected} rejected");
}

#[test]
fn invalid_responses_are_never_reported_as_authentic() {
    let client = client("partner", "paytend");
    let prepared = client.prepare(&operation()).unwrap();
    for case in paytend_vectors::refuse() {
        let error = client.open(&prepared, &RawResponse::new(200, case.document)).expect_err(&case.name);
        assert_eq!((error.outcome(), error.is_authenticated()), (Outcome::Unknown, false), "{}", case.name);
    }
}

/// An authentic response whose data is not strict JSON is reported as a data error that contains the bytes.
#[test]
fn authentic_data_that_cannot_be_parsed_is_available_as_bytes() {
    use paytend_client::ErrorKind;
    use paytend_model::issuing::QueryCardBalance;

    let client = client("partner", "paytend");
    let prepared = client.prepare(&QueryCardBalance::new("1755902")).unwrap();
    let other = client.prepare(&QueryCardBalance::new("7")).unwrap();
    let mut ran = 0;
    for case in paytend_vectors::authentic().into_iter().filter(|case| case.payload_field == "respData") {
        let raw = RawResponse::new(200, case.document.clone());
        // The response is still compared with the request.
        let error = client.open(&other, &raw).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Mismatch, "{}", case.name);
        assert_eq!(error.opened().map(|opened| opened.payload_bytes()), Some(&*case.payload));
        ran += 1;
        let error = client.open(&prepared, &raw).unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Data, Outcome::Unknown), "{}", case.name);
        let opened = error.opened().expect("the error has no opened message");
        assert_eq!((opened.payload_bytes(), opened.field("respCode")), (&*case.payload, Some("00")), "{}", case.name);
        assert!(opened.payload_problem().is_some());
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("authentic") && !shown.contains("25.00"), "{shown}");
    }
    assert_eq!(ran, 2);
}
