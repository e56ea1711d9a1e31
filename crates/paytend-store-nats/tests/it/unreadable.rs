//! Tests of messages that the store did not write, or that are in a format that it cannot read.

use std::time::{Duration, Instant, SystemTime};

use async_nats::HeaderMap;
use paytend_inbox::testing::TestNotification;
use paytend_inbox::{Accepted, AuditEvent, AuditQuery, Query, State, Store as _, StoreAdmin as _, StoredPayload};
use paytend_store_nats::NatsStore;

use crate::support::{Place, accept, claim, requeued};

const LEASE: Duration = Duration::from_secs(120);

/// Claims and completes notifications until `done` notifications have been completed and `dead` dead letters exist.
async fn process_until(store: &NatsStore, done: usize, dead: u64) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut names = Vec::new();
    loop {
        for claimed in claim(store, 2, LEASE).await {
            names.push(claimed.facts.business_id.clone().unwrap());
            store.complete(claimed.lease, None).await.unwrap();
        }
        let stats = store.stats().await.unwrap();
        if names.len() == done && stats.dead == dead {
            names.sort();
            return names;
        }
        assert!(Instant::now() < deadline, "{names:?}, {stats:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_messages_become_dead_letters_and_do_not_hold_up_others() {
    let Some(place) = Place::new().await else { return };
    let store = place.open().await;
    accept(&store, &place.keys, "record").await.unwrap();
    let raw = place.raw().await;
    let [message] = &*raw.all("inbox").await else { panic!("one notification is stored") };
    // The record of the first notification is replaced with a format in which only the counters can be read.
    let record_subject = format!("work.{}", TestNotification::new("record").prepare(&place.keys).facts.dedup);
    raw.publish(&record_subject, HeaderMap::new(), r#"{"id":"a","fence":7,"completed_runs":3}"#).await;
    let facts = message.headers.get("Paytend-Facts").unwrap().as_str();
    let with = |facts: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("Paytend-Facts", facts);
        headers.insert("Paytend-Received", "5");
        headers
    };
    let mac = |name: &str| TestNotification::new(name).prepare(&place.keys).facts.dedup.to_string();
    let facts_of = |name: &str| facts.replace(&mac("record"), &mac(name));
    let bad: [(String, HeaderMap, &'static [u8]); 5] = [
        (mac("no headers"), HeaderMap::new(), b""),
        (mac("other facts"), with("[]"), b"content"),
        (mac("other dedup"), with(facts), &[0; 64]),
        (mac("other route"), with(&facts_of("other route").replace("paytend:baas", "paytend:new")), &[0; 64]),
        (mac("short content"), with(&facts_of("short content")), b"content"),
    ];
    let mut ids = Vec::new();
    for (dedup, headers, content) in bad {
        ids.push(raw.publish(&format!("inbox.paytend-baas.{dedup}"), headers, content).await);
    }
    // These subjects do not belong to a notification.
    raw.publish("inbox.paytend-baas.other", HeaderMap::new(), "").await;
    raw.publish("work.other", HeaderMap::new(), "").await;
    raw.publish("meta.other", HeaderMap::new(), "").await;
    raw.publish("audit.0.other", HeaderMap::new(), "nonsense").await;
    raw.publish("order.other", HeaderMap::new(), "").await;
    // This register belongs to the order key of "bb".
    let order = TestNotification { order: Some("b".into()), ..TestNotification::new("bb") };
    let order = order.prepare(&place.keys).facts.order_key.unwrap();
    raw.publish(&format!("order.{order}"), HeaderMap::new(), "nonsense").await;
    for name in ["a", "bb", "c"] {
        accept(&store, &place.keys, name).await.unwrap();
    }
    assert_eq!(process_until(&store, 3, 6).await, ["a", "bb", "c"]);
    let fresh = place.open().await;
    let stats = fresh.stats().await.unwrap();
    assert_eq!((stats.done, stats.dead, stats.ready, stats.leased), (3, 6, 0, 0));
    for store in [&store, &fresh] {
        let problems = store.check().await.unwrap().join("\n");
        let unreadable = format!("5 notifications cannot be read, such as {}", ids[0]);
        assert!(problems.contains(&unreadable), "{problems}");
        assert!(problems.contains("3 messages have a subject that this store does not write"), "{problems}");
        assert_eq!(problems.lines().count(), 2, "{problems}");
    }
    // The dead letters are shown if their facts can be read.
    let dead = Query { state: Some(State::Dead), limit: 10, ..Query::default() };
    let dead = fresh.list(dead).await.unwrap();
    let [record] = &*dead else { panic!("{dead:?}") };
    assert!(record.cause.as_ref().unwrap().contains("record cannot be read"), "{record:?}");
    assert!(fresh.show(paytend_inbox::Id::new(i64::try_from(ids[0]).unwrap()), None).await.unwrap().is_none());
    // A redriven notification becomes a dead letter again. If its record has an unknown format, it is not redriven,
    // because a newer program may already have processed it.
    let refused = fresh.redrive(None).await.unwrap_err();
    let expected = format!("5 notifications are ready again, and 1 are still dead letters, such as {}", record.id);
    assert!(refused.to_string().starts_with(&expected), "{refused}");
    assert_eq!(refused.kind(), paytend_inbox::StoreErrorKind::Configuration);
    process_until(&fresh, 0, 6).await;
    let refused = fresh.redrive(Some(vec![record.id])).await.unwrap_err();
    assert!(refused.to_string().starts_with("0 notifications are ready again"), "{refused}");
    assert_eq!(fresh.show(record.id, None).await.unwrap().unwrap().state, State::Dead);
    // If no program can read the record, deleting its message makes the notification new.
    let stored = raw.last(&record_subject).await;
    raw.stream("work").await.delete_message(stored.sequence).await.unwrap();
    let fresh = place.open().await;
    let claimed = crate::support::claim_until_found(&fresh).await;
    assert_eq!((claimed[0].lease.id, claimed[0].completed_runs), (record.id, 0));
    fresh.complete(claimed[0].lease, None).await.unwrap();
    process_until(&fresh, 0, 5).await;
    // Duplicates of unreadable notifications are recognized.
    for name in ["no headers", "record"] {
        let accepted = fresh.accept(requeued(name).prepare(&place.keys)).await.unwrap();
        assert!(matches!(accepted, Accepted::Duplicate { sighting: 1, .. }), "{name}: {accepted:?}");
    }
    assert_eq!(process_until(&fresh, 1, 5).await, ["record"]);
    assert_eq!(fresh.erase("a".into()).await.unwrap(), 1);
    assert_eq!(fresh.drop_payloads(SystemTime::now() + LEASE).await.unwrap(), 3);
    assert_eq!(fresh.show(record.id, None).await.unwrap().unwrap().payload, Some(StoredPayload::Dropped));
    assert_eq!(fresh.forget(SystemTime::now() + LEASE).await.unwrap(), 4);
    fresh.record(AuditEvent::new("test", "operator")).await.unwrap();
    let events = fresh.audit(AuditQuery { limit: 10, ..AuditQuery::default() }).await.unwrap();
    let actions: Vec<&str> = events.iter().map(|event| &*event.event.action).collect();
    assert_eq!(actions, ["test", "unreadable"]);
}

/// The record was written by a newer version, which runs at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn record_of_a_newer_version_is_kept() {
    let Some(place) = Place::new().await else { return };
    let store = place.open().await;
    let id = accept(&store, &place.keys, "a").await.unwrap().id();
    let raw = place.raw().await;
    let subject = format!("work.{}", TestNotification::new("a").prepare(&place.keys).facts.dedup);
    let newer = format!(r#"{{"id":{id},"state":"new","fence":7,"completed_runs":1,"member":"value"}}"#);
    let sequence = raw.publish(&subject, HeaderMap::new(), newer.clone()).await;
    let stored = async || raw.last(&subject).await;
    let fresh = place.open().await;
    let dead = [fresh.list(Query { limit: 10, ..Query::default() }).await.unwrap().remove(0)];
    for entry in dead.into_iter().chain(fresh.show(id, None).await.unwrap()) {
        assert_eq!((entry.id, entry.state), (id, State::Dead));
        assert!(entry.cause.unwrap().contains("record cannot be read"));
    }
    assert_eq!(fresh.drop_payloads(SystemTime::now() + LEASE).await.unwrap(), 0);
    let problems = fresh.check().await.unwrap().join("\n");
    assert!(problems.contains("1 records cannot be read"), "{problems}");
    assert_eq!(stored().await.sequence, sequence, "the record was replaced");
    // A worker and the arrival of a duplicate store the dead letter, which contains the record.
    assert!(claim(&fresh, 10, LEASE).await.is_empty());
    let contains = |payload: &[u8]| {
        let dead: serde_json::Value = serde_json::from_slice(payload).unwrap();
        (dead["state"].as_str().unwrap().to_owned(), dead["original"].as_str().unwrap().to_owned())
    };
    assert_eq!(contains(&stored().await.payload), ("dead".to_owned(), newer.clone()));
    assert_eq!(accept(&store, &place.keys, "a").await.unwrap(), Accepted::Duplicate { id, sighting: 1 });
    assert_eq!(contains(&stored().await.payload), ("dead".to_owned(), newer.clone()));
    let sequence = raw.publish(&subject, HeaderMap::new(), newer.clone()).await;
    assert_eq!(accept(&store, &place.keys, "a").await.unwrap(), Accepted::Duplicate { id, sighting: 1 });
    assert_eq!(contains(&stored().await.payload), ("dead".to_owned(), newer));
    assert!(stored().await.sequence > sequence);
    assert_eq!(fresh.check().await.unwrap(), Vec::<String>::new());
    // This program does not begin a new run, because the newer program may already have processed the notification.
    let before = stored().await.sequence;
    for ids in [Some(vec![id]), None] {
        let refused = fresh.redrive(ids).await.unwrap_err().to_string();
        assert!(refused.contains(&format!("1 are still dead letters, such as {id}: ")), "{refused}");
    }
    assert_eq!((stored().await.sequence, claim(&fresh, 10, LEASE).await.len()), (before, 0));
    assert_eq!(fresh.stats().await.unwrap().dead, 1);
}

/// A newer program has processed the first notification of an order key and removed its content, while this program had
/// the notification in its index.
#[tokio::test(flavor = "multi_thread")]
async fn notification_with_an_unreadable_record_and_no_message_does_not_hold_up_its_key() {
    let Some(place) = Place::new().await else { return };
    let store = place.open().await;
    let raw = place.raw().await;
    let ordered = |name: &str| TestNotification { order: Some("key".into()), ..TestNotification::new(name) };
    let first = store.accept(ordered("first").prepare(&place.keys)).await.unwrap().id();
    let second = store.accept(ordered("second").prepare(&place.keys)).await.unwrap().id();
    assert_eq!(store.stats().await.unwrap().ready, 2);
    let subject = format!("work.{}", ordered("first").prepare(&place.keys).facts.dedup);
    let newer = format!(r#"{{"id":{first},"state":"new","fence":7}}"#);
    raw.publish(&subject, HeaderMap::new(), newer.clone()).await;
    raw.stream("inbox").await.delete_message(u64::try_from(first.get()).unwrap()).await.unwrap();
    let claimed = crate::support::claim_until_found(&store).await;
    assert_eq!(claimed.iter().map(|claimed| claimed.lease.id).collect::<Vec<_>>(), [second]);
    store.complete(claimed[0].lease, None).await.unwrap();
    for store in [&store, &place.open().await] {
        let stats = store.stats().await.unwrap();
        assert_eq!((stats.ready, stats.done, stats.dead), (0, 1, 1));
    }
    // The dead letter contains the record.
    let stored = raw.last(&subject).await;
    let dead: serde_json::Value = serde_json::from_slice(&stored.payload).unwrap();
    assert_eq!((dead["state"].as_str(), dead["original"].as_str()), (Some("dead"), Some(newer.as_str())));
}

/// `drop_payloads` has deleted the messages with the content of three notifications. The records of the notifications
/// remain, but two of them cannot be read.
#[tokio::test(flavor = "multi_thread")]
async fn unreadable_records_without_messages_hold_up_nothing() {
    let Some(place) = Place::new().await else { return };
    let store = place.open().await;
    for name in ["a", "b", "c"] {
        accept(&store, &place.keys, name).await.unwrap();
    }
    process_until(&store, 3, 0).await;
    assert_eq!(store.drop_payloads(SystemTime::now() + LEASE).await.unwrap(), 3);
    let raw = place.raw().await;
    let subject = |name: &str| format!("work.{}", TestNotification::new(name).prepare(&place.keys).facts.dedup);
    let last = raw.last(&subject("a")).await;
    // The ID and the facts in the first record can be read.
    let mut newer: serde_json::Value = serde_json::from_slice(&last.payload).unwrap();
    newer["state"] = "new".into();
    raw.publish(&subject("a"), HeaderMap::new(), newer.to_string()).await;
    raw.publish(&subject("b"), HeaderMap::new(), "nonsense").await;
    let fresh = place.open().await;
    for store in [&store, &fresh] {
        store.redrive(None).await.unwrap();
        store.erase("other".into()).await.unwrap();
        assert!(claim(store, 10, LEASE).await.is_empty());
    }
    let known = accept(&fresh, &place.keys, "a").await.unwrap();
    assert!(matches!(known, Accepted::Duplicate { sighting: 1, .. }), "{known:?}");
    let entry = fresh.show(known.id(), None).await.unwrap().unwrap();
    assert_eq!((entry.state, entry.facts.business_id.as_deref()), (State::Dead, Some("a")));
    assert_eq!(fresh.erase("a".into()).await.unwrap(), 1);
    assert!(!raw.all("work").await.iter().any(|message| message.payload.windows(3).any(|part| part == b"\"a\"")));
    // Nothing in the second record can be read, so its notification is stored again, and then becomes a dead letter.
    let accepted = accept(&fresh, &place.keys, "b").await.unwrap();
    assert!(matches!(accepted, Accepted::New(_)), "{accepted:?}");
    process_until(&fresh, 0, 2).await;
    assert_eq!(fresh.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn store_in_a_newer_format_is_refused() {
    let Some(place) = Place::new().await else { return };
    let store = place.open().await;
    place.open().await.probe().await.unwrap();
    let raw = place.raw().await;
    raw.publish("meta.format", HeaderMap::new(), "2").await;
    let opened = place.options().open().await.unwrap_err();
    for error in [opened, store.probe().await.unwrap_err()] {
        assert_eq!(error.to_string(), "the store has format 2, and this program knows 1: use a newer version");
        assert_eq!(error.kind(), paytend_inbox::StoreErrorKind::Configuration);
    }
}

/// Records that another program has written can contain any number.
#[tokio::test(flavor = "multi_thread")]
async fn extreme_numbers_in_records_cause_no_panic() {
    let Some(place) = Place::new().await else { return };
    let store = place.open().await;
    let raw = place.raw().await;
    let names = ["0", "1", "2", "3"];
    for (name, (fence, count, time)) in names.iter().zip([
        (i64::MAX, u64::MAX, i64::MIN),
        (i64::MIN, u64::MAX, i64::MAX),
        (-1, 0, i64::MIN),
        (0, u64::MAX, 0),
    ]) {
        let id = accept(&store, &place.keys, name).await.unwrap().id();
        let record = serde_json::json!({
            "id": id.get(), "kind": "fund-deposit", "received_at": time, "state": "ready", "fence": fence,
            "tries": u32::MAX, "due_at": time, "holder": count, "completed_runs": count, "sightings": count,
        });
        let dedup = TestNotification::new(*name).prepare(&place.keys).facts.dedup;
        raw.publish(&format!("work.{dedup}"), HeaderMap::new(), record.to_string()).await;
    }
    let fresh = place.open().await;
    for store in [&store, &fresh] {
        store.stats().await.unwrap();
        store.list(Query { limit: 10, ..Query::default() }).await.unwrap();
        for claimed in claim(store, 10, LEASE).await {
            store.complete(claimed.lease, None).await.unwrap();
        }
        for name in names {
            store.accept(requeued(name).prepare(&place.keys)).await.unwrap();
        }
        store.check().await.unwrap();
    }
}
