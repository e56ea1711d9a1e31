//! Tests that failure messages include the cause and name the invalid argument.

use paytend_bindings::{Code, Failure, Kind, PublicKey, Receiver, Reply, ScheduledKey, kind, open, write_private};
use paytend_vectors::PARTNER_ID;

use crate::{private, ring};

#[test]
fn rejection_message_includes_the_cause() {
    let key = private("payby").public_key().clone();
    let later = ScheduledKey { key, not_before: Some(2_000_000_000_000), retire_at: None };
    let payby = Receiver::payby(vec![later]).unwrap();
    let rejected = payby.receive([("sign", b"AAAA".as_slice())], b"{}", Some(1_795_000_000_000)).unwrap_err();
    assert_eq!(rejected.failure.code(), Code::Key);
    assert!(rejected.failure.message().starts_with("cannot verify now: "), "{}", rejected.failure);

    let paytend = Receiver::paytend("baas", PARTNER_ID, ring("partner", "paytend")).unwrap();
    let rejected = paytend.receive([], b"{", None).unwrap_err();
    assert_eq!(rejected.failure.code(), Code::Malformed);
    let message = "rejected: the message is malformed: JSON ends too early at line 1 column 1";
    assert_eq!(rejected.failure.message(), message);
}

#[test]
fn failure_message_names_the_invalid_argument() {
    let own = ring("partner", "paytend");
    let read = |path: &str| PublicKey::from_file(path).map(drop).map_err(Failure::from);
    let limited = |bytes, age| {
        let receiver = Receiver::payby(vec![private("payby").public_key().clone().into()]).unwrap();
        receiver.limited(bytes, age).map(drop)
    };
    for (result, name) in [
        (read("/nowhere/paytend.pem"), "/nowhere/paytend.pem"),
        (kind("notice").map(drop), "`kind`"),
        (Reply::named("ok").map(drop), "`reply`"),
        (write_private(&private("partner"), "jwk").map(drop), "`form`"),
        (Receiver::paytend("payout", PARTNER_ID, own.clone()).map(drop), "`product`"),
        (Receiver::paytend("baas", "", own.clone()).map(drop), "partner ID"),
        (open(&own, Kind::Request, None, b"{}", true, None).map(drop), "partner ID"),
        (open(&own, Kind::Response, Some(PARTNER_ID), b"{}", true, None).map(drop), "partner ID"),
        (limited(Some(0), None), "`max_bytes`"),
        (limited(None, Some(0)), "`max_age`"),
    ] {
        let failure = result.expect_err(name);
        assert!(failure.message().contains(name), "{name}: {failure}");
    }
}
