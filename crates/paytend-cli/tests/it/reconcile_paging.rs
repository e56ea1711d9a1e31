//! Tests of `paytend reconcile` in which a list changes, or the fetch is killed, between two pages.

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use paytend_model::Operation as _;
use paytend_model::issuing::{QueryCardTransactions, QueryPartnerTransactions, QueryTopupResult};
use serde_json::Value;

use crate::inbox_service::runtime;
use crate::reconcile::lines;
use crate::reconcile_life::{Life, open};

/// A row is inserted in the middle of a list while its pages are being fetched, so that later rows move to the next
/// page.
#[test]
fn row_that_moves_to_the_next_page_is_not_reported_as_a_duplicate() {
    let runtime = runtime();
    let mut life = runtime.block_on(Life::start());
    runtime.block_on(async {
        life.topup("T1", 50_00).await;
        for cents in 1..9 {
            life.use_card(cents % 2 == 0, cents).await;
        }
    });
    let (url, held_pages) = runtime.block_on(pausing_proxy(life.sandbox.url(), 2));
    let [keys, keys_path, base_url, _] = life.connection();
    let (life, handle) = (&life, runtime.handle());
    let ran = std::thread::scope(|scope| {
        let reconciling = scope.spawn(move || {
            let connection = [&keys, &keys_path, &base_url, &url].map(String::as_str);
            let options = ["--page-size", "3", "--format", "json"];
            life.reconcile(&lines(life), &[&connection[..], &options[..]].concat())
        });
        // The list contains four settlements followed by four authorizations, with three rows per page. After the
        // second page was fetched, a settlement is added, so the third page begins with a row of the second page.
        let (page, resume) = held_pages.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(page.contains("respData"));
        handle.block_on(life.use_card(false, 77));
        resume.send(()).unwrap();
        reconciling.join().unwrap()
    });
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
    assert_eq!(report["counts"]["duplicate"], 0, "{}", report["counts"]);
    assert!(life.sandbox.calls::<QueryCardTransactions>() >= 6, "the list was not fetched again");
    // The only possible difference is the new settlement, whose notification may have arrived after the inbox was read.
    assert!(open(&report).iter().all(|(outcome, ..)| outcome == "only_provider"), "{:?}", open(&report));
}

type Paused = mpsc::Receiver<(String, tokio::sync::oneshot::Sender<()>)>;

/// Starts a proxy in front of the sandbox. It holds back one page of a card's transactions until the test sends a
/// message.
async fn pausing_proxy(sandbox: String, held_page: usize) -> (String, Paused) {
    let (sender, paused) = mpsc::channel();
    let pages = Arc::new(AtomicUsize::new(0));
    let forward = move |uri: http::Uri, body: bytes::Bytes| {
        let (url, sender, pages) = (format!("{sandbox}{}", uri.path()), sender.clone(), pages.clone());
        async move {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let response = client.post(url).header("Content-Type", "application/json").body(body).send().await.unwrap();
            let text = response.text().await.unwrap();
            if uri.path() == QueryCardTransactions::INFO.path && pages.fetch_add(1, Ordering::SeqCst) + 1 == held_page {
                let (resume, resumed) = tokio::sync::oneshot::channel();
                sender.send((text.clone(), resume)).unwrap();
                let _ = resumed.await;
            }
            ([(http::header::CONTENT_TYPE, "application/json")], text)
        }
    };
    (serve(axum::Router::new().fallback(forward)).await, paused)
}

/// Starts a proxy in front of the sandbox. It forwards `limit` topup queries and refuses all later ones.
async fn limiting_proxy(sandbox: String, limit: Arc<AtomicUsize>) -> String {
    let forward = move |uri: http::Uri, body: bytes::Bytes| {
        let (url, limit) = (format!("{sandbox}{}", uri.path()), limit.clone());
        async move {
            let take = |left: usize| left.checked_sub(1);
            if uri.path() == QueryTopupResult::INFO.path
                && limit.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_err()
            {
                return (http::StatusCode::BAD_GATEWAY, [(http::header::CONTENT_TYPE, "text/html")], String::new());
            }
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let response = client.post(url).header("Content-Type", "application/json").body(body).send().await.unwrap();
            let text = response.text().await.unwrap();
            (http::StatusCode::OK, [(http::header::CONTENT_TYPE, "application/json")], text)
        }
    };
    serve(axum::Router::new().fallback(forward)).await
}

async fn serve(app: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

#[test]
fn topup_results_are_kept_if_a_later_query_fails() {
    let runtime = runtime();
    let mut life = runtime.block_on(Life::start());
    runtime.block_on(async {
        for number in 0..10 {
            life.topup(&format!("T{number}"), 1_00).await;
        }
    });
    let mut orders = lines(&life);
    for order in &mut orders {
        order["status"] = "unknown".into();
    }
    // With a short deadline, the client soon stops retrying.
    let profiles = std::fs::read_to_string(life.path("keys/paytend.toml")).unwrap();
    let quick = life.path("keys/quick.toml");
    std::fs::write(&quick, format!("{profiles}\ndeadline_seconds = 2\n")).unwrap();
    life.use_profiles(&quick);
    // The proxy allows four topup queries. The command sends four at the same time, so the results of these four
    // arrive.
    let limit = Arc::new(AtomicUsize::new(4));
    let url = runtime.block_on(limiting_proxy(life.sandbox.url(), limit.clone()));
    let before = life.sandbox.calls::<QueryTopupResult>();
    let queried = || life.sandbox.calls::<QueryTopupResult>() - before;
    let out = life.path("out");
    let options = ["--profile", "sandbox", "--base-url", &url, "--format", "json", "--out", out.to_str().unwrap()];
    let ran = life.reconcile(&orders, &options);
    assert_eq!((ran.code, queried()), (5, 4), "{}", ran.stderr);
    // Not all four results have to be stored, because the command drops results that arrive after the first failure.
    let stored = std::fs::read_to_string(out.join("lists.partial/topups.0.jsonl")).unwrap().lines().count();
    assert!((1..=4).contains(&stored), "{stored}");
    limit.store(usize::MAX, Ordering::SeqCst);
    let ran = life.reconcile(&orders, &options);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
    assert_eq!((ran.code, &report["counts"]["unresolved"]), (8, &10.into()), "{report:#}");
    assert_eq!(queried(), 4 + 10 - stored, "a stored result was queried again");
    // The stored lists contain each result once, so comparing them offline produces the same report.
    let ran = life.reconcile(&orders, &["--format", "json", "--offline", out.to_str().unwrap()]);
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap(), report, "{}", ran.stderr);
}

#[test]
fn killed_fetch_is_continued() {
    let runtime = runtime();
    let mut life = runtime.block_on(Life::start());
    runtime.block_on(async {
        for number in 0..5 {
            life.topup(&format!("T{number}"), 10_00).await;
            life.use_card(number % 2 == 0, 1 + number).await;
        }
    });
    let (url, held_pages) = runtime.block_on(pausing_proxy(life.sandbox.url(), 1));
    let [keys, keys_path, base_url, _] = life.connection();
    let out = life.path("out");
    let options = ["--page-size", "2", "--format", "json", "--out", out.to_str().unwrap()];
    let arguments = [&[&keys, &keys_path, &base_url, &url].map(String::as_str)[..], &options].concat();
    let mut killed = life.command(&lines(&life), &arguments);
    let mut killed = killed.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (_, resume) = held_pages.recv_timeout(Duration::from_secs(60)).unwrap();
    // Waits until the four lists of partner transactions, one for each day, are stored. They are fetched while the
    // proxy holds back a page of the card's list.
    let days = || {
        let stored = std::fs::read_dir(out.join("lists.partial")).unwrap().flatten();
        let names = stored.map(|file| file.file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("partner-transactions.") && name.ends_with(".jsonl")).count()
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while days() < 4 {
        assert!(std::time::Instant::now() < deadline, "the lists for the days were not stored");
        std::thread::sleep(Duration::from_millis(10));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    drop(resume);
    let calls = life.sandbox.calls::<QueryPartnerTransactions>();
    let ran = life.reconcile(&lines(&life), &arguments);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
    assert_eq!((ran.code, open(&report), &report["counts"]["matched"]), (0, vec![], &10.into()), "{report:#}");
    // All of these lists had been stored, so none of them is fetched again.
    assert_eq!(life.sandbox.calls::<QueryPartnerTransactions>(), calls, "a stored list was fetched again");
    assert!(out.join("lists").exists() && !out.join("lists.partial").exists());
}
