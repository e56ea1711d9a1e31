//! Tests of messages that the store did not write, or that are in a format that it cannot read.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use async_nats::HeaderMap;
use paytend_inbox::testing::TestNotification;
use paytend_inbox::{
    Accepted, AuditEvent, AuditQuery, Query, State, Store as _, StoreAdmin as _, StoreKeys, StoredPayload,
};
use paytend_store_nats::NatsStore;

use crate::cluster::Cluster;
use crate::support::{Raw, accept, claim, options, requeued};

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
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let store = options(&cluster, &name).open().await.unwrap();
    accept(&store, &keys, "record").await.unwrap();
    let raw = Raw::new(&cluster, &name).await;
    let [message] = &*raw.all("inbox").await else { panic!("one notification is stored") };
    // The record of the first notification is replaced with a format in which only the counters can be read.
    let record = format!("work.{}", TestNotification::new("record").prepare(&keys).facts.dedup);
    raw.publish(&record, HeaderMap::new(), r#"{"id":"a","fence":7,"completed_runs":3}"#).await;
    let facts = message.headers.get("Paytend-Facts").unwrap().as_str();
    let with = |facts: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("Paytend-Facts", facts);
        headers.insert("Paytend-Received", "5");
        headers
    };
    let mac = |name: &str| TestNotification::new(name).prepare(&keys).facts.dedup.to_string();
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
    let order = order.prepare(&keys).facts.order_key.unwrap();
    raw.publish(&format!("order.{order}"), HeaderMap::new(), "nonsense").await;
    for name in ["a", "bb", "c"] {
        accept(&store, &keys, name).await.unwrap();
    }
    assert_eq!(process_until(&store, 3, 6).await, ["a", "bb", "c"]);
    let fresh = options(&cluster, &name).open().await.unwrap();
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
    // A redriven notification becomes a dead letter again, or is processed if it can be read.
    assert_eq!(fresh.redrive(None).await.unwrap(), 6);
    let claimed = crate::support::claim_until_found(&fresh).await;
    assert_eq!((claimed[0].lease.id, claimed[0].completed_runs), (record.id, 3));
    assert!(claimed[0].lease.fence > 7);
    fresh.complete(claimed[0].lease, None).await.unwrap();
    process_until(&fresh, 0, 5).await;
    // Duplicates of unreadable notifications are recognized.
    for name in ["no headers", "record"] {
        let accepted = fresh.accept(requeued(name).prepare(&keys)).await.unwrap();
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
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let store = options(&cluster, &name).open().await.unwrap();
    let id = accept(&store, &keys, "a").await.unwrap().id();
    let raw = Raw::new(&cluster, &name).await;
    let subject = format!("work.{}", TestNotification::new("a").prepare(&keys).facts.dedup);
    let newer = format!(r#"{{"id":{id},"state":"new","fence":7,"completed_runs":1,"member":"value"}}"#);
    let sequence = raw.publish(&subject, HeaderMap::new(), newer.clone()).await;
    let stored = async || {
        let subject = format!("{name}.{subject}");
        raw.stream("work").await.get_last_raw_message_by_subject(&subject).await.unwrap()
    };
    let fresh = options(&cluster, &name).open().await.unwrap();
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
    assert_eq!(accept(&store, &keys, "a").await.unwrap(), Accepted::Duplicate { id, sighting: 1 });
    assert_eq!(contains(&stored().await.payload), ("dead".to_owned(), newer.clone()));
    let sequence = raw.publish(&subject, HeaderMap::new(), newer.clone()).await;
    assert_eq!(accept(&store, &keys, "a").await.unwrap(), Accepted::Duplicate { id, sighting: 1 });
    assert_eq!(contains(&stored().await.payload), ("dead".to_owned(), newer));
    assert!(stored().await.sequence > sequence);
    assert_eq!(fresh.check().await.unwrap(), Vec::<String>::new());
}

/// `drop_payloads` has deleted the messages with the content of three notifications. The records of the notifications
/// remain, but two of them cannot be read.
#[tokio::test(flavor = "multi_thread")]
async fn unreadable_records_without_messages_hold_up_nothing() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let store = options(&cluster, &name).open().await.unwrap();
    for name in ["a", "b", "c"] {
        accept(&store, &keys, name).await.unwrap();
    }
    process_until(&store, 3, 0).await;
    assert_eq!(store.drop_payloads(SystemTime::now() + LEASE).await.unwrap(), 3);
    let raw = Raw::new(&cluster, &name).await;
    let subject = |name: &str| format!("work.{}", TestNotification::new(name).prepare(&keys).facts.dedup);
    let last = format!("{name}.{}", subject("a"));
    let last = raw.stream("work").await.get_last_raw_message_by_subject(&last).await.unwrap();
    // The ID and the facts in the first record can be read.
    let mut newer: serde_json::Value = serde_json::from_slice(&last.payload).unwrap();
    newer["state"] = "new".into();
    raw.publish(&subject("a"), HeaderMap::new(), newer.to_string()).await;
    raw.publish(&subject("b"), HeaderMap::new(), "nonsense").await;
    let fresh = options(&cluster, &name).open().await.unwrap();
    for store in [&store, &fresh] {
        store.redrive(None).await.unwrap();
        store.erase("other".into()).await.unwrap();
        assert!(claim(store, 10, LEASE).await.is_empty());
    }
    let known = accept(&fresh, &keys, "a").await.unwrap();
    assert!(matches!(known, Accepted::Duplicate { sighting: 1, .. }), "{known:?}");
    let entry = fresh.show(known.id(), None).await.unwrap().unwrap();
    assert_eq!((entry.state, entry.facts.business_id.as_deref()), (State::Dead, Some("a")));
    assert_eq!(fresh.erase("a".into()).await.unwrap(), 1);
    assert!(!raw.all("work").await.iter().any(|message| message.payload.windows(3).any(|part| part == b"\"a\"")));
    // Nothing in the second record can be read, so its notification is stored again, and then becomes a dead letter.
    let accepted = accept(&fresh, &keys, "b").await.unwrap();
    assert!(matches!(accepted, Accepted::New(_)), "{accepted:?}");
    process_until(&fresh, 0, 2).await;
    assert_eq!(fresh.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn store_in_a_newer_format_is_refused() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let store = options(&cluster, &name).open().await.unwrap();
    options(&cluster, &name).open().await.unwrap().probe().await.unwrap();
    let raw = Raw::new(&cluster, &name).await;
    raw.publish("meta.format", HeaderMap::new(), "2").await;
    let opened = options(&cluster, &name).open().await.unwrap_err();
    for error in [opened, store.probe().await.unwrap_err()] {
        assert_eq!(error.to_string(), "the store has format 2, and this program knows 1: use a newer version");
        assert_eq!(error.kind(), paytend_inbox::StoreErrorKind::Configuration);
    }
}

/// Records that another program has written can contain any number.
#[tokio::test(flavor = "multi_thread")]
async fn extreme_numbers_in_records_cause_no_panic() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let store = options(&cluster, &name).open().await.unwrap();
    let raw = Raw::new(&cluster, &name).await;
    let names = ["0", "1", "2", "3"];
    for (name, (fence, count, time)) in names.iter().zip([
        (i64::MAX, u64::MAX, i64::MIN),
        (i64::MIN, u64::MAX, i64::MAX),
        (-1, 0, i64::MIN),
        (0, u64::MAX, 0),
    ]) {
        let id = accept(&store, &keys, name).await.unwrap().id();
        let record = serde_json::json!({
            "id": id.get(), "kind": "fund-deposit", "received_at": time, "state": "ready", "fence": fence,
            "tries": u32::MAX, "due_at": time, "holder": count, "completed_runs": count, "sightings": count,
        });
        let dedup = TestNotification::new(*name).prepare(&keys).facts.dedup;
        raw.publish(&format!("work.{dedup}"), HeaderMap::new(), record.to_string()).await;
    }
    let fresh = options(&cluster, &name).open().await.unwrap();
    for store in [&store, &fresh] {
        store.stats().await.unwrap();
        store.list(Query { limit: 10, ..Query::default() }).await.unwrap();
        for claimed in claim(store, 10, LEASE).await {
            store.complete(claimed.lease, None).await.unwrap();
        }
        for name in names {
            store.accept(requeued(name).prepare(&keys)).await.unwrap();
        }
        store.check().await.unwrap();
    }
}
