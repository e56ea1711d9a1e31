//! Tests of the store's file, such as permissions, settings, shared use by several stores, backups and erasure.

use std::time::{Duration, SystemTime};

use paytend_inbox::testing::TestNotification;
use paytend_inbox::{
    Accepted, AuditQuery, ClaimRequest, FinishError, Id, Query, Release, State, Store as _, StoreAdmin as _,
    StoreErrorKind, StoredPayload,
};
use paytend_store_sqlite::rusqlite::{Connection, Error, ffi};
use paytend_store_sqlite::{SqliteOptions, SqliteStore};

use crate::support::{SqliteHarness, accept, claim, keys};

#[tokio::test]
async fn unsafe_settings_are_reported_by_check() {
    let harness = SqliteHarness::new();
    let store = harness.options("a.db").open().unwrap();
    let settings = store.probe().await.unwrap();
    assert!(settings.contains(&("journal_mode", "wal".into())) && settings.contains(&("synchronous", "2".into())));
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    let unsafe_store = harness.options("b.db").danger_without_sync().open().unwrap();
    assert_eq!(unsafe_store.check().await.unwrap(), ["the setting synchronous must be 2"]);
    unsafe_store.probe().await.unwrap();
}

/// A reader, such as a backup, can prevent copying the write-ahead log for a long time.
#[tokio::test]
async fn file_is_opened_while_a_reader_is_active() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").open().unwrap();
    accept(&store, &keys, "before").await;
    let reader = Connection::open(harness.path("a.db")).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let count = |connection: &Connection| {
        connection.query_row("SELECT count(*) FROM paytend_notification", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(count(&reader), 1);
    accept(&store, &keys, "after").await;
    let started = std::time::Instant::now();
    for options in [harness.options("a.db"), harness.options("a.db").must_exist()] {
        let other = options.open().unwrap();
        assert!(other.stats().await.unwrap().ready >= 2);
        accept(&other, &keys, "a duplicate or new").await;
    }
    // After a disk error, the file is opened again.
    let disk_error = Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR_FSYNC), None);
    store.write(|_| Err::<(), _>(disk_error)).await.unwrap_err();
    accept(&store, &keys, "later").await;
    assert_eq!(count(&reader), 1, "the reader was not active");
    assert!(started.elapsed() < Duration::from_secs(60), "opening waits for the reader");
}

#[tokio::test]
async fn in_memory_database_is_refused() {
    for path in ["", ":memory:"] {
        let error = SqliteStore::open(path).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Configuration, "{error}");
        assert!(error.to_string().contains("must be a file"), "{error}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_accessible_only_to_their_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let harness = SqliteHarness::new();
    let store = harness.options("a.db").open().unwrap();
    accept(&store, &keys(), "a").await;
    store.backup(harness.path("copy.db")).await.unwrap();
    let files: Vec<_> = std::fs::read_dir(harness.directory.path()).unwrap().map(Result::unwrap).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{file:?}");
    }
}

#[tokio::test]
async fn content_survives_reopening() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").open().unwrap();
    store.bind_keys(keys.check_value()).await.unwrap();
    let id = accept(&store, &keys, "a").await;
    drop(store);
    let store = harness.options("a.db").open().unwrap();
    store.bind_keys(keys.check_value()).await.unwrap();
    let again = store.accept(TestNotification::new("a").prepare(&keys)).await.unwrap();
    assert_eq!(again, Accepted::Duplicate { id, sighting: 1 });
    assert_eq!(claim(&store, 5).await.len(), 1);
}

#[tokio::test]
async fn notifications_are_due_after_the_clock_was_set_back() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let day = Duration::from_secs(24 * 3600);
    let ahead = SystemTime::now() + 3 * day;
    let store = SqliteOptions::new(harness.path("a.db")).clock(move || ahead).open().unwrap();
    for name in ["leased", "backoff", "ready"] {
        accept(&store, &keys, name).await;
    }
    let claimed = claim(&store, 2).await;
    let retry = Release::Retry { after: day, cause: String::new() };
    store.release(claimed[1].lease, retry).await.unwrap();
    drop(store);
    let store = SqliteStore::open(harness.path("a.db")).unwrap();
    assert_eq!(claim(&store, 5).await.len(), 3);
}

#[tokio::test]
async fn stores_that_open_the_same_file_share_its_notifications() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let stores = [harness.options("a.db").open().unwrap(), harness.options("a.db").open().unwrap()];
    let notifications: Vec<_> = (0..60).map(|i| TestNotification::new((i % 20).to_string()).prepare(&keys)).collect();
    let accepting = notifications.into_iter().enumerate().map(|(i, n)| stores[i % 2].accept(n));
    let accepted = futures_util::future::join_all(accepting).await;
    let new = accepted.iter().filter(|accepted| matches!(accepted, Ok(Accepted::New(_)))).count();
    assert_eq!(new, 20);
    let claimed = futures_util::future::join_all(stores.iter().map(|store| claim(store, 20))).await;
    assert_eq!(claimed.iter().map(Vec::len).sum::<usize>(), 20);
}

#[tokio::test]
async fn absent_and_damaged_files_are_reported() {
    let harness = SqliteHarness::new();
    let error = SqliteOptions::new(harness.path("absent.db")).must_exist().open().unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Configuration);
    assert!(error.to_string().contains("absent.db"), "{error}");
    assert!(!harness.path("absent.db").exists());
    std::fs::write(harness.path("text.db"), "this is not a database, but a text of some length").unwrap();
    let error = SqliteStore::open(harness.path("text.db")).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    let error = SqliteStore::open(harness.path("no/such/directory.db")).unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[tokio::test]
async fn integrity_check_finds_invalid_rows() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").open().unwrap();
    let ordered = TestNotification { order: Some("key".into()), ..TestNotification::new("a") };
    let id = store.accept(ordered.prepare(&keys)).await.unwrap().id();
    accept(&store, &keys, "b").await;
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    let other = Connection::open(harness.path("a.db")).unwrap();
    other.execute("UPDATE paytend_work SET head = 0 WHERE id = ?1", [id.get()]).unwrap();
    let problems = store.check().await.unwrap();
    assert_eq!(problems, ["1 order keys do not have exactly one notification that can be claimed"]);
    other.execute("UPDATE paytend_work SET head = 1 WHERE id = ?1", [id.get()]).unwrap();
    other.execute("DELETE FROM paytend_work WHERE id = ?1", [id.get() + 1]).unwrap();
    assert_eq!(store.check().await.unwrap(), ["1 notifications are neither pending nor dead nor done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_taken_under_load_is_consistent() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").open().unwrap();
    store.bind_keys(keys.check_value()).await.unwrap();
    for i in 0..50 {
        accept(&store, &keys, &format!("before {i}")).await;
    }
    let (writer, writer_keys) = (store.clone(), keys.clone());
    let load = tokio::spawn(async move {
        for i in 0.. {
            accept(&writer, &writer_keys, &format!("during {i}")).await;
        }
    });
    store.backup(harness.path("copy.db")).await.unwrap();
    load.abort();
    let error = store.backup(harness.path("copy.db")).await.unwrap_err();
    assert!(error.to_string().contains("already exists"), "{error}");
    let copy = harness.options("copy.db").must_exist().open().unwrap();
    copy.bind_keys(keys.check_value()).await.unwrap();
    assert_eq!(copy.check().await.unwrap(), Vec::<String>::new());
    assert!(copy.stats().await.unwrap().ready >= 50);
    let partial = std::fs::read_dir(harness.directory.path()).unwrap();
    let mut names = partial.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert!(names.all(|name| !name.contains("partial")));
}

#[tokio::test]
async fn unreadable_rows_become_dead_letters_and_other_rows_are_claimed() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").open().unwrap();
    let mut ids = Vec::new();
    for name in ["route", "nonce", "absent", "good"] {
        ids.push(accept(&store, &keys, name).await);
    }
    let other = Connection::open(harness.path("a.db")).unwrap();
    other
        .execute_batch(
            "PRAGMA foreign_keys = 0; UPDATE paytend_notification SET route = 'other' WHERE id = 1; \
             UPDATE paytend_payload SET nonce = x'00' WHERE id = 2; DELETE FROM paytend_payload WHERE id = 3; \
             DELETE FROM paytend_notification WHERE id = 3",
        )
        .unwrap();
    for limits in [Vec::new(), vec![(paytend_inbox::Kind::named("other"), 1)]] {
        let request =
            ClaimRequest { limit: 10, lease: Duration::from_secs(60), holder: 1, kind_limits: limits.clone() };
        let claimed = store.claim(request).await.unwrap();
        let claimed: Vec<_> = claimed.iter().map(|claimed| claimed.lease.id).collect();
        assert_eq!(claimed, if limits.is_empty() { &ids[3..] } else { &[] });
    }
    // One of the rows cannot be read at all. `list` omits this row, but `check` reports it.
    let listed = store.list(Query { limit: 2, ..Query::default() }).await.unwrap();
    assert_eq!(listed.iter().map(|entry| entry.id).collect::<Vec<_>>(), [ids[1], ids[3]]);
    assert_eq!(listed[0].state, State::Dead);
    assert!(listed[0].cause.as_ref().unwrap().starts_with("the stored row cannot be read: "), "{listed:?}");
    assert_eq!(store.stats().await.unwrap().dead, 2);
    assert!(store.show(ids[0], None).await.is_err());
    let problems = store.check().await.unwrap();
    for problem in [
        "1 notifications have columns that cannot be read",
        "1 payloads have columns that cannot be read",
        "1 pending entries have no notification",
    ] {
        assert!(problems.iter().any(|found| found == problem), "{problems:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn files_of_an_interrupted_backup_are_ignored() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").open().unwrap();
    accept(&store, &keys, "a").await;
    let id = std::process::id();
    for name in ["copy.db.partial".to_owned(), format!("copy.db.{id}-0.partial")] {
        std::fs::write(harness.path(&name), "the beginning of a copy").unwrap();
        std::fs::write(harness.path(&format!("{name}-journal")), "the beginning of a journal").unwrap();
        std::fs::set_permissions(harness.path(&name), std::os::unix::fs::PermissionsExt::from_mode(0o400)).unwrap();
    }
    let [one, two] = [store.backup(harness.path("copy.db")), store.backup(harness.path("copy.db"))];
    let (one, two) = tokio::join!(one, two);
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let error = one.and(two).unwrap_err();
    assert!(error.to_string().contains("exists"), "{error}");
    let copy = harness.options("copy.db").must_exist().open().unwrap();
    assert_eq!(copy.stats().await.unwrap().ready, 1);
    let partial = std::fs::read_dir(harness.directory.path()).unwrap();
    let partial: Vec<_> = partial.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(partial.iter().filter(|name| name.contains("partial")).count(), 4, "{partial:?}");
}

#[tokio::test]
async fn lease_from_before_a_restore_is_lost() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").open().unwrap();
    let id = accept(&store, &keys, "a").await;
    store.backup(harness.path("copy.db")).await.unwrap();
    let before = claim(&store, 1).await.remove(0).lease;
    let restored = harness.options("copy.db").open().unwrap();
    let request = ClaimRequest { limit: 1, lease: Duration::from_secs(60), holder: 2, kind_limits: Vec::new() };
    let after = restored.claim(request).await.unwrap().remove(0).lease;
    assert_eq!((before.id, before.fence), (after.id, after.fence));
    assert!(matches!(restored.complete(before, None).await, Err(FinishError::LeaseLost)));
    assert_eq!(restored.show(id, None).await.unwrap().unwrap().state, State::Leased);
    restored.complete(after, None).await.unwrap();
}

#[tokio::test]
async fn erased_values_are_removed_from_all_files() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").open().unwrap();
    for i in 0..20 {
        let notification = TestNotification {
            business_id: Some(format!("SUBJECT-{}", i % 2)),
            ..TestNotification::new(format!("n{i}"))
        };
        store.accept(notification.prepare(&keys)).await.unwrap();
    }
    let contains = |text: &str| {
        let files = std::fs::read_dir(harness.directory.path()).unwrap().map(|file| file.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|extension| extension != "db-shm")).any(|path| {
            let bytes = std::fs::read(path).unwrap();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        })
    };
    assert!(contains("SUBJECT-0") && contains("SUBJECT-1"));
    assert_eq!(store.erase("SUBJECT-0".into()).await.unwrap(), 10);
    assert!(!contains("SUBJECT-0"), "the erased business ID is still in a file");
    assert!(contains("SUBJECT-1"));
    let erased = store.show(Id::new(1), None).await.unwrap().unwrap();
    assert_eq!((erased.state, erased.payload), (State::Dead, Some(StoredPayload::Dropped)));
}

#[tokio::test]
async fn viewers_of_content_are_recorded() {
    let harness = SqliteHarness::new();
    let store = harness.options("a.db").open().unwrap();
    let id = accept(&store, &keys(), "a").await;
    store.show(id, None).await.unwrap();
    store.show(id, Some("operator".into())).await.unwrap();
    let viewed = store.audit(AuditQuery { limit: 9, ..AuditQuery::default() }).await.unwrap();
    let viewed: Vec<_> =
        viewed.into_iter().map(|entry| (entry.event.id.unwrap().get(), entry.event.operator)).collect();
    assert_eq!(viewed, [(id.get(), "operator".to_owned())]);
}

/// A reader prevents the store from emptying a large write-ahead log. If each write waited for the reader, 100 writes
/// would take 20 seconds.
#[tokio::test]
async fn active_reader_delays_few_writes() {
    let harness = SqliteHarness::new();
    let store = harness.options("a.db").open().unwrap();
    store.write(|transaction| transaction.execute_batch("CREATE TABLE large (x)")).await.unwrap();
    let reader = Connection::open(harness.path("a.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM large").unwrap();
    let fill = "INSERT INTO large VALUES (zeroblob(80000000))";
    store.write(move |transaction| transaction.execute(fill, [])).await.unwrap();
    let started = std::time::Instant::now();
    for _ in 0..100 {
        store.write(|transaction| transaction.execute("INSERT INTO large VALUES (1)", [])).await.unwrap();
    }
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    drop(reader);
}

#[tokio::test]
async fn write_ahead_log_is_bounded_under_load() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").open().unwrap();
    let mut largest = 0;
    for round in 0..30 {
        let notifications = (0..400).map(|i| TestNotification::new(format!("{round} {i}")).prepare(&keys));
        let accepted = futures_util::future::join_all(notifications.map(|n| store.accept(n))).await;
        assert!(accepted.iter().all(Result::is_ok));
        largest = largest.max(std::fs::metadata(harness.path("a.db-wal")).unwrap().len());
    }
    assert!(largest < 40 << 20, "the write-ahead log has {largest} bytes");
    let size = std::fs::metadata(harness.path("a.db")).unwrap().len();
    assert!(size > 1 << 20, "nothing was copied into the file, which has {size} bytes");
    assert_eq!(store.list(Query { limit: 20_000, ..Query::default() }).await.unwrap().len(), 12_000);
}
