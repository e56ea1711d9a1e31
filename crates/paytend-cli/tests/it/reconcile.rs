//! Tests of `paytend reconcile` against a sandbox.

#[cfg(target_os = "linux")]
use std::path::Path;
#[cfg(target_os = "linux")]
use std::process::Command;
use std::process::Stdio;

use paytend_crypto::{PrivateKey, PublicKey};
#[cfg(target_os = "linux")]
use paytend_inbox::StoreKeys;
#[cfg(target_os = "linux")]
use paytend_model::issuing::Topup;
use paytend_model::issuing::{QueryAuthorizations, QueryPartnerTransactions, QueryTopupResult};
#[cfg(target_os = "linux")]
use paytend_outbox::{Outbox, SubmitOptions};
use paytend_sandbox::{Fault, FaultKind};
#[cfg(target_os = "linux")]
use paytend_store_sqlite::SqliteStore;
use paytend_vectors::Seeded;
use paytend_webhook::testing::PaytendSender;
use serde_json::{Value, json};

use crate::inbox_service::runtime;
use crate::reconcile_life::{Life, open};
use crate::support::{command, finish, run};

/// Returns the orders as lines of the order file.
pub(crate) fn lines(life: &Life) -> Vec<Value> {
    life.orders.values().cloned().collect()
}

#[test]
fn only_planted_differences_are_reported() {
    let random = Seeded::new();
    runtime().block_on(async {
        let mut life = Life::start().await;
        let (before, out) = (life.path("before"), life.path("out"));
        let (before, out) = (before.to_str().unwrap(), out.to_str().unwrap());
        let (report, code) = life.report(&[], &["--out", before, "--card", life.sandbox.card_id()]);
        assert_eq!((code, open(&report)), (0, vec![]));
        let opening = format!("{before}/lists/balances.json");
        life.live(&random, 25).await;

        let (report, code) = life.report(&lines(&life), &["--out", out, "--opening", &opening]);
        assert_eq!((code, open(&report), &report["open"]), (0, vec![], &json!(0)), "{report:#}");
        assert!(report["counts"]["matched"].as_u64().unwrap() > 10, "{}", report["counts"]);
        let states: Vec<_> = report["balances"].as_array().unwrap().iter().map(|check| &check["state"]).collect();
        assert_eq!(states, ["closes", "closes"], "{}", report["balances"]);
        // Comparing the stored lists offline produces the same report.
        let ran = life.reconcile(&lines(&life), &["--offline", out, "--opening", &opening, "--format", "json"]);
        assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap(), report, "{}", ran.stderr);

        let mut expected = plant(&mut life).await;
        let orders = planted_orders(&life, &mut expected);
        expected.sort();
        let (html, connection) = (life.path("report.html"), life.connection());
        let html = html.to_str().unwrap();
        let (report, code) = life.report(&orders, &["--opening", &opening, "--html", html]);
        assert_eq!((open(&report), code), (expected.clone(), 8));
        // The card's balance is also open, because a topup of the card is missing from the orders.
        assert_eq!(report["open"], json!(expected.len() + 1), "{}", report["balances"]);
        let differences: Vec<_> =
            report["balances"].as_array().unwrap().iter().map(|check| &check["difference"]).collect();
        assert_eq!(differences, ["0.00", "12.34"]);
        let page = std::fs::read_to_string(html).unwrap();
        assert!(expected.iter().all(|(_, number, _)| page.contains(number)));
        let connection: Vec<&str> = connection.iter().map(String::as_str).collect();
        let text = life.reconcile(&orders, &connection);
        assert_eq!((text.code, text.stderr.contains("entries of the report are open")), (8, true), "{}", text.stderr);
        assert!(text.stdout.contains("only here      2\n"), "{}", text.stdout);
        let csv = life.reconcile(&orders, &[&connection, &["--format", "csv"][..]].concat());
        assert!(csv.stdout.starts_with("transaction,outcome,kind,date,list,"), "{}", csv.stdout);
    });
}

type Expected = Vec<(String, String, String)>;

/// Adds transactions that the provider or the inbox lacks, and returns the open entries that the report must contain.
async fn plant(life: &mut Life) -> Expected {
    let mut expected = Expected::new();
    let mut expect = |outcome: &str, number: &str| expected.push((outcome.into(), number.into(), String::new()));
    for name in ["dropped", "amount", "twice", "unknown", "failed"] {
        life.topup(&format!("T-{name}"), 1_234).await;
    }
    // This notification is about a transaction that the provider does not list.
    let key = |name: &str| life.path("keys").join(name);
    let paytend = PrivateKey::from_file(key("paytend-private.pem")).unwrap();
    let partner = PublicKey::from_file(key("partner-public.b64")).unwrap();
    let content = json!({"transactionId": "C-GHOST", "cardId": life.sandbox.card_id(), "transactionType": "2",
        "transactionStatus": "2", "amount": "5.00", "currency": "EUR"});
    let sender = PaytendSender::new(life.sandbox.partner_id(), &paytend, &partner).unwrap();
    let request = sender.raw("1", &content.to_string()).unwrap();
    assert_eq!(life.service.post("/paytend/issuing", request).await, 200);
    expect("only_here", "C-GHOST");
    // The callback URL is changed, so that no notifications arrive for these transactions.
    life.sandbox.issuing_callback("http://127.0.0.1:9/").unwrap();
    for reserves in [true, false] {
        let number = life.use_card(reserves, 1_00).await;
        expect("only_provider", &number);
    }
    expected
}

/// Returns the orders with some changes, and adds to `expected` the open entry that each change causes.
fn planted_orders(life: &Life, expected: &mut Expected) -> Vec<Value> {
    let mut orders = life.orders.clone();
    let mut expect = |outcome: &str, number: &str, fields: &str| {
        expected.push((outcome.into(), number.into(), fields.into()));
    };
    orders.remove("T-dropped").unwrap();
    expect("only_provider", "T-dropped", "");
    orders.get_mut("T-amount").unwrap()["amount"] = json!("12.35");
    expect("different", "T-amount", "amount");
    orders.get_mut("T-unknown").unwrap()["status"] = json!("unknown");
    expect("unresolved", "T-unknown", "");
    orders.get_mut("T-failed").unwrap()["status"] = json!("failed");
    expect("different", "T-failed", "status");
    let mut ghost = orders["T-first"].clone();
    ghost["order_no"] = json!("T-GHOST");
    expect("only_here", "T-GHOST", "");
    expect("duplicate", "T-twice", "");
    let twice = orders["T-twice"].clone();
    orders.into_values().chain([ghost, twice]).collect()
}

#[test]
fn interrupted_fetch_is_continued() {
    runtime().block_on(async {
        let mut life = Life::start().await;
        life.topup("T1", 1_00).await;
        life.use_card(true, 1).await;
        let out = life.path("out");
        // With a short deadline, the client soon stops retrying.
        let profiles = std::fs::read_to_string(life.path("keys/paytend.toml")).unwrap();
        let quick = life.path("keys/quick.toml");
        std::fs::write(&quick, format!("{profiles}\ndeadline_seconds = 2\n")).unwrap();
        life.use_profiles(&quick);
        let out_arg = out.to_str().unwrap();
        let arguments = ["--profile", "sandbox", "--out", out_arg];
        life.sandbox.fault(Fault::on::<QueryAuthorizations>(FaultKind::Html502)).unwrap();
        let ran = life.reconcile(&lines(&life), &arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (5, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("run the command again to continue"), "{}", ran.stderr);
        assert!(!out.join("lists").exists());
        let calls = life.sandbox.calls::<QueryPartnerTransactions>();
        assert!(calls > 0);
        life.sandbox.clear_faults();
        let ran = life.reconcile(&lines(&life), &arguments);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        assert_eq!(life.sandbox.calls::<QueryPartnerTransactions>(), calls, "the stored lists are not fetched again");
        // The command refuses stored lists that do not contain the requested days or partner.
        let other_days = ["reconcile", "--from", "2020-01-01", "--to", "2020-01-02", "--offline", out_arg];
        let ran = run(&other_days, b"");
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{}", ran.stderr);
        let hint = "fetch them with `paytend reconcile --from 2020-01-01 --to 2020-01-02 --out DIR`";
        assert!(ran.stderr.contains(hint), "{}", ran.stderr);
        let offline = ["--offline", out_arg, "--profile", "sandbox"];
        assert_eq!(life.reconcile(&lines(&life), &offline).code, 0);
        let ran = life.reconcile(&lines(&life), &[&offline[..], &["--base-url", "http://127.0.0.1:9"]].concat());
        assert!(ran.code == 3 && ran.stderr.contains("at http://127.0.0.1:9"), "{}", ran.stderr);
        let ran = life.reconcile(&lines(&life), &[&offline[..], &["--card", "other"]].concat());
        assert!(ran.code == 3 && ran.stderr.contains("the lists of card other"), "{}", ran.stderr);
        // The fetch is complete, so the next fetch starts from the beginning.
        assert_eq!(life.reconcile(&lines(&life), &arguments).code, 0);
        assert_eq!(life.sandbox.calls::<QueryPartnerTransactions>(), 2 * calls);
        assert!(!out.join("lists.partial").exists());
    });
}

/// A topup result has no date. It can be compared only if the topup is in a list, or if its order could have been
/// executed on one of the days that were fetched.
#[test]
fn only_topups_of_the_fetched_days_are_queried() {
    runtime().block_on(async {
        let mut life = Life::start().await;
        life.topup("T-listed", 1_00).await;
        let today = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
        let days = |days: i32| Some(today.saturating_add(jiff::Span::new().days(days)).to_string());
        let mut orders = lines(&life);
        for (number, status, at) in [
            ("T-old", "succeeded", days(-20)),
            ("T-old-unknown", "unknown", days(-20)),
            ("T-later", "unknown", days(20)),
            ("T-missing", "succeeded", days(0)),
            ("T-undated", "succeeded", None),
        ] {
            let mut order = json!({"order_no": number, "amount": "1", "currency": "EUR", "status": status});
            order["at"] = json!(at);
            orders.push(order);
        }
        let before = life.sandbox.calls::<QueryTopupResult>();
        let (report, code) = life.report(&orders, &[]);
        let queried = life.sandbox.calls::<QueryTopupResult>() - before;
        let expected = ["T-missing", "T-undated"].map(|number| ("only_here".into(), number.into(), String::new()));
        assert_eq!((open(&report), code), (expected.to_vec(), 8), "{report:#}");
        assert_eq!((&report["outside_period"], queried), (&json!(3), 2));
    });
}

#[test]
fn lists_that_were_fetched_before_the_end_of_the_period_are_reported_as_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let offline = folder.path().to_str().unwrap();
    let period = ["reconcile", "--from", "2023-11-27", "--to", "2023-11-27", "--offline", offline, "--json"];
    std::fs::write(folder.path().join("partner-transactions.jsonl"), "").unwrap();
    let report = |last_day: &str, started_at: &str| -> (Value, i32) {
        let fetched = json!({"version": 1, "source": "a", "first_day": "2023-11-26", "last_day": last_day,
            "started_at": started_at, "cards": []});
        std::fs::write(folder.path().join("fetch.json"), fetched.to_string()).unwrap();
        let ran = run(&period, b"");
        (serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr)), ran.code)
    };
    let (early, code) = report("2023-11-27", "2023-11-27T00:10:00Z");
    let problem = "the lists were fetched at 2023-11-27T00:10:00Z, before the end of 2023-11-27: fetch them again";
    assert_eq!((&early["problems"], code), (&json!([problem]), 8), "{early:#}");
    let (complete, code) = report("2023-11-28", "2023-11-28T00:10:00Z");
    assert_eq!((&complete["problems"], code), (&json!([]), 0), "{complete:#}");
}

#[test]
fn profile_and_page_size_are_used_and_an_unknown_card_is_reported() {
    runtime().block_on(async {
        let mut life = Life::start().await;
        for index in 0..7 {
            life.topup(&format!("T{index}"), 1_00).await;
            life.use_card(index % 2 == 0, 10 + index).await;
        }
        let profiles = life.path("keys/paytend.toml");
        life.use_profiles(&profiles);
        let profile = ["--profile", "sandbox"];
        let ran = life.reconcile(&lines(&life), &[&profile[..], &["--page-size", "2"]].concat());
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("matched        14\n"), "{}", ran.stdout);
        let ran = life.reconcile(&lines(&life), &[&profile[..], &["--card", "../no such card"]].concat());
        assert_eq!(ran.code, 8, "{}", ran.stderr);
        let problem = "problem: the provider rejected the query for the transactions of card ../no such card, code ";
        assert!(ran.stdout.contains(problem), "{}", ran.stdout);
    });
}

#[test]
fn erased_notifications_are_reported_as_unresolved() {
    runtime().block_on(async {
        let mut life = Life::start().await;
        life.topup("T1", 1_00).await;
        let number = life.use_card(false, 1).await;
        assert_eq!(life.report(&lines(&life), &[]).1, 0);
        let store = format!("sqlite:{}", life.path("inbox.db").display());
        let erased = run(&["inbox", "erase", "--store", &store, "--business-id", &number], b"");
        assert_eq!((erased.code, erased.stdout.as_str()), (0, "erased: 1\n"), "{}", erased.stderr);
        let (report, code) = life.report(&lines(&life), &["--card", life.sandbox.card_id()]);
        let expected = [("only_provider", number.as_str()), ("unresolved", "")];
        let expected = expected.map(|(outcome, number)| (outcome.to_owned(), number.to_owned(), String::new()));
        assert_eq!((open(&report), code), (expected.to_vec(), 8));
    });
}

#[test]
fn exit_code_reports_the_differences_when_the_pipe_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let row = r#"{"tradeId":"P1","orderNo":"T1","amount":"1.00","currency":"EUR","businessDate":"2026-11-27"}"#;
    std::fs::write(folder.path().join("partner-transactions.jsonl"), format!("{row}\n").repeat(2_000)).unwrap();
    for format in ["text", "json", "csv"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut reconcile = command();
        reconcile.args(["reconcile", "--from", "2026-11-27", "--to", "2026-11-27", "--format", format, "--offline"]);
        let ran = reconcile.arg(folder.path()).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(ran.status.code(), Some(8), "{format}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn nightly_example_reconciles_the_previous_day() {
    runtime().block_on(async {
        let mut life = Life::start().await;
        life.topup("T1", 1_00).await;
        // The script compares the transactions of yesterday, so those of today are outside the period.
        let folder = life.path("work");
        std::fs::create_dir(&folder).unwrap();
        let day = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date().yesterday().unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/reconcile/nightly.sh");
        let orders = folder.join(format!("orders/{day}.jsonl"));
        let nightly = || {
            let mut shell = command_in(&folder);
            shell.arg(script).env("PROFILE", "sandbox").env("PAYTEND_CONFIG", life.path("keys/paytend.toml"));
            shell.env("RULES", life.path("rules.toml")).env("TZ", "UTC");
            shell.env("PAYTEND_STORE", format!("sqlite:{}", life.path("inbox.db").display()));
            finish(&mut shell, b"")
        };
        // Without an `orders` directory, the script compares the orders in the outbox. A warning says that there are
        // none yet.
        let (agrees, warning) = (format!("{day}: nothing is open\n"), "not everything was compared: pass --orders");
        let ran = nightly();
        assert_eq!((ran.code, &ran.stdout, ran.stderr.contains(warning)), (0, &agrees, true), "{}", ran.stderr);
        let store = SqliteStore::open(life.path("inbox.db")).unwrap();
        let keys = StoreKeys::load(life.path("inbox.db.key")).unwrap();
        let outbox = Outbox::open(store, keys, life.client.clone()).await.unwrap();
        let (card, amount) = (life.sandbox.card_id(), "1.00".parse().unwrap());
        let topup = Topup::builder().card_id(card).order_no("T2").amount(amount).currency("EUR").build();
        outbox.submit(&topup, SubmitOptions::new()).await.unwrap();
        let ran = nightly();
        assert_eq!((ran.code, &ran.stdout, ran.stderr.as_str()), (0, &agrees, ""));
        // If the `orders` directory contains no file for the day, the script fails, because an empty list would be
        // wrong.
        std::fs::create_dir(folder.join("orders")).unwrap();
        let ran = nightly();
        assert_eq!((ran.code, ran.stdout), (1, format!("{day}: the comparison failed\n")), "{}", ran.stderr);
        std::fs::write(&orders, "").unwrap();
        let ran = nightly();
        assert_eq!((ran.code, &ran.stdout), (0, &agrees), "{}", ran.stderr);
        let order =
            json!({"order_no": "T9", "amount": "1", "currency": "EUR", "status": "succeeded", "at": day.to_string()});
        std::fs::write(&orders, order.to_string()).unwrap();
        let ran = nightly();
        assert_eq!((ran.code, ran.stdout), (8, format!("{day}: see reports/{day}.html\n")), "{}", ran.stderr);
        assert!(folder.join(format!("fetched/{day}/lists/balances.json")).exists());
    });
}

/// Returns a shell command with the compiled `paytend` in its `PATH`.
#[cfg(target_os = "linux")]
fn command_in(folder: &Path) -> Command {
    let bin = Path::new(env!("CARGO_BIN_EXE_paytend")).parent().unwrap();
    let mut shell = Command::new("sh");
    shell.current_dir(folder).env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
    shell
}

#[test]
fn exported_lists_are_compared_and_invalid_inputs_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let row = json!({"tradeId": "P1", "tradeType": "100", "tradeStatus": "1", "orderNo": "T1", "amount": "1.00",
        "currency": "EUR", "businessDate": "2026-11-27"});
    let order = r#"{"order_no":"T1","amount":1.00,"currency":"EUR","status":"succeeded","at":"2026-11-27"}"#;
    std::fs::create_dir(path("lists")).unwrap();
    std::fs::write(path("lists/partner-transactions.jsonl"), row.to_string()).unwrap();
    std::fs::write(path("orders"), format!("{order}\n\n")).unwrap();
    std::fs::write(path("bad orders"), format!("{order}\n{{\"order_no\":\"S3CRET\"}}")).unwrap();
    std::fs::write(path("bad rules"), "window = 1").unwrap();
    std::fs::create_dir(path("empty")).unwrap();
    std::fs::create_dir(path("broken")).unwrap();
    std::fs::write(path("broken/topups.jsonl"), "{\"orderNo\":\"S3CRET\"").unwrap();
    let reconcile = |arguments: &[&str]| {
        run(&[&["reconcile", "--from", "2026-11-27", "--to", "2026-11-27"], arguments].concat(), b"")
    };
    let (lists, orders) = (path("lists"), path("orders"));
    let ran = reconcile(&["--offline", &lists, "--orders", &orders]);
    assert_eq!((ran.code, ran.stdout.contains("matched        1\n")), (0, true), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("not everything was compared: pass --store"), "{}", ran.stderr);
    for (arguments, code, message) in [
        (vec!["--offline", &path("none")], 3, "cannot read"),
        (vec!["--offline", &path("empty")], 3, "contains no lists: fetch them with --out DIR"),
        (vec!["--offline", &path("broken")], 3, "topups.jsonl, line 1, column"),
        (vec!["--offline", &lists, "--orders", &path("bad orders")], 3, "bad orders, line 2: the field `amount`"),
        (vec!["--offline", &lists, "--rules", &path("bad rules")], 3, "unknown field `window`"),
        (vec!["--offline", &lists, "--opening", &orders], 3, "not a file with balances"),
        (vec!["--offline", &lists, "--out", &lists], 2, "cannot be used with"),
        (vec!["--keys", &lists], 2, "--base-url"),
        (vec!["--keys", &lists, "--base-url", "http://127.0.0.1:9"], 3, "partner-private.pem"),
        (vec!["--profile", "x"], 3, "no profile `x`"),
    ] {
        let ran = reconcile(&arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(message) && !ran.stderr.contains("S3CRET"), "{arguments:?}: {}", ran.stderr);
    }
    let ran =
        run(&["reconcile", "--from", "2000-01-01", "--to", "2026-11-26", "--keys", &lists, "--base-url", "x"], b"");
    assert_eq!((ran.code, ran.stderr.contains("at most 400 days")), (2, true), "{}", ran.stderr);
    let ran = run(&["reconcile", "--from", "2026-11-27", "--to", "2026-11-26", "--offline", &lists], b"");
    assert_eq!((ran.code, ran.stderr.contains("before its first day")), (2, true), "{}", ran.stderr);
}
