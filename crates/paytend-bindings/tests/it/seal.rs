//! Tests for the `requestId` that sealing adds.

use paytend_bindings::{Code, Failure, Kind, open, seal};
use paytend_vectors::PARTNER_ID;

use crate::ring;

/// Seals a message with the given fields, opens it, and returns its `requestId`.
fn sealed_id(kind: Kind, fields: &[(&str, &str)]) -> Result<Option<String>, Failure> {
    let document = seal(&ring("partner", "paytend"), kind, fields.iter().copied(), Some("{}"), true)?;
    let partner = (kind != Kind::Response).then_some(PARTNER_ID);
    let opened = open(&ring("paytend", "partner"), kind, partner, document.as_bytes(), true, None)?;
    Ok(opened.fields().find(|(name, _)| *name == "requestId").map(|(_, value)| value.to_owned()))
}

#[test]
fn generated_request_ids_have_32_characters_and_differ() {
    let fields = [("partnerId", PARTNER_ID)];
    let ids = [0, 1].map(|_| sealed_id(Kind::Request, &fields).unwrap().unwrap());
    assert!(ids.iter().all(|id| id.len() == 32), "{ids:?}");
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn existing_request_id_is_kept() {
    for id in ["0123456789abcdef0123456789abcdef", "short"] {
        let fields = [("partnerId", PARTNER_ID), ("requestId", id)];
        assert_eq!(sealed_id(Kind::Request, &fields).unwrap().as_deref(), Some(id));
    }
}

#[test]
fn error_for_empty_request_id_names_the_field() {
    let failure = sealed_id(Kind::Request, &[("partnerId", PARTNER_ID), ("requestId", "")]).unwrap_err();
    assert_eq!(failure.code(), Code::Unsealable);
    assert!(failure.message().contains("`requestId`"), "{failure}");
}

#[test]
fn request_id_is_not_added_to_responses_or_notifications() {
    let fields = [("partnerId", PARTNER_ID), ("notifyType", "2")];
    assert_eq!(sealed_id(Kind::Notification, &fields).unwrap(), None);
    assert_eq!(sealed_id(Kind::Response, &[("respCode", "00"), ("respMsg", "ok")]).unwrap(), None);
}
