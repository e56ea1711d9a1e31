//! Tests for the PayBy and PayerMax receivers: the shared vectors, timestamps and merchants.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode};
use paytend_crypto::rsa::RsaPublic;
use paytend_crypto::{PrivateKey, detached, rustcrypto};
use paytend_model::payby::TransferStatus;
use paytend_model::payermax::Direction;
use paytend_webhook::{Content, PayByReceiver, PayerMaxReceiver, Reason, Receiver, Rejection, Verified};

use crate::{AHEAD, TOO_OLD, without_times};

const MERCHANT: &str = "P01010113842047";

fn private(name: &str) -> PrivateKey {
    PrivateKey::from_bytes(&paytend_vectors::keys()[name].private).unwrap()
}

fn public(name: &str) -> Arc<dyn RsaPublic> {
    rustcrypto::public(private(name).public_key()).unwrap()
}

fn payby() -> PayByReceiver {
    PayByReceiver::new([public("payby")]).unwrap()
}

fn payermax() -> PayerMaxReceiver {
    PayerMaxReceiver::new([(MERCHANT, public("payermax"))]).unwrap()
}

fn sample(document: &str) -> String {
    let samples = paytend_vectors::samples();
    samples.into_iter().find(|s| s.document == document && s.name == "notification").unwrap().json
}

fn signed(key: &str, body: &[u8]) -> HeaderMap {
    let sign = detached::sign(&*rustcrypto::private(&private(key)).unwrap(), body).unwrap();
    HeaderMap::from_iter([("sign".parse().unwrap(), HeaderValue::from_str(&sign).unwrap())])
}

/// Signs a body and passes it to a receiver.
fn receive_signed<R: Receiver>(
    receiver: &R,
    key: &str,
    body: &str,
    now: SystemTime,
) -> Result<Verified<R::Notification>, Rejection> {
    receiver.receive(&signed(key, body.as_bytes()), body.as_bytes(), now)
}

fn at(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

/// The timestamp of PayerMax's sample.
const SENT: u64 = 1_670_837_217_628;

#[test]
fn every_detached_vector_has_the_expected_result() {
    let mut counts = (0, 0);
    for case in paytend_vectors::detached() {
        let body = case.body();
        let mut headers = HeaderMap::new();
        headers.insert("sign", HeaderValue::from_str(&case.sign).unwrap());
        let (valid, text, response) = match case.key.as_str() {
            "payby" => outcome(payby().receive(&headers, &body, at(1_586_849_300_000))),
            "payermax" => outcome(payermax().receive(&headers, &body, at(SENT))),
            other => panic!("{other}"),
        };
        assert_eq!(valid, case.valid, "{}", case.name);
        if valid {
            assert_eq!(text, body, "{}", case.name);
            counts.0 += 1;
        } else {
            assert_eq!(response, Some(StatusCode::BAD_REQUEST), "{}", case.name);
            counts.1 += 1;
        }
    }
    assert_eq!(counts, (4, 5));
}

fn outcome<T>(result: Result<Verified<Content<T>>, Rejection>) -> (bool, Vec<u8>, Option<StatusCode>) {
    match result {
        Ok(verified) => {
            assert!(verified.notification().typed().is_some());
            (true, verified.content().to_owned(), None)
        }
        Err(rejection) => (false, Vec::new(), Some(rejection.to_http().status())),
    }
}

#[test]
fn notifications_are_typed_and_deduplicated() {
    let verified = receive_signed(&payby(), "payby", &sample("payby"), at(0)).unwrap();
    let order = verified.notification().typed().unwrap().order.as_ref().unwrap();
    assert_eq!(order.status, Some(TransferStatus::Success));
    let business_key = verified.business_key().unwrap();
    assert_eq!(
        (business_key.kind, business_key.id.as_str(), business_key.state.as_deref()),
        ("transfer-to-bank", "M188573109026", Some("SUCCESS"))
    );
    // Different formatting or a different time does not change the dedup key; a different status does.
    let again = sample("payby")
        .replace(r#""memo": "company single pay""#, r#""memo": "company"#)
        .replace(r#""company"#, r#""company""#);
    let again = receive_signed(&payby(), "payby", &again, at(0)).unwrap();
    assert_eq!(again.dedup_key(), verified.dedup_key());
    assert_ne!(again.content(), verified.content());
    let failed = receive_signed(&payby(), "payby", &sample("payby").replace("SUCCESS", "FAILURE"), at(0)).unwrap();
    assert_ne!(failed.dedup_key(), verified.dedup_key());

    let verified = receive_signed(&payermax(), "payermax", &sample("payermax"), at(SENT)).unwrap();
    assert_eq!(verified.notification().typed().unwrap().data.direction, Direction::Decrease);
    assert_eq!((verified.sent_at(), verified.opened().is_none()), (Some(at(SENT)), true));
    let business_key = verified.business_key().unwrap();
    assert_eq!((business_key.kind, business_key.state.as_deref()), ("balance-change", Some("DECREASE")));
    let again = sample("payermax").replace("448.13", "448.130").replace("57.628Z", "58.000Z");
    let again = receive_signed(&payermax(), "payermax", &again, at(SENT)).unwrap();
    assert_eq!(again.dedup_key(), verified.dedup_key());
    for (from, to) in
        [("DECREASE", "INCREASE"), ("APPLY_SUCCESS", "PENDING"), ("2222fd56", "3333fd56"), ("448.13", "448.14")]
    {
        let other = receive_signed(&payermax(), "payermax", &sample("payermax").replace(from, to), at(SENT)).unwrap();
        assert_ne!(other.dedup_key(), verified.dedup_key(), "{to}");
    }
    // Without an order, the dedup key depends on `notify_id`, not on the time.
    let key = |time: u64| {
        let body = format!(r#"{{"notify_id":"1","notify_timestamp":{time}}}"#);
        receive_signed(&payby(), "payby", &body, at(time)).unwrap().dedup_key()
    };
    assert_eq!(key(1000), key(2000));
}

#[test]
fn receiver_for_any_merchant_accepts_only_configured_keys() {
    let receiver = PayerMaxReceiver::danger_any_merchant([public("payermax")]).unwrap();
    let (other, now) = (sample("payermax").replace(MERCHANT, "P2"), at(SENT));
    assert!(receive_signed(&receiver, "payermax", &sample("payermax"), now).is_ok());
    assert!(receive_signed(&receiver, "payermax", &other, now).is_ok());
    assert!(receive_signed(&receiver, "payby", &other, now).is_err());
}

#[test]
fn key_is_accepted_only_for_its_merchant() {
    let receiver =
        PayerMaxReceiver::new([(MERCHANT, public("payermax")), ("P2", public("payby")), (MERCHANT, public("paytend"))])
            .unwrap();
    let other = sample("payermax").replace(MERCHANT, "P2");
    let now = at(SENT);
    assert!(receive_signed(&receiver, "payermax", &sample("payermax"), now).is_ok());
    assert!(
        receive_signed(&receiver, "paytend", &sample("payermax"), now).is_ok(),
        "a second key of the same merchant"
    );
    assert!(receive_signed(&receiver, "payby", &other, now).is_ok());
    for (key, body) in [("payby", sample("payermax")), ("payermax", other.clone())] {
        let rejection = receive_signed(&receiver, key, &body, now).unwrap_err();
        assert_eq!(
            (rejection.reason(), rejection.to_http().status()),
            (&Reason::OtherMerchant, StatusCode::BAD_REQUEST)
        );
    }
    assert!(matches!(receive_signed(&receiver, "stranger", &other, now).unwrap_err().reason(), Reason::Refused(_)));
    assert!(PayerMaxReceiver::new(Vec::<(String, Arc<dyn RsaPublic>)>::new()).is_err());
}

#[test]
fn rejection_of_an_old_or_future_notification_reports_the_time_difference() {
    let (minute, hour) = (60_000, 3_600_000);
    let text =
        |now: u64| receive_signed(&payermax(), "payermax", &sample("payermax"), at(now)).unwrap_err().to_string();
    for (now, words) in [
        (SENT + 72 * hour + 1, "the notification was sent 3 days 1 ms ago; `max_age` is 3 days"),
        (SENT + 400 * 24 * hour + 5 * hour, "the notification was sent 400 days 5 h ago; `max_age` is 3 days"),
        (
            SENT - 90 * minute,
            "the notification is dated 1 h 30 min in the future, but `max_ahead` is 5 min; check the sender's and this \
             machine's clocks",
        ),
        (SENT - 5 * minute - 250, "the notification is dated 5 min 250 ms in the future, but `max_ahead` is 5 min"),
    ] {
        assert!(text(now).contains(words), "{}", text(now));
    }
}

#[test]
fn old_and_future_notifications_are_rejected() {
    let (minute, hour) = (60_000, 3_600_000);
    let reason = |result: Result<_, Rejection>| result.map(|_: Verified<_>| ()).map_err(|r| without_times(r.reason()));
    let payermax_at = |now: u64| reason(receive_signed(&payermax(), "payermax", &sample("payermax"), at(now)));
    assert_eq!(payermax_at(SENT + 72 * hour), Ok(()));
    assert_eq!(payermax_at(SENT + 72 * hour + 1), Err(TOO_OLD));
    assert_eq!(payermax_at(SENT - 5 * minute), Ok(()));
    assert_eq!(payermax_at(SENT - 5 * minute - 1), Err(AHEAD));
    let undated = sample("payermax").replace("2022-12-12T09:26:57.628Z", "yesterday");
    assert_eq!(reason(receive_signed(&payermax(), "payermax", &undated, at(SENT))), Ok(()));
    assert_eq!(
        reason(receive_signed(&payermax().require_timestamp(), "payermax", &undated, at(SENT))),
        Err(Reason::Undated)
    );

    // PayBy's last attempt is 24 hours and 22 minutes after the first.
    let dated = sample("payby").replacen('{', r#"{"notify_timestamp":1586849271877,"#, 1);
    let sent = 1_586_849_271_877;
    let reason = |result: Result<Verified<_>, Rejection>| result.map(|_| ()).map_err(|r| without_times(r.reason()));
    let last = paytend_model::payby::RETRY_SCHEDULE.iter().sum::<Duration>().as_millis();
    let last = sent + u64::try_from(last).unwrap();
    assert_eq!(reason(receive_signed(&payby(), "payby", &dated, at(last))), Ok(()));
    assert_eq!(reason(receive_signed(&payby(), "payby", &dated, at(sent + 26 * hour + 1))), Err(TOO_OLD));
    let strict = payby().require_timestamp().with_max_age(Duration::from_secs(60)).with_max_ahead(Duration::ZERO);
    assert_eq!(reason(receive_signed(&strict, "payby", &dated, at(sent + minute))), Ok(()));
    assert_eq!(reason(receive_signed(&strict, "payby", &dated, at(sent + minute + 1))), Err(TOO_OLD));
    assert_eq!(reason(receive_signed(&strict, "payby", &dated, at(sent - 1))), Err(AHEAD));
    assert_eq!(reason(receive_signed(&strict, "payby", &sample("payby"), at(sent))), Err(Reason::Undated));
    // This time is beyond the range of every clock.
    let endless = dated.replace("1586849271877,", "18446744073709551615,");
    assert_eq!(reason(receive_signed(&payby(), "payby", &endless, at(sent))), Err(AHEAD));
}

#[test]
fn unverifiable_bodies_are_rejected_with_the_same_response() {
    let body = sample("payby");
    let headers = signed("payby", body.as_bytes());
    let mut many = headers.clone();
    for sign in ["AAAA", "BBBB", "CCCC", "DDDD"] {
        many.append("sign", HeaderValue::from_static(sign));
    }
    let mut encoded = headers.clone();
    encoded.insert("content-encoding", HeaderValue::from_static("gzip"));
    let mut strange = HeaderMap::new();
    strange.insert("sign", HeaderValue::from_bytes(b"\xff").unwrap());
    let small = payby().with_max_bytes(body.len() - 1);
    for (receiver, headers, reason) in [
        (payby(), HeaderMap::new(), Some(Reason::Unsigned)),
        (payby(), many, Some(Reason::TooManySignatures { limit: 4 })),
        (payby(), encoded, Some(Reason::Encoded("gzip".into()))),
        (payby(), strange, None),
        (small, headers, Some(Reason::TooLarge { length: body.len() as u64, limit: body.len() - 1 })),
    ] {
        let rejection = receiver.receive(&headers, body.as_bytes(), at(0)).unwrap_err();
        if let Some(reason) = reason {
            assert_eq!(rejection.reason(), &reason);
        }
        assert_eq!(
            rejection.to_http().body(),
            r#"{"response":"REFUSED"}"#,
            "all rejections must have the same response"
        );
    }
}

/// Repeated and joined `sign` headers are accepted, and so are headers with signatures from both an old and a new key.
#[test]
fn every_signature_in_the_sign_headers_is_tried() {
    let body = sample("payby");
    let sign = |key: &str| signed(key, body.as_bytes())["sign"].to_str().unwrap().to_owned();
    let (good, other) = (sign("payby"), sign("stranger"));
    let receive = |values: &[&str]| {
        let headers: HeaderMap = values.iter().map(|v| ("sign".parse().unwrap(), v.parse().unwrap())).collect();
        payby().receive(&headers, body.as_bytes(), at(0)).map(|verified| verified.verified_by())
    };
    let expected = private("payby").public_key().fingerprint();
    let (half, rest) = good.split_at(76);
    for values in [
        &[good.as_str(), &good][..],
        &[&format!("{good},{good}")],
        &[&format!(" '{good}' ")],
        &[&format!("{half} {rest}")],
        &[&other, &good],
        &[&good, &other],
        &["", "not base64", &other, &good],
    ] {
        assert_eq!(receive(values).as_ref(), Ok(&expected), "{values:?}");
    }
    for values in [&[other.as_str(), &other][..], &[half, rest], &["not base64"]] {
        let rejection = receive(values).unwrap_err();
        assert_eq!(rejection.reason(), &Reason::Refused(paytend_crypto::Error::NotAuthentic), "{values:?}");
    }
}

/// An authentic body that differs from the documentation is delivered, and its bytes are available.
#[test]
fn content_with_an_undocumented_shape_is_delivered() {
    for (body, unknown) in [
        (r#"{"notify_id":{"CANARY":1}}"#, false),
        ("[1]", false),
        ("not json", false),
        ("{}", true),
        (r#"{"CANARY":"CANARY"}"#, true),
        (r#"{"notify_id":"1"} CANARY"#, false),
    ] {
        let verified = receive_signed(&payby(), "payby", body, at(0)).unwrap();
        let raw = verified.notification().raw().unwrap();
        assert_eq!(matches!(verified.notification(), Content::Unknown(_)), unknown, "{body}");
        assert!(!raw.problem.as_ref().unwrap().to_string().contains("CANARY"), "{raw:?}");
        assert_eq!((verified.content(), raw.content.as_slice()), (body.as_bytes(), body.as_bytes()));
        assert!(!format!("{verified:?}").contains("CANARY"));
    }
    for body in ["{}", r#"{"data":[],"merchantNo":"P01010113842047"}"#] {
        let verified = receive_signed(&payermax(), "payermax", body, at(0)).unwrap();
        assert!(verified.notification().typed().is_none() && verified.business_key().is_none());
        assert_eq!(verified.content(), body.as_bytes());
    }
    let shown = format!("{:?}", receive_signed(&payby(), "payby", &sample("payby"), at(0)).unwrap());
    assert!(!shown.contains("company single pay") && shown.contains("M188573109026"), "{shown}");
}
