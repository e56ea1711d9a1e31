//! Tests for key rotation while notifications keep arriving.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};
use paytend_crypto::rsa::{RsaPrivate, RsaPublic};
use paytend_crypto::{PrivateKey, rustcrypto};
use paytend_model::Product;
use paytend_vectors::{PARTNER_ID, Seeded};
use paytend_webhook::testing::{DetachedSender, PaytendSender};
use paytend_webhook::{
    ConfigError, KeyRole, PayByReceiver, PayerMaxReceiver, PaytendReceiver, Reason, Receiver, ScheduledKey,
};

fn generate(random: &Seeded) -> PrivateKey {
    rustcrypto::generate(1024, random).unwrap()
}

fn public(key: &PrivateKey) -> Arc<dyn RsaPublic> {
    rustcrypto::public(key.public_key()).unwrap()
}

fn private(key: &PrivateKey) -> Arc<dyn RsaPrivate> {
    rustcrypto::private(key).unwrap()
}

/// Returns the start of day `number` of the test.
fn day(number: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + number * 86_400)
}

/// The two sides rotate their keys at different times. Each side first uses both its old and new keys, and then only
/// the new keys. No message is rejected.
#[test]
fn rotating_the_keys_of_both_sides_rejects_no_message() {
    let random = Seeded::new();
    let [old_paytend, new_paytend, old_own, new_own] = [(); 4].map(|()| generate(&random));
    let receiver = PaytendReceiver::rotating(
        Product::Baas,
        PARTNER_ID,
        [
            ScheduledKey::from(private(&old_own)).retire_at(day(40)),
            ScheduledKey::from(private(&new_own)).not_before(day(20)),
        ],
        [
            ScheduledKey::from(public(&old_paytend)).retire_at(day(30)),
            ScheduledKey::from(public(&new_paytend)).not_before(day(10)),
        ],
    )
    .unwrap();
    let sent = |paytend: &PrivateKey, own: &PrivateKey| {
        PaytendSender::new(PARTNER_ID, paytend, own.public_key()).unwrap().raw("2", "{}").unwrap().into_body()
    };
    let receive = |body: &[u8], at| receiver.receive(&HeaderMap::new(), body, at);
    let fingerprint = |key: &PrivateKey| key.public_key().fingerprint();

    // Paytend signs with its new key from day 15, and encrypts for our new key from day 25.
    for number in 0..60 {
        let paytend = if number < 15 { &old_paytend } else { &new_paytend };
        let own = if number < 25 { &old_own } else { &new_own };
        let verified = receive(&sent(paytend, own), day(number)).unwrap_or_else(|e| panic!("day {number}: {e}"));
        assert_eq!(verified.verified_by(), fingerprint(paytend), "day {number}");
        assert_eq!(verified.opened().unwrap().decrypted_by(), Some(fingerprint(own)), "day {number}");
    }
    let uses = receiver.clone().key_usage();
    let count = |key: &PrivateKey, role| {
        let found = uses.iter().find(|found| (found.key, found.role) == (fingerprint(key), role)).unwrap();
        (found.count, found.last)
    };
    assert_eq!(uses.len(), 4);
    assert_eq!(count(&old_paytend, KeyRole::Verifies), (15, Some(day(14))));
    assert_eq!(count(&new_paytend, KeyRole::Verifies), (45, Some(day(59))));
    assert_eq!(count(&old_own, KeyRole::Decrypts), (25, Some(day(24))));
    assert_eq!(count(&new_own, KeyRole::Decrypts), (35, Some(day(59))));

    // A key is valid at its `not_before`, and no longer valid at its `retire_at`.
    let moment = Duration::from_secs(1);
    for (paytend, own, at, accepted) in [
        (&new_paytend, &old_own, day(10) - moment, false),
        (&new_paytend, &old_own, day(10), true),
        (&old_paytend, &new_own, day(20) - moment, false),
        (&old_paytend, &new_own, day(20), true),
        (&old_paytend, &new_own, day(30) - moment, true),
        (&old_paytend, &new_own, day(30), false),
        (&new_paytend, &old_own, day(40) - moment, true),
        (&new_paytend, &old_own, day(40), false),
    ] {
        let result = receive(&sent(paytend, own), at);
        assert_eq!(result.is_ok(), accepted, "{result:?}");
        if let Err(rejection) = result {
            assert_eq!(rejection.to_http().status(), StatusCode::BAD_REQUEST);
        }
    }
    // Only accepted messages are counted.
    assert_eq!(receiver.key_usage().iter().map(|found| found.count).sum::<u64>(), 2 * (60 + 4));
}

#[test]
fn payby_and_payermax_keys_can_be_rotated() {
    let random = Seeded::new();
    let [old, new] = [(); 2].map(|()| generate(&random));
    let senders = [&old, &new].map(|key| DetachedSender::new(key).unwrap().raw("{}").unwrap());
    let dated =
        || [ScheduledKey::from(public(&old)).retire_at(day(30)), ScheduledKey::from(public(&new)).not_before(day(10))];
    let payby = PayByReceiver::new(dated()).unwrap();
    let payermax = PayerMaxReceiver::new(dated().map(|key| ("M1", key))).unwrap();
    for (number, expected) in [(9, [true, false]), (10, [true, true]), (29, [true, true]), (30, [false, true])] {
        let [by, max] = [true, false].map(|is_payby| {
            senders.each_ref().map(|request| {
                let (headers, body) = (request.headers(), request.body());
                if is_payby {
                    payby.receive(headers, body, day(number)).is_ok()
                } else {
                    payermax.receive(headers, body, day(number)).is_ok()
                }
            })
        });
        assert_eq!((by, max), (expected, expected), "day {number}");
    }
    for uses in [payby.key_usage(), payermax.key_usage()] {
        assert_eq!(uses.iter().map(|found| found.count).collect::<Vec<_>>(), [3, 3]);
    }
}

/// Two merchants share a key, which is retired for one of them.
#[test]
fn key_is_retired_only_for_its_merchant() {
    let random = Seeded::new();
    let key = generate(&random);
    let sample = paytend_vectors::samples().into_iter().find(|s| s.document == "payermax" && s.name == "notification");
    let sample = sample.unwrap().json;
    let request = |merchant: &str| {
        let body = sample.replace("P01010113842047", merchant);
        assert!(body.contains(merchant));
        DetachedSender::new(&key).unwrap().raw(body).unwrap()
    };
    // The timestamp of the sample notification.
    let sent = SystemTime::UNIX_EPOCH + Duration::from_millis(1_670_837_217_628);
    let receiver = PayerMaxReceiver::new([
        ("M1", ScheduledKey::from(public(&key)).retire_at(sent)),
        ("M2", ScheduledKey::from(public(&key))),
    ])
    .unwrap();
    let receive =
        |merchant, at| receiver.receive(request(merchant).headers(), request(merchant).body(), at).map(|_| ());
    let before = sent - Duration::from_secs(1);
    assert_eq!((receive("M1", before), receive("M2", before), receive("M2", sent)), (Ok(()), Ok(()), Ok(())));
    assert_eq!(receive("M1", sent).unwrap_err().reason(), &Reason::OtherMerchant);
    assert_eq!(receiver.key_usage().len(), 1);
}

#[test]
fn response_asks_for_a_retry_in_a_gap_between_keys() {
    let random = Seeded::new();
    let [old, new] = [(); 2].map(|()| generate(&random));
    let receiver = PayByReceiver::new([
        ScheduledKey::from(public(&old)).retire_at(day(10)),
        ScheduledKey::from(public(&new)).not_before(day(11)),
    ])
    .unwrap();
    let request = DetachedSender::new(&new).unwrap().raw("{}").unwrap();
    let receive = |at| receiver.receive(request.headers(), request.body(), at);
    let rejection = receive(day(10)).unwrap_err();
    assert!(matches!(rejection.reason(), Reason::Unavailable(_)), "{rejection}");
    assert_eq!(rejection.to_http().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(receive(day(11)).is_ok());
}

#[test]
fn invalid_validity_periods_are_reported() {
    let none: [Arc<dyn RsaPublic>; 0] = [];
    assert_eq!(PayByReceiver::new(none.clone()).unwrap_err(), ConfigError::NoKey);
    assert_eq!(PayerMaxReceiver::new(none.map(|key| ("M1", key))).unwrap_err(), ConfigError::NoKey);
    let random = Seeded::new();
    let key = generate(&random);
    let never = ScheduledKey::from(public(&key)).not_before(day(2)).retire_at(day(2));
    let error = PayByReceiver::new([never]).unwrap_err();
    assert_eq!(error, ConfigError::NeverUsed(key.public_key().fingerprint()));
    assert!(error.to_string().contains("must be later"), "{error}");
    let none: [Arc<dyn RsaPrivate>; 0] = [];
    let result = PaytendReceiver::rotating(Product::Baas, PARTNER_ID, none, [public(&key)]);
    assert_eq!(result.unwrap_err(), ConfigError::NoKey);
}

/// Replayed old messages must not make an old key appear to be in use.
#[test]
fn rejected_messages_are_not_counted_as_key_usage() {
    let random = Seeded::new();
    let key = generate(&random);
    let receiver = PayByReceiver::new([public(&key)]).unwrap();
    let request = DetachedSender::new(&key).unwrap().raw(r#"{"notify_timestamp":1000}"#).unwrap();
    let receive = |at| receiver.receive(request.headers(), request.body(), at);
    assert!(matches!(receive(day(1)).unwrap_err().reason(), Reason::TooOld { .. }));
    assert_eq!((receiver.key_usage()[0].count, receiver.key_usage()[0].last), (0, None));
    assert!(receive(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).is_ok());
    assert_eq!(receiver.key_usage()[0].count, 1);
}

#[test]
fn partner_identifier_with_a_line_break_is_rejected() {
    let random = Seeded::new();
    let key = generate(&random);
    let rotating = |id: &str| PaytendReceiver::rotating(Product::Baas, id, [private(&key)], [public(&key)]);
    for id in ["888666000100260\n", " 888666000100260", "", "8886660001\u{200b}00260"] {
        let refused = PaytendReceiver::from_keys(Product::Baas, id, &key, key.public_key()).unwrap_err();
        assert!(refused == ConfigError::PartnerId && refused.to_string().contains("line breaks"), "{id:?}: {refused}");
        assert_eq!(rotating(id).unwrap_err(), ConfigError::PartnerId, "{id:?}");
    }
    assert!(rotating(PARTNER_ID).is_ok());
}
