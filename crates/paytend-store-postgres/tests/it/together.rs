//! Tests of completions that share a transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use paytend_inbox::testing::TestNotification;
use paytend_inbox::{Claimed, FinishError, HandlerError, Id, Release, Store as _, StoreAdmin as _, StoreKeys};
use paytend_store_postgres::tokio_postgres::Config;
use paytend_store_postgres::tokio_postgres::types::Type;
use paytend_store_postgres::{PostgresEffect, PostgresOptions, PostgresStore};
use paytend_vectors::Seeded;

use crate::server::{Server, execute, number};
use crate::support::{EFFECTS, claim, effect};

pub(crate) const LEASE: Duration = Duration::from_secs(600);
/// A deadline that is much longer than the time limits in these tests, and much shorter than the time that the stuck
/// statements would take.
pub(crate) const SOON: Duration = Duration::from_secs(60);
/// The time limit for an effect in a separate transaction.
pub(crate) const LIMIT: Duration = Duration::from_secs(2);
pub(crate) const COUNT: usize = 40;

/// Returns an effect that records its notification and the session's settings, and then runs SQL.
pub(crate) fn recording(id: Id, sql: impl Into<String>) -> PostgresEffect {
    let sql = sql.into();
    effect(move |transaction| {
        Box::pin(async move {
            let insert = "INSERT INTO public.effect VALUES ($1::text || ' ' || current_setting('search_path') \
                 || ' ' || current_setting('role') || ' ' || current_setting('timezone'))";
            transaction.execute_typed(insert, &[(&id.to_string(), Type::TEXT)]).await?;
            Ok(transaction.batch_execute(&sql).await?)
        })
    })
}

pub(crate) async fn create(server: &Server) -> (Config, PostgresStore) {
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    let store = PostgresOptions::new(config.clone()).max_connections(4).effect_timeout(LIMIT).open().await.unwrap();
    (config, store)
}

/// Accepts and claims notifications.
pub(crate) async fn claimed(store: &PostgresStore, prefix: &str, count: usize) -> Vec<Claimed> {
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let notifications = (0..count).map(|index| TestNotification::new(format!("{prefix} {index}")));
    join_all(notifications.map(|new| store.accept(new.prepare(&keys)))).await;
    let claimed = claim(store, count, LEASE).await;
    assert_eq!(claimed.len(), count);
    claimed
}

/// Completes some notifications, so that short effects share transactions afterwards.
pub(crate) async fn warm_up(store: &PostgresStore) {
    for one in claimed(store, "first", 16).await {
        store.complete(one.lease, None).await.unwrap();
    }
}

/// Returns the number of transactions that have completed notifications.
pub(crate) async fn commits(config: &Config) -> i32 {
    number(config, "SELECT count(DISTINCT xmin::text)::int FROM paytend_outcome WHERE result = 'done'").await
}

/// Completes notifications until only the notifications with failing effects remain, and checks that all others
/// succeed in their first counted attempt. Returns the causes of the failures by notification.
pub(crate) async fn complete_all(
    store: &PostgresStore,
    mut claimed: Vec<Claimed>,
    make: impl Fn(Id) -> PostgresEffect,
) -> BTreeMap<Id, String> {
    let (mut causes, deadline) = (BTreeMap::new(), Instant::now() + SOON);
    while !claimed.is_empty() {
        assert!(Instant::now() < deadline, "some completions did not end in time");
        let completing = claimed.iter().map(|one| store.complete(one.lease, Some(make(one.lease.id))));
        for (one, completed) in claimed.iter().zip(join_all(completing).await) {
            assert_eq!(one.tries, 1, "an attempt was counted");
            match completed {
                Ok(()) => {}
                Err(FinishError::NotApplied) => store.release(one.lease, Release::GiveBack).await.unwrap(),
                Err(FinishError::Effect(error)) => {
                    causes.insert(one.lease.id, error.cause().to_owned());
                    let retry = Release::Retry { after: LEASE, cause: String::new() };
                    store.release(one.lease, retry).await.unwrap();
                }
                Err(error) => panic!("{error}"),
            }
        }
        claimed = claim(store, COUNT, LEASE).await;
    }
    causes
}

/// Returns the recorded lines of each notification.
pub(crate) async fn lines(store: &PostgresStore) -> BTreeMap<i64, Vec<String>> {
    let client = store.pool().get().await.unwrap();
    let mut lines: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for row in client.query("SELECT line FROM public.effect", &[]).await.unwrap() {
        let line: String = row.get(0);
        let (id, settings) = line.split_once(' ').unwrap();
        lines.entry(id.parse().unwrap()).or_default().push(settings.to_owned());
    }
    lines
}

type Make = fn() -> PostgresEffect;

#[tokio::test(flavor = "multi_thread")]
async fn failing_effects_do_not_affect_other_effects_in_their_transaction() {
    let Some(server) = Server::start(&[]).await else { return };
    let random = Seeded::new();
    let bad: [(&str, &str, Make); 10] = [
        ("error", "refused by the handler", || {
            effect(|_| Box::pin(async { Err(HandlerError::retry("refused by the handler")) }))
        }),
        ("panic", "panicked", || effect(|_| panic!("as requested"))),
        ("statement", "22012", || recording(Id::new(0), "SELECT 1 / 0")),
        ("ignored", "ignored an error", || {
            effect(|transaction| {
                Box::pin(async move {
                    let _ = transaction.batch_execute("SELECT 1 / 0").await;
                    Ok(())
                })
            })
        }),
        ("rollback", "ended the transaction", || recording(Id::new(0), "ROLLBACK")),
        ("rollback and begin", "ended the transaction", || recording(Id::new(0), "ROLLBACK; BEGIN")),
        ("same name", "ended the transaction", || {
            recording(Id::new(0), "ROLLBACK; BEGIN; SELECT pg_current_xact_id(); SAVEPOINT paytend_effect")
        }),
        ("waiting", "time limit", || effect(|_| Box::pin(pending()))),
        ("statement without end", "time limit", || recording(Id::new(0), "SELECT pg_sleep(600)")),
        ("without a limit", "time limit", || {
            recording(
                Id::new(0),
                "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
                 SELECT pg_sleep(600)",
            )
        }),
    ];
    for (name, cause, make) in bad {
        let (config, store) = create(&server).await;
        warm_up(&store).await;
        let before = commits(&config).await;
        let claimed = claimed(&store, name, COUNT).await;
        let victim = claimed[random.below(COUNT)].lease.id;
        let started = Instant::now();
        let causes = complete_all(&store, claimed, |id| if id == victim { make() } else { recording(id, "") }).await;
        assert_eq!(causes.len(), 1, "{name}: {causes:?}");
        assert!(causes[&victim].contains(cause), "{name}: {causes:?}");
        let lines = lines(&store).await;
        assert!(lines.len() == COUNT - 1 && lines.values().all(|lines| lines.len() == 1), "{name}: {lines:?}");
        assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
        let commits = commits(&config).await - before;
        assert!(commits < 40, "{name}: {commits} transactions");
        eprintln!("{name}: {commits} transactions, {:?}", started.elapsed());
    }
}

/// The effect that commits is repeated in a separate transaction. Its `COMMIT` keeps the effect's own changes, but the
/// completion fails.
#[tokio::test(flavor = "multi_thread")]
async fn effect_that_commits_does_not_commit_the_effects_before_it() {
    let Some(server) = Server::start(&[]).await else { return };
    for commit in ["COMMIT", "COMMIT; BEGIN", "COMMIT AND CHAIN", "SET CONSTRAINTS ALL IMMEDIATE; COMMIT"] {
        let (_, store) = create(&server).await;
        warm_up(&store).await;
        let claimed = claimed(&store, commit, COUNT).await;
        let victim = claimed[COUNT - 1].lease.id;
        let make = |id| if id == victim { recording(id, commit) } else { recording(id, "") };
        let causes = complete_all(&store, claimed, make).await;
        assert!(causes.len() == 1 && causes[&victim].contains("ended the transaction"), "{commit}: {causes:?}");
        for (id, lines) in lines(&store).await {
            assert_eq!(lines.len(), 1, "{commit}: the effect of {id} happened again");
        }
        assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_an_effect_are_reset_before_the_next_effect() {
    let Some(server) = Server::start(&[]).await else { return };
    let (config, store) = create(&server).await;
    execute(&config, "CREATE ROLE other; CREATE SCHEMA elsewhere").await;
    warm_up(&store).await;
    let before = commits(&config).await;
    let claimed = claimed(&store, "settings", COUNT).await;
    let changes = [
        "SET search_path = elsewhere",
        "SET LOCAL search_path = elsewhere",
        "SET ROLE other",
        "SET SESSION AUTHORIZATION other",
        "SET LOCAL timezone = 'Asia/Tokyo'",
        "SET statement_timeout = 1",
        "SET LOCAL synchronous_commit = off",
        "SET paytend.refuse_commit = off",
        "SELECT pg_advisory_lock(7)",
    ];
    let causes = complete_all(&store, claimed, |id| {
        let change = changes[usize::try_from(id.get()).unwrap() % changes.len()];
        recording(id, change.replace("(7)", &format!("({id})")))
    });
    assert_eq!(causes.await, BTreeMap::new());
    let lines = lines(&store).await;
    assert_eq!(lines.len(), COUNT);
    let first = lines.values().next().unwrap().clone();
    assert!(lines.values().all(|lines| *lines == first && lines.len() == 1), "{lines:?}");
    let commits = commits(&config).await - before;
    assert!(usize::try_from(commits).unwrap() < COUNT / 2, "{commits} transactions");
    // The session's advisory lock is released soon after the commit.
    let deadline = Instant::now() + SOON;
    while number(&config, "SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory'").await > 0 {
        assert!(Instant::now() < deadline, "a lock taken by an effect was not released");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The schema of another store in the same database contains a notification with the same ID and lease.
#[tokio::test(flavor = "multi_thread")]
async fn effect_cannot_complete_a_notification_in_another_store() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    execute(&config, "CREATE SCHEMA one; CREATE SCHEMA two").await;
    let mut stores = Vec::new();
    for schema in ["one", "two"] {
        let mut config = config.clone();
        config.options(format!("-c search_path={schema},public"));
        stores.push(PostgresOptions::new(config).max_connections(2).open().await.unwrap());
    }
    for count in [1, COUNT] {
        let other = claimed(&stores[1], &format!("other {count}"), count).await;
        let claimed = claimed(&stores[0], &format!("own {count}"), count).await;
        assert_eq!(other[0].lease, claimed[0].lease, "the leases are equal");
        let completing = claimed.iter().map(|one| {
            let effect = recording(one.lease.id, "SET search_path = two,public");
            stores[0].complete(one.lease, Some(effect))
        });
        join_all(completing).await.into_iter().for_each(|completed| completed.unwrap());
        assert_eq!(stores[0].stats().await.unwrap().leased, 0);
        let stats = stores[1].stats().await.unwrap();
        assert_eq!(stats.leased, count as u64, "{stats:?}");
        for one in other {
            stores[1].complete(one.lease, None).await.unwrap();
        }
        // From now on, short effects share transactions.
        for store in &stores {
            warm_up(store).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deferred_constraint_fails_only_the_effect_that_violates_it() {
    let Some(server) = Server::start(&[]).await else { return };
    let unique = "CREATE TABLE booking (line text CONSTRAINT booking_line UNIQUE DEFERRABLE INITIALLY DEFERRED)";
    // The constraint exists before the store is opened, or is added later, while the store still uses the result of
    // its earlier search.
    for is_known in [true, false] {
        let (config, store) = create(&server).await;
        if is_known {
            execute(&config, unique).await;
        }
        warm_up(&store).await;
        let first = claimed(&store, "first", COUNT).await;
        complete_all(&store, first, |id| recording(id, "")).await;
        if !is_known {
            execute(&config, unique).await;
        }
        let claimed = claimed(&store, "next", COUNT).await;
        let victims: BTreeSet<Id> = claimed.iter().skip(5).step_by(10).map(|one| one.lease.id).collect();
        let causes = complete_all(&store, claimed, |id| {
            let twice = if victims.contains(&id) { ", ('x')" } else { "" };
            recording(id, format!("INSERT INTO booking VALUES ('{id}'), ('y{id}'){twice}{twice}"))
        });
        let causes = causes.await;
        assert_eq!(causes.keys().copied().collect::<BTreeSet<_>>(), victims);
        assert!(causes.values().all(|cause| cause.contains("23505")), "{causes:?}");
        assert_eq!(number(&config, "SELECT count(*)::int FROM booking").await, 2 * (40 - 4));
        assert!(lines(&store).await.values().all(|lines| lines.len() == 1));
    }
}
