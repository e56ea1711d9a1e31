//! Tests that authentic content with unreadable members is delivered, deduplicated and checked like any other content.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue};
use paytend_crypto::{Keyring, PrivateKey, detached, rustcrypto};
use paytend_model::{BaasNotification, Content, Notification, Product};
use paytend_vectors::PARTNER_ID;
use paytend_webhook::{
    BusinessKey, DedupKey, PayByReceiver, PayerMaxReceiver, PaytendReceiver, Reason, Receiver, Rejection, Verified,
};

use crate::{TOO_OLD, without_times};

const MERCHANT: &str = "P01010113842047";
/// The timestamp of PayerMax's sample.
const SENT: u64 = 1_670_837_217_628;

fn private(name: &str) -> PrivateKey {
    PrivateKey::from_bytes(&paytend_vectors::keys()[name].private).unwrap()
}

fn at(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

fn payby() -> PayByReceiver {
    PayByReceiver::new([rustcrypto::public(private("payby").public_key()).unwrap()]).unwrap()
}

fn payermax(merchant: &str) -> PayerMaxReceiver {
    PayerMaxReceiver::new([(merchant, rustcrypto::public(private("payermax").public_key()).unwrap())]).unwrap()
}

fn sample(document: &str) -> Vec<u8> {
    let samples = paytend_vectors::samples();
    samples.into_iter().find(|s| s.document == document && s.name == "notification").unwrap().json.into_bytes()
}

/// Replaces the first `from` in `body` with `to`. Panics if `body` does not contain `from`.
fn with(body: &[u8], from: &str, to: &[u8]) -> Vec<u8> {
    let place = body.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    [&body[..place], to, &body[place + from.len()..]].concat()
}

/// Signs a body and passes it to a receiver.
fn receive_signed<R: Receiver>(
    receiver: &R,
    key: &str,
    body: &[u8],
    now: u64,
) -> Result<Verified<R::Notification>, Rejection> {
    let sign = detached::sign(&*rustcrypto::private(&private(key)).unwrap(), body).unwrap();
    let headers = HeaderMap::from_iter([("sign".parse().unwrap(), HeaderValue::from_str(&sign).unwrap())]);
    receiver.receive(&headers, body, at(now))
}

fn about(key: Option<&BusinessKey>) -> Option<(&str, &str, Option<&str>)> {
    key.map(|key| (key.kind, key.id.as_str(), key.state.as_deref()))
}

#[test]
fn every_authentic_message_is_delivered_with_its_readable_fields() {
    let keyring = Keyring::from_keys(&private("partner"), private("paytend").public_key()).unwrap();
    let receiver = PaytendReceiver::new(Product::Baas, PARTNER_ID, keyring);
    let mut plain = None;
    for case in paytend_vectors::authentic().into_iter().filter(|case| case.payload_field == "content") {
        let name = case.name.as_str();
        let received = || receiver.receive(&HeaderMap::new(), &case.document, at(SENT));
        let verified = received().unwrap_or_else(|rejection| panic!("{name}: {rejection}"));
        assert_eq!(verified.content(), case.payload, "{name}");
        assert_eq!(received().unwrap().dedup_key(), verified.dedup_key(), "{name}");
        assert_eq!(about(verified.business_key()), Some(("deposit", "T1", Some("2"))), "{name}");
        let Content::Typed(Notification::Baas(BaasNotification::FundDeposit(deposit))) = verified.notification() else {
            panic!("{name}: {verified:?}")
        };
        assert_eq!(deposit.amount, Some("100".parse().unwrap()), "{name}");
        assert_eq!((deposit.order_no.as_deref(), deposit.currency.as_deref()), (Some("F1"), Some("EUR")), "{name}");
        // Unreadable fields are listed in `problems`.
        let unread = usize::from(deposit.reference.is_none() && deposit.counterparty_account_name.is_none());
        let payload = String::from_utf8_lossy(&case.payload);
        let odd = ["reference", "counterpartyAccountName"].iter().filter(|field| payload.contains(**field)).count();
        assert_eq!(deposit.problems.len(), odd.max(unread.min(odd)), "{name}: {:?}", deposit.problems);
        // A byte order mark before the document is not part of the notification, so it does not change the dedup key.
        if name == "plain" {
            plain = Some(verified.dedup_key());
        } else {
            let same = name == "byte order mark before the document";
            assert_eq!(Some(verified.dedup_key()) == plain, same, "{name}");
        }
    }
    assert!(plain.is_some());
}

/// Unreadable values for a member that no check uses.
const ODD: [&[u8]; 6] =
    [br#""\ud800""#, b"\"\xff\"", b"1e400", b"\"\x81\x5C\"", b"\"a\nb\"", br#"{"a":[{"b":"\ud800"}]}"#];

/// The same notification at a different time has the same dedup and business keys, no matter which member is
/// unreadable.
#[test]
fn unreadable_member_changes_neither_dedup_nor_business_key() {
    let key = |verified: Verified<_>| -> (DedupKey, Option<BusinessKey>) {
        (verified.dedup_key(), verified.business_key().cloned())
    };
    let (plain, business) = key(receive_signed(&payermax(MERCHANT), "payermax", &sample("payermax"), SENT).unwrap());
    assert_eq!(about(business.as_ref()).unwrap().0, "balance-change");
    for odd in ODD {
        let shown = String::from_utf8_lossy(odd);
        for name in ["\"msg\"", "\"version\"", "\"counterparty\""] {
            // Rename the member, and insert an unreadable member under its original name.
            let body = with(&sample("payermax"), name, &[name.as_bytes(), b":", odd, b",\"x\""].concat());
            let found = key(receive_signed(&payermax(MERCHANT), "payermax", &body, SENT).unwrap());
            let later = with(&body, "57.628Z", b"58.000Z");
            assert_eq!(
                key(receive_signed(&payermax(MERCHANT), "payermax", &later, SENT).unwrap()),
                found,
                "{name} {shown}"
            );
            assert_eq!(found, (plain, business.clone()), "{name} {shown}");
        }
    }
    // Each of these changes must change the dedup key.
    for (from, to) in [
        ("DECREASE", "INCREASE"),
        ("APPLY_SUCCESS", "PENDING"),
        ("2222fd56", "3333fd56"),
        ("448.13", "448.14"),
        ("448.13", "much"),
    ] {
        let other = with(&sample("payermax"), from, to.as_bytes());
        assert_ne!(key(receive_signed(&payermax(MERCHANT), "payermax", &other, SENT).unwrap()).0, plain, "{to}");
    }

    let dated = |time: u64, extra: &[u8]| {
        let order = br#""transferToBankOrder":{"merchantOrderNo":"M1","orderNo":"O1","status":"SUCCESS","memo":"#;
        [format!("{{\"notify_timestamp\":{time},\"notify_id\":\"N1\",").as_bytes(), order, extra, b"}}"].concat()
    };
    let key = |verified: Verified<_>| (verified.dedup_key(), verified.business_key().cloned());
    let plain = key(receive_signed(&payby(), "payby", &dated(1000, b"\"m\""), 1000).unwrap());
    assert_eq!(about(plain.1.as_ref()), Some(("transfer-to-bank", "M1", Some("SUCCESS"))));
    for odd in ODD {
        let found = key(receive_signed(&payby(), "payby", &dated(2000, odd), 2000).unwrap());
        assert_eq!(found, plain, "{}", String::from_utf8_lossy(odd));
    }
    // Notifications with different unreadable identifying members have different dedup keys.
    let status = |status: &str| {
        let body = with(&dated(1000, b"\"m\""), "\"SUCCESS\"", status.as_bytes());
        key(receive_signed(&payby(), "payby", &body, 1000).unwrap())
    };
    let odd = ["{}", r#""\ud800""#, r#""\ud801""#, r#""{}""#, "null", r#""FAILURE","status":"SUCCESS""#];
    let keys: std::collections::BTreeSet<_> = odd.map(|odd| status(odd).0).into_iter().chain([plain.0]).collect();
    assert_eq!(keys.len(), 1 + odd.len());
    assert_eq!(status("{}").1.unwrap().state, None);
}

#[test]
fn merchant_and_age_are_checked_despite_unreadable_members() {
    let deep = [b"[".repeat(200), b"]".repeat(200)].concat();
    let wide = [b"[".as_slice(), &b"1,".repeat(5000), b"1]"].concat();
    let odd: Vec<&[u8]> = ODD.into_iter().chain([deep.as_slice(), &wide, b"NaN", b"\"plain\""]).collect();
    let reason = |result: Result<Verified<_>, Rejection>| result.map(|_| ()).map_err(|r| without_times(r.reason()));
    let old = "\"notifyTime\":\"2001-01-01T00:00:00.000+00:00\"";
    for odd in odd {
        let shown = String::from_utf8_lossy(&odd[..odd.len().min(30)]).into_owned();
        for (members, expected) in [
            (format!("\"merchantNo\":\"OTHER\",{old}"), Err(Reason::OtherMerchant)),
            (format!("\"merchantNo\":\"{MERCHANT}\",{old}"), Err(TOO_OLD)),
            (format!("\"merchantNo\":\"{MERCHANT}\",\"notifyTime\":\"2022-12-12T09:26:57.628Z\""), Ok(())),
            (format!("\"merchantNo\":\"{MERCHANT}\",\"merchantNo\":\"M2\""), Err(Reason::OtherMerchant)),
            ("\"merchantNo\":2".to_owned(), Err(Reason::OtherMerchant)),
            ("\"merchantNo\":\"\"".to_owned(), Err(Reason::OtherMerchant)),
            (format!("\"merchantNo\":[\"{MERCHANT}\"]"), Err(Reason::OtherMerchant)),
            (format!("\"merchantNo\":\"{MERCHANT}\\ud800\""), Err(Reason::OtherMerchant)),
            ("\"merchantNo\":null".to_owned(), Ok(())),
            (format!("{old},{old}"), Err(TOO_OLD)),
            (format!("\"notifyTime\":\"2022-12-12T09:26:57.628Z\",{old}"), Err(TOO_OLD)),
        ] {
            for body in [
                [b"{\"x\":", odd, b",", members.as_bytes(), b"}"].concat(),
                [b"{", members.as_bytes(), b",\"x\":", odd, b"}"].concat(),
                [b"{", members.as_bytes(), b",\"x\":1,\"data\":", odd, b"}"].concat(),
            ] {
                let found = reason(receive_signed(&payermax(MERCHANT), "payermax", &body, SENT));
                assert_eq!(found, expected, "{members} {shown}");
            }
        }
        let reason = |result: Result<Verified<_>, Rejection>| result.map(|_| ()).map_err(|r| without_times(r.reason()));
        for (time, expected) in [("1000", Err(TOO_OLD)), ("\"1000\"", Err(TOO_OLD)), ("1670837217628", Ok(()))] {
            let body = [format!("{{\"notify_timestamp\":{time},\"x\":").as_bytes(), odd, b"}"].concat();
            assert_eq!(reason(receive_signed(&payby(), "payby", &body, SENT)), expected, "{time} {shown}");
        }
    }
    assert_eq!(reason(receive_signed(&payermax("2"), "payermax", br#"{"merchantNo":2}"#, SENT)), Ok(()));
    // A body that is not an object has no timestamp (PayBy), and is rejected as if its merchant were unknown
    // (PayerMax).
    let reason_of_payby =
        |result: Result<Verified<_>, Rejection>| result.map(|_| ()).map_err(|r| without_times(r.reason()));
    for body in [br#"[{"merchantNo":"OTHER"}]"#.as_slice(), b"not json", b"{}{}", b"{\"a\":\"\x81\x5C\"", b""] {
        let shown = String::from_utf8_lossy(body);
        assert_eq!(
            reason(receive_signed(&payermax(MERCHANT), "payermax", body, SENT)),
            Err(Reason::OtherMerchant),
            "{shown}"
        );
        assert_eq!(reason_of_payby(receive_signed(&payby(), "payby", body, SENT)), Ok(()), "{shown}");
        let strict = receive_signed(&payby().require_timestamp(), "payby", body, SENT);
        assert_eq!(reason_of_payby(strict), Err(Reason::Undated), "{shown}");
    }
}

/// Two equal notifications that arrive weeks apart produce two sightings (records of an arrival) with the same dedup
/// key.
#[test]
fn sighting_contains_times_and_business_key() {
    let sealing = Keyring::from_keys(&private("paytend"), private("partner").public_key()).unwrap();
    let opening = Keyring::from_keys(&private("partner"), private("paytend").public_key()).unwrap();
    let receiver = PaytendReceiver::new(Product::Issuing, PARTNER_ID, opening);
    let sighting = |time: u64| {
        let fields = paytend_crypto::Fields::notification(PARTNER_ID, "3");
        let message = paytend_crypto::Outgoing::new(&fields).payload(r#"{"orderNo":"A1","status":"2"}"#);
        let body = sealing.seal(&message).unwrap().into_document();
        receiver.receive(&HeaderMap::new(), body.as_bytes(), at(time)).unwrap().sighting()
    };
    let (first, second) = (sighting(SENT), sighting(SENT + 30 * 24 * 3_600_000));
    assert_eq!(first.dedup_key, second.dedup_key);
    assert_eq!((first.received_at, second.received_at), (at(SENT), at(SENT + 30 * 24 * 3_600_000)));
    assert_eq!(about(second.business_key.as_ref()), Some(("card-application", "A1", Some("2"))));
    assert_eq!((second.sent_at, second.verified_by), (None, private("paytend").public_key().fingerprint()));
    let verified = receive_signed(&payermax(MERCHANT), "payermax", &sample("payermax"), SENT + 1).unwrap();
    let sighting = verified.sighting();
    assert_eq!((sighting.sent_at, sighting.received_at), (Some(at(SENT)), at(SENT + 1)));
    assert!(!format!("{sighting:?}").contains("merchant"), "{sighting:?}");
}
