//! Tests of completions that share a transaction and whose leases or locks conflict.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use paytend_inbox::testing::TestNotification;
use paytend_inbox::{
    Completion, FinishError, HandlerError, Id, Inbox, Release, Store as _, StoreAdmin as _, StoreKeys, Worker,
};
use paytend_store_postgres::PostgresOptions;
use paytend_vectors::Seeded;

use crate::server::{Server, execute, number};
use crate::support::{claim, effect};
use crate::together::{COUNT, LEASE, LIMIT, SOON, claimed, commits, complete_all, create, lines, recording, warm_up};

#[tokio::test(flavor = "multi_thread")]
async fn lost_and_repeated_leases_do_not_affect_other_completions() {
    let Some(server) = Server::start(&[]).await else { return };
    let (_, store) = create(&server).await;
    warm_up(&store).await;
    let claimed = claimed(&store, "a", COUNT).await;
    let mut leases = Vec::new();
    for (index, one) in claimed.iter().enumerate() {
        let mut lease = one.lease;
        match index % 4 {
            0 => lease.fence += 1,
            1 => lease.holder += 1,
            // The same lease is completed twice.
            2 => leases.push(lease),
            _ => {}
        }
        leases.push(lease);
    }
    let completed = join_all(leases.iter().map(|lease| store.complete(*lease, Some(recording(lease.id, ""))))).await;
    let ok = completed.iter().filter(|completed| completed.is_ok()).count();
    let lost = completed.iter().filter(|completed| matches!(completed, Err(FinishError::LeaseLost))).count();
    assert_eq!((ok, lost), (COUNT / 2, COUNT / 2 + COUNT / 4), "{completed:?}");
    let lines = lines(&store).await;
    assert!(lines.len() == COUNT / 2 && lines.values().all(|lines| lines.len() == 1), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_effect_does_not_delay_other_effects() {
    let Some(server) = Server::start(&[]).await else { return };
    let (_, store) = create(&server).await;
    warm_up(&store).await;
    let claimed = claimed(&store, "slow", COUNT).await;
    let slow: Vec<Id> = claimed.iter().step_by(10).map(|one| one.lease.id).collect();
    let started = Instant::now();
    let completing = claimed.iter().map(|one| {
        let sql = if slow.contains(&one.lease.id) { "SELECT pg_sleep(1.5)" } else { "" };
        let completed = store.complete(one.lease, Some(recording(one.lease.id, sql)));
        async move { (one, completed.await, started.elapsed()) }
    });
    for (one, completed, took) in join_all(completing).await {
        if !slow.contains(&one.lease.id) {
            assert!(matches!(completed, Ok(()) | Err(FinishError::NotApplied)), "{completed:?}");
            assert!(took < Duration::from_millis(1400), "{took:?}");
        }
        if let Err(FinishError::NotApplied) = completed {
            store.release(one.lease, Release::GiveBack).await.unwrap();
        }
    }
    let again = claim(&store, COUNT, LEASE).await;
    let sql = |id: Id| if slow.contains(&id) { "SELECT pg_sleep(0.5)" } else { "" };
    assert_eq!(complete_all(&store, again, |id| recording(id, sql(id))).await, BTreeMap::new());
    assert!(lines(&store).await.len() == COUNT);
}

/// The effects lock the same rows in different orders.
#[tokio::test(flavor = "multi_thread")]
async fn effects_that_wait_for_each_other_all_succeed() {
    let Some(server) = Server::start(&[]).await else { return };
    let (config, store) = create(&server).await;
    execute(
        &config,
        "CREATE TABLE account (id int PRIMARY KEY, amount int); INSERT INTO account VALUES (0, 0), (1, 0), (2, 0)",
    )
    .await;
    let random = Seeded::new();
    let other = PostgresOptions::new(config.clone()).max_connections(4).effect_timeout(LIMIT).open().await.unwrap();
    for store in [&store, &other] {
        warm_up(store).await;
    }
    for round in 0..3 {
        let mut halves = claimed(&store, &format!("round {round}"), 2 * COUNT).await;
        let second = halves.split_off(COUNT);
        let accounts: Vec<usize> = (0..1000).map(|_| random.below(3)).collect();
        let make = |id: Id| {
            let account = accounts[usize::try_from(id.get()).unwrap() % accounts.len()];
            recording(id, format!("UPDATE account SET amount = amount + 1 WHERE id = {account}"))
        };
        let (first, second) =
            futures_util::join!(complete_all(&store, halves, make), complete_all(&other, second, make));
        assert!(first.is_empty() && second.is_empty(), "{first:?} {second:?}");
    }
    assert_eq!(number(&config, "SELECT sum(amount)::int FROM account").await, 6 * 40);
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_that_share_a_transaction_keep_the_order_and_requeue_sightings() {
    let Some(server) = Server::start(&[]).await else { return };
    let (config, store) = create(&server).await;
    warm_up(&store).await;
    let before = commits(&config).await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let notifications: Vec<_> = (0..120)
        .map(|index| TestNotification {
            order: (index % 3 > 0).then(|| format!("order {}", index % 20)),
            requeue_sighting: true,
            ..TestNotification::new(format!("n{index}"))
        })
        .collect();
    let accept = async || {
        for accepted in join_all(notifications.iter().map(|new| store.accept(new.prepare(&keys)))).await {
            accepted.unwrap();
        }
    };
    accept().await;
    let (mut order, mut is_repeated) = (BTreeMap::<_, Vec<i64>>::new(), false);
    loop {
        let claimed = claim(&store, 200, LEASE).await;
        if claimed.is_empty() {
            break;
        }
        let mut seen = BTreeSet::new();
        for one in &claimed {
            if let Some(key) = one.facts.order_key {
                assert!(seen.insert(key), "two notifications with the same order key were claimed");
                if !is_repeated {
                    order.entry(key).or_default().push(one.lease.id.get());
                }
            }
        }
        let ids: Vec<Id> = claimed.iter().map(|one| one.lease.id).collect();
        if std::mem::replace(&mut is_repeated, true) {
            complete_all(&store, claimed, |id| recording(id, "")).await;
            continue;
        }
        // These notifications arrive again while they are being processed.
        let completing = claimed.iter().map(|one| store.complete(one.lease, Some(recording(one.lease.id, ""))));
        accept().await;
        join_all(completing).await.into_iter().for_each(|completed| assert!(completed.is_ok(), "{completed:?}"));
        assert!(!ids.is_empty());
    }
    assert!(order.values().all(|ids| ids.is_sorted()), "{order:?}");
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.done, stats.ready, stats.leased), (136, 0, 0));
    assert!(commits(&config).await - before < 150);
}

/// When the session is killed, the server ends all sessions and recovers.
#[tokio::test(flavor = "multi_thread")]
async fn killing_a_session_between_two_effects_repeats_no_effect() {
    let Some(server) = Server::start(&[]).await else { return };
    let (config, store) = create(&server).await;
    warm_up(&store).await;
    let random = Seeded::new();
    let claimed = claimed(&store, "killed", COUNT).await;
    let victim = claimed[5 + random.below(COUNT - 5)].lease.id;
    let completing = claimed.iter().map(|one| {
        let id = one.lease.id;
        let killing = effect(|transaction| {
            Box::pin(async move {
                let row = transaction.query_one("SELECT pg_backend_pid()", &[]).await?;
                let process = rustix::process::Pid::from_raw(row.get(0)).unwrap();
                rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
                Ok(transaction.batch_execute("SELECT pg_sleep(600)").await?)
            })
        });
        store.complete(one.lease, Some(if id == victim { killing } else { recording(id, "") }))
    });
    let completed = join_all(completing).await;
    assert!(completed.iter().any(Result::is_err));
    server.answers().await;
    execute(&config, "UPDATE paytend_work SET due_at = paytend_now()").await;
    let deadline = Instant::now() + SOON;
    while store.stats().await.is_err() {
        assert!(Instant::now() < deadline, "the store did not recover");
    }
    for one in claim(&store, COUNT, LEASE).await {
        store.complete(one.lease, Some(recording(one.lease.id, ""))).await.unwrap();
    }
    let lines = lines(&store).await;
    assert!(lines.len() == COUNT && lines.values().all(|lines| lines.len() == 1), "{lines:?}");
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

/// The commit waits for a standby that does not exist, and then its session is terminated.
#[tokio::test(flavor = "multi_thread")]
async fn completions_whose_commit_result_is_unknown_are_looked_up() {
    let Some(server) = Server::start(&[]).await else { return };
    let (config, store) = create(&server).await;
    warm_up(&store).await;
    let claimed = claimed(&store, "unknown", COUNT).await;
    for sql in ["ALTER SYSTEM SET synchronous_standby_names = 'absent'", "SELECT pg_reload_conf()"] {
        execute(&config, sql).await;
    }
    let admin = async {
        let waiting = "SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        let deadline = Instant::now() + SOON;
        while number(&config, waiting).await == 0 {
            assert!(Instant::now() < deadline, "no commit waits for a standby");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        execute(&config, end).await;
        for sql in ["ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"] {
            execute(&config, sql).await;
        }
    };
    let completing = join_all(claimed.iter().map(|one| store.complete(one.lease, Some(recording(one.lease.id, "")))));
    let (completed, ()) = futures_util::join!(completing, admin);
    for (one, completed) in claimed.iter().zip(&completed) {
        match completed {
            Ok(()) => {}
            Err(FinishError::NotApplied) => store.release(one.lease, Release::GiveBack).await.unwrap(),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(completed.iter().any(Result::is_ok));
    let again = claim(&store, COUNT, LEASE).await;
    complete_all(&store, again, |id| recording(id, "")).await;
    let lines = lines(&store).await;
    assert!(lines.len() == COUNT && lines.values().all(|lines| lines.len() == 1), "{lines:?}");
}

/// If an effect fails in a shared transaction, other effects may have caused the failure. The worker then runs the
/// handler again without counting the attempt.
#[tokio::test(flavor = "multi_thread")]
async fn worker_counts_only_failures_of_effects_in_separate_transactions() {
    let Some(server) = Server::start(&[]).await else { return };
    let (config, store) = create(&server).await;
    warm_up(&store).await;
    let directory = tempfile::tempdir().unwrap();
    let keys = || StoreKeys::load_or_create(directory.path().join("keys")).unwrap();
    let inbox = Inbox::open(store.clone(), keys()).await.unwrap();
    let shared_keys = Arc::new(keys());
    let random = Seeded::new();
    let failing: BTreeSet<String> = (0..10).map(|_| format!("n{}", random.below(200))).collect();
    let names: Vec<String> = (0..200).map(|number| format!("n{number}")).collect();
    let accepting = names.iter().map(|name| {
        let new = TestNotification { business_id: Some(name.clone()), ..TestNotification::new(name) };
        store.accept(new.prepare(&shared_keys))
    });
    assert!(join_all(accepting).await.iter().all(Result::is_ok));
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let expected = failing.clone();
    let worker = Worker::builder(inbox, move |delivery| {
        counted.fetch_add(1, Ordering::SeqCst);
        let name = delivery.facts().business_id.clone().unwrap();
        let (id, fails) = (delivery.id(), failing.contains(&name) && delivery.attempt() < 3);
        async move {
            Ok(Completion::with_effect(if fails {
                effect(|_| Box::pin(async { Err(HandlerError::retry_after(Duration::ZERO, "not yet")) }))
            } else {
                recording(id, "")
            }))
        }
    });
    let retry = paytend_inbox::RetryPolicy::new().base(Duration::from_millis(1)).cap(Duration::from_millis(5));
    let worker = worker.max_concurrent(50).retry(retry).poll_interval(Duration::from_millis(10)).build();
    let finished = async {
        let deadline = Instant::now() + SOON;
        while store.stats().await.unwrap().done < 200 + 16 {
            assert!(Instant::now() < deadline, "{:?}", store.stats().await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let _ = worker.run(finished).await;
    let lines = lines(&store).await;
    assert!(lines.len() == 200 && lines.values().all(|lines| lines.len() == 1), "{lines:?}");
    let tries = "SELECT coalesce(sum(tries), 0)::int FROM paytend_outcome WHERE result = 'done'";
    let all = i32::try_from(200 + 16 + 2 * expected.len()).unwrap();
    assert_eq!(number(&config, tries).await, all, "an attempt of another notification was counted");
    // For each failing notification, at most one run was not counted.
    assert!(runs.load(Ordering::SeqCst) <= 200 + 3 * expected.len());
}
