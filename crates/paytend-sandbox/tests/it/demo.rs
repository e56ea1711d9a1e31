//! Tests that make the same calls as the provider's published demo, in the same order and with the same payloads. Only
//! people's names differ.

use bytes::Bytes;
use paytend_crypto::{Expected, Fields, Keyring, Opened, Outgoing, RequestId, detached, rustcrypto};
use paytend_sandbox::{Failure, Sandbox, Settings};
use serde_json::Value;

/// A call in the demo: the path, the payload, and the reason if the call is refused.
#[derive(serde::Deserialize)]
struct Call {
    path: String,
    payload: Value,
    #[serde(default)]
    refused: Option<String>,
}

fn calls() -> Vec<Call> {
    serde_json::from_str(include_str!("../data/demo.json")).unwrap()
}

/// Posts a document as the demo does, and opens the response.
async fn post(sandbox: &Sandbox, path: &str, document: String) -> Opened {
    let body = post_raw(sandbox, path, document).await;
    let opened = sandbox.partner_keyring().unwrap().open(&body, &Expected::response());
    opened.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&body)))
}

async fn post_raw(sandbox: &Sandbox, path: &str, document: String) -> Bytes {
    let response = reqwest::Client::new()
        .post(format!("{}{path}", sandbox.url()))
        .header("Content-Type", "application/json")
        .body(document)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.bytes().await.unwrap()
}

fn seal(keyring: &Keyring, sandbox: &Sandbox, request_id: &str, payload: &str) -> String {
    let fields = Fields::request(sandbox.partner_id(), &RequestId::generate().unwrap()).with("requestId", request_id);
    keyring.seal(&Outgoing::new(&fields).payload(payload)).unwrap().into_document()
}

fn new_id() -> String {
    RequestId::generate().unwrap().as_str().to_owned()
}

/// Re-serializes JSON text without whitespace or trailing zeros in fractions, as the demo's receiver does before it
/// verifies a message.
fn rewritten(json: &str) -> String {
    let mut written = String::new();
    let mut rest = json.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '"' => {
                written.push('"');
                let mut escaped = false;
                for inner in rest.by_ref() {
                    written.push(inner);
                    match inner {
                        '"' if !escaped => break,
                        '\\' if !escaped => escaped = true,
                        _ => escaped = false,
                    }
                }
            }
            '-' | '0'..='9' => {
                let mut number = letter.to_string();
                while let Some(digit) = rest.next_if(|next| matches!(next, '0'..='9' | '.' | 'e' | 'E' | '+' | '-')) {
                    number.push(digit);
                }
                if number.contains('.') {
                    number.truncate(number.trim_end_matches('0').trim_end_matches('.').len());
                }
                written.push_str(&number);
            }
            space if space.is_whitespace() => {}
            other => written.push(other),
        }
    }
    written
}

#[test]
fn rewritten_json_has_no_whitespace_or_trailing_zeros() {
    assert_eq!(
        rewritten(r#"{ "a 1.0": 100.00, "b":[1.50, "\"2.0 "] ,"c":0.0}"#),
        r#"{"a 1.0":100,"b":[1.5,"\"2.0 "],"c":0}"#
    );
}

#[tokio::test]
async fn calls_of_the_published_demo_return_the_expected_codes() {
    assert_eq!(calls().len(), 22);
    for (shared, encrypt_flag) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut settings = Settings::default();
        settings.encrypt_flag = encrypt_flag;
        let mut builder = Sandbox::builder().settings(settings);
        if shared {
            builder = builder.shared_key();
        }
        let sandbox = builder.start().await.unwrap();
        let keyring = sandbox.partner_keyring().unwrap();
        for Call { path, payload, refused } in calls() {
            let payload = if payload == "" { String::new() } else { payload.to_string() };
            let body = post_raw(&sandbox, &path, seal(&keyring, &sandbox, &new_id(), &payload)).await;
            assert_eq!(String::from_utf8_lossy(&body).contains("encryptFlag"), encrypt_flag);
            let opened = keyring.open(&body, &Expected::response()).unwrap();
            let message = opened.field("respMsg").unwrap_or_default();
            match refused {
                None => assert_eq!(opened.field("respCode"), Some("00"), "{path}: {message}"),
                Some(refused) => assert!(message.ends_with(&refused), "{path}: {message}"),
            }
            // The demo re-serializes the data before it verifies the signature, so re-serialization must not change the
            // data. The demo cannot handle a missing `respData`.
            let data = opened.payload_text().unwrap_or_default();
            assert_eq!(rewritten(data), data, "{path}");
            assert!(serde_json::from_slice::<Value>(&body).unwrap()["respData"].is_string(), "{path}");
        }
        assert_eq!(sandbox.card("1755902").unwrap().balance().to_string(), "1100.00");
        assert!(sandbox.conserves_money());
    }
}

#[tokio::test]
async fn numbers_in_notifications_have_no_trailing_zeros() {
    let sandbox = Sandbox::start().await.unwrap();
    for amount in ["100.00", "25.50", "20000.00"] {
        let deposit = paytend_sandbox::Deposit::new(amount.parse().unwrap(), "EUR");
        let _ = sandbox.deposit(&deposit).await;
    }
    let deliveries = sandbox.deliveries();
    // The last deposit is large enough to trigger a transfer order.
    assert_eq!(deliveries.len(), 4);
    for delivery in deliveries {
        assert_eq!(rewritten(delivery.content()), delivery.content());
    }
}

/// The documentation requires a `randomKey` only together with `bizData`.
#[tokio::test]
async fn request_without_biz_data_or_random_key_is_accepted() {
    let sandbox = Sandbox::start().await.unwrap();
    let (partner, id) = (sandbox.partner_id().to_owned(), new_id());
    let text = format!("partnerId={partner}&requestId={id}&signType=RSA&version=2.0");
    let key = rustcrypto::private(sandbox.partner_key().unwrap()).unwrap();
    let signature = detached::sign(&*key, text.as_bytes()).unwrap();
    let document = serde_json::json!({
        "requestId": id, "partnerId": partner, "signType": "RSA", "version": "2.0", "signature": signature,
    });
    let opened = post(&sandbox, "/issuing/partner/getPartnerBalance", document.to_string()).await;
    assert_eq!(opened.field("respCode"), Some("00"));
    assert!(opened.payload_text().unwrap().contains("10000.00"));
}

#[tokio::test]
async fn request_id_longer_than_32_characters_is_refused() {
    let sandbox = Sandbox::start().await.unwrap();
    let keyring = sandbox.partner_keyring().unwrap();
    for (length, code) in [(1, "00"), (17, "00"), (32, "00"), (33, Failure::InvalidField.code())] {
        let document = seal(&keyring, &sandbox, &"7".repeat(length), "{}");
        let opened = post(&sandbox, "/issuing/partner/getPartnerBalance", document).await;
        let message = opened.field("respMsg").unwrap().to_owned();
        assert_eq!(opened.field("respCode"), Some(code), "{length}: {message}");
        assert_eq!(message.contains("`requestId` must be at most 32 characters long; found 33"), code != "00");
    }
}

#[tokio::test]
async fn leading_plus_in_a_mobile_number_is_ignored() {
    let sandbox = Sandbox::start().await.unwrap();
    let keyring = sandbox.partner_keyring().unwrap();
    let call = async |path: &str, payload: &str| {
        let opened = post(&sandbox, path, seal(&keyring, &sandbox, &new_id(), payload)).await;
        (opened.field("respCode").unwrap().to_owned(), opened.payload_text().unwrap_or_default().to_owned())
    };
    let (code, created) = call("/iban/user/createIndividual", r#"{"mobile":"+8618300000000"}"#).await;
    assert_eq!(code, "00");
    let id = serde_json::from_str::<Value>(&created).unwrap()["userId"].clone();
    for mobile in ["8618300000000", "+8618300000000"] {
        let payload = format!(r#"{{"mobile":"{mobile}","userId":""}}"#);
        let (_, found) = call("/iban/user/getUser", &payload).await;
        assert_eq!(serde_json::from_str::<Value>(&found).unwrap()["userId"], id, "{mobile}");
        assert_eq!(call("/iban/user/createIndividual", &payload).await.0, Failure::DuplicateUser.code());
    }
}

/// A refusal names the field and the rule, and describes the value without quoting it.
#[tokio::test]
async fn refusal_names_field_and_rule_but_not_the_value() {
    let sandbox = Sandbox::start().await.unwrap();
    let keyring = sandbox.partner_keyring().unwrap();
    for (payload, failure, message) in [
        (
            r#"{"cardId":"1755902","orderno":"SECRET","amount":"1","currency":"EUR"}"#,
            Failure::BadData,
            "`orderNo` is missing; `orderno` is not a field of this request: did you mean `orderNo`?",
        ),
        (
            r#"{"cardId":["SECRET"],"orderNo":"T","amount":"1","currency":"EUR"}"#,
            Failure::BadData,
            "`cardId`: expected a string or a number; found a list of 1 item",
        ),
        (
            r#"{"cardId":"1755902","orderNo":"","amount":"1","currency":"EUR"}"#,
            Failure::InvalidField,
            "`orderNo` must not be empty",
        ),
        (
            r#"{"cardId":"1755902","orderNo":"T","amount":1,"currency":"EUR"}"#,
            Failure::BadAmount,
            "`amount` must be written as a JSON string; found a number",
        ),
        (
            r#"{"cardId":"1755902","orderNo":"T","amount":"SECRET","currency":"EUR"}"#,
            Failure::BadData,
            "`amount`: not a decimal number like 1250.07; found a string of 6 characters",
        ),
    ] {
        let opened = post(&sandbox, "/issuing/card/topup", seal(&keyring, &sandbox, &new_id(), payload)).await;
        let told = opened.field("respMsg").unwrap();
        assert_eq!(opened.field("respCode"), Some(failure.code()), "{told}");
        assert!(told.ends_with(message), "{told}");
        assert!(!told.contains("SECRET") && !told.contains("line 1"), "{told}");
    }
}

#[tokio::test]
async fn oversized_request_gets_a_sealed_failure() {
    let sandbox = Sandbox::start().await.unwrap();
    let document = format!(r#"{{"partnerId":"{}","bizData":"{}"}}"#, sandbox.partner_id(), "A".repeat(9 << 20));
    let opened = post(&sandbox, "/issuing/holder/uploadDocument", document).await;
    assert_eq!(opened.field("respCode"), Some(Failure::TooLarge.code()));
    assert!(opened.field("respMsg").unwrap().contains("the maximum is 8388608 bytes; found 94"));
}

/// A request that breaks an inferred rule causes a finding in the log. It is refused only in strict mode.
#[tokio::test]
async fn inferred_rule_violation_is_logged_and_refused_only_in_strict_mode() {
    for strict in [false, true] {
        let mut settings = Settings::default();
        settings.strict = strict;
        let sandbox = Sandbox::builder().settings(settings).start().await.unwrap();
        let keyring = sandbox.partner_keyring().unwrap();
        let payload = r#"{"mobile":"+37060000000","email":"SECRET","birthDay":"1990-01-01"}"#;
        let opened = post(&sandbox, "/iban/user/createIndividual", seal(&keyring, &sandbox, &new_id(), payload)).await;
        let code = if strict { Failure::BadData.code() } else { "00" };
        assert_eq!(opened.field("respCode"), Some(code));
        let findings = [
            "`birthDay` is not a field of this request: did you mean `birthday`?",
            "`email` should be an e-mail address; found a string of 6 characters",
        ];
        let log = reqwest::get(format!("{}/log", sandbox.control_url())).await.unwrap().text().await.unwrap();
        let log: Value = serde_json::from_str(&log).unwrap();
        let entry = &log["entries"][0];
        assert_eq!(entry["findings"], serde_json::json!(findings), "{entry}");
        assert!(!log.to_string().contains("SECRET"), "{log}");
        if strict {
            assert!(opened.field("respMsg").unwrap().ends_with(&findings.join("; ")));
        }
    }
}

/// If a request fails verification, the sandbox's log contains the reason. The response does not contain it.
#[cfg(feature = "explain")]
#[tokio::test]
async fn request_that_fails_verification_is_explained_in_the_log() {
    let random = paytend_vectors::Seeded::new();
    let sandbox = Sandbox::start().await.unwrap();
    let stranger = rustcrypto::generate(1024, &random).unwrap();
    let other_key = Keyring::from_keys(&stranger, &sandbox.public_key()).unwrap();
    let keyring = sandbox.partner_keyring().unwrap();
    let sealed = seal(&keyring, &sandbox, &new_id(), r#"{"cardId":"1755902"}"#);
    let wrapped = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &sealed);
    for (index, (body, finding)) in [
        (seal(&other_key, &sandbox, &new_id(), "{}"), "signature"),
        (wrapped, "base64"),
        ("<html><body>502</body></html>".to_owned(), "HTML"),
        (String::new(), "empty"),
    ]
    .into_iter()
    .enumerate()
    {
        let response = post_raw(&sandbox, "/issuing/card/getCardBalance", body).await;
        let response = String::from_utf8_lossy(&response).into_owned();
        assert!(!response.contains("base64") && !response.contains("HTML"), "{response}");
        let found = async {
            loop {
                let log = reqwest::get(format!("{}/log", sandbox.control_url())).await.unwrap().text().await.unwrap();
                let log: Value = serde_json::from_str(&log).unwrap();
                let findings = log["entries"][index]["findings"].as_array().unwrap().clone();
                if !findings.is_empty() {
                    return findings;
                }
                tokio::task::yield_now().await;
            }
        };
        let found = tokio::time::timeout(std::time::Duration::from_secs(120), found).await.unwrap();
        // The partner's key is among the expected keys, even though a wrapped request does not reveal its partner.
        let wrong_key = found.iter().any(|one| one.as_str().unwrap().contains("not the key that should verify"));
        assert!(!wrong_key, "{found:?}");
        assert!(found.iter().any(|one| one.as_str().unwrap().contains(finding)), "{finding}: {found:?}");
    }
}

/// Fields that occur only in the provider's published programs may be missing, except identifiers, amounts and files.
#[tokio::test]
async fn request_without_optional_observed_fields_is_accepted() {
    let sandbox = Sandbox::start().await.unwrap();
    let keyring = sandbox.partner_keyring().unwrap();
    for (path, payload) in [
        ("/issuing/holder/getCities", r#"{"countryCode":"LT","start":"","maxResult":""}"#),
        ("/issuing/holder/getCities", r#"{"countryCode":"LT"}"#),
        ("/issuing/partner/getPartnerTransactions", r#"{"beginDate":"","endDate":""}"#),
        ("/issuing/partner/getPartnerTopup", r#"{"currency":""}"#),
        ("/issuing/card/getCardTransactions", r#"{"cardId":"1755902"}"#),
        ("/issuing/card/topup", r#"{"cardId":"1755902","orderNo":"T-1","amount":"1.00","currency":""}"#),
        (
            "/issuing/holder/uploadDocument",
            r#"{"holderId":"101982","fileType":"3","fileContent":"/9j/4A==","suffix":""}"#,
        ),
    ] {
        let opened = post(&sandbox, path, seal(&keyring, &sandbox, &new_id(), payload)).await;
        assert_eq!(opened.field("respCode"), Some("00"), "{path} {payload}: {:?}", opened.field("respMsg"));
    }
    assert_eq!(sandbox.card("1755902").unwrap().balance().to_string(), "1.00");
}

/// A body above the read limit gets an unsigned response in the documented format.
#[tokio::test]
async fn body_above_the_read_limit_gets_a_documented_unsigned_response() {
    let sandbox = Sandbox::start().await.unwrap();
    let body = post_raw(&sandbox, "/issuing/card/topup", "A".repeat(65 << 20)).await;
    let response: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(response["respCode"], Failure::TooLarge.code());
}

/// `respMsg` contains the names of unknown fields. The name in this test contains `&s`, so in the signed text, a second
/// field seems to begin there. The response must still be signed correctly.
#[tokio::test]
async fn refusal_is_signed_if_a_field_name_contains_separators() {
    let sandbox = Sandbox::start().await.unwrap();
    let keyring = sandbox.partner_keyring().unwrap();
    let payload = r#"{"card&sId=":"1","orderNo":"T","amount":"1.00","currency":"EUR"}"#;
    let opened = post(&sandbox, "/issuing/card/topup", seal(&keyring, &sandbox, &new_id(), payload)).await;
    assert_eq!(opened.field("respCode"), Some(Failure::BadData.code()));
    assert!(opened.field("respMsg").unwrap().ends_with("`cardId` is missing"), "{:?}", opened.field("respMsg"));
}
