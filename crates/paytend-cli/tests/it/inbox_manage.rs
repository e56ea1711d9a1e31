//! Tests of the commands that manage the store of `paytend inbox`.

use serde_json::{Value, json};

use crate::inbox::{DEPOSIT, payby};
use crate::inbox_service::{Workplace, runtime};
use crate::support::{command, finish, run, set_mode};

#[test]
fn store_can_be_managed_while_the_service_runs() {
    let place = Workplace::new();
    let service = place.start(&[]);
    runtime().block_on(async {
        service.post("/paytend/baas", place.paytend("2", DEPOSIT)).await;
        service.post("/payby", place.signed("payby", payby(1))).await;
    });
    let stats =
        |place: &Workplace| -> Value { serde_json::from_str(&place.inbox("stats", &["--json"]).stdout).unwrap() };
    let mut first = stats(&place);
    assert!(first["oldest_ready_s"].is_number());
    first.as_object_mut().unwrap().remove("oldest_ready_s");
    assert_eq!(first, json!({"ready": 2, "leased": 0, "backoff": 0, "done": 0, "dead": 0, "sightings": 0}));
    // Content is shown only with `--reveal`.
    let shown = place.inbox("show", &["1", "--json"]);
    assert!(!shown.stdout.contains("25.00") && shown.stdout.contains("\"has_content\":true"), "{}", shown.stdout);
    let shown = place.inbox("show", &["1", "--json", "--reveal"]);
    assert_eq!(serde_json::from_str::<Value>(&shown.stdout).unwrap()["content"], json!(DEPOSIT), "{}", shown.stderr);
    assert_eq!(place.inbox("bury", &["1", "--why", "a test"]).stdout, "buried: 1\n");
    assert_eq!(place.inbox("bury", &["1", "--why", "a test"]).code, 1);
    assert_eq!((stats(&place)["dead"].as_u64(), stats(&place)["ready"].as_u64()), (Some(1), Some(1)));
    assert_eq!(place.inbox("list", &["--state", "dead", "--json"]).stdout.lines().count(), 1);
    assert_eq!(place.inbox("list", &["--kind", "transfer-to-bank", "--since", "1h"]).stdout.lines().count(), 1);
    let part = place.inbox("redrive", &["1", "2"]);
    assert_eq!((part.code, part.stdout.as_str()), (1, "redriven: 1\n"));
    assert!(part.stderr.contains("paytend inbox list --state dead"), "{}", part.stderr);
    assert_eq!(place.inbox("redrive", &["--dead"]).stdout, "redriven: 0\n");
    let copy = place.path("copy.db");
    assert_eq!(place.inbox("backup", &[copy.to_str().unwrap()]).code, 0);
    assert_eq!(place.inbox("backup", &[copy.to_str().unwrap()]).code, 3, "a file is not replaced");
    let copied = run(&["inbox", "check", "--store", &format!("sqlite:{}", copy.display())], b"");
    assert_eq!(copied.stdout, "no problems\n", "{}", copied.stderr);
    assert_eq!(place.inbox("erase", &["--business-id", "F1"]).stdout, "erased: 1\n");
    let erased = place.inbox("show", &["1", "--json", "--reveal"]);
    let erased: Value = serde_json::from_str(&erased.stdout).unwrap();
    assert_eq!(
        (&erased["content"], &erased["business_id"], &erased["state"]),
        (&json!(null), &json!(null), &json!("dead"))
    );
    assert_eq!(place.inbox("show", &["99"]).code, 1);
}

/// The IDs are redriven in steps of 100. If a step fails, the later steps are still performed.
#[test]
fn redrive_continues_after_a_failed_step() {
    let place = Workplace::new();
    runtime().block_on(async {
        let service = place.start(&[]);
        service.post("/paytend/baas", place.paytend("2", DEPOSIT)).await;
        service.post("/payby", place.signed("payby", payby(1))).await;
        assert_eq!(service.terminate(), Some(0));
    });
    for id in ["1", "2"] {
        assert_eq!(place.inbox("bury", &[id, "--why", "a test"]).code, 0);
    }
    let store = paytend_store_sqlite::rusqlite::Connection::open(place.path("inbox.db")).unwrap();
    let refusal = "CREATE TRIGGER refusal BEFORE INSERT ON paytend_work WHEN NEW.id = 1 BEGIN \
        SELECT RAISE(ABORT, 'refused by a test'); END";
    store.execute_batch(refusal).unwrap();
    // The second step consists of the notification 2 only.
    let absent = (1_000..1_099).map(|id| id.to_string());
    let ids: Vec<String> = ["1".to_owned()].into_iter().chain(absent).chain(["2".to_owned()]).collect();
    let ran = place.inbox("redrive", &ids.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((ran.code, ran.stdout.as_str()), (1, "redriven: 1\n"), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("error: cannot write: SQLite"), "{}", ran.stderr);
    let states = place.listed().into_iter().map(|entry| (entry["id"].as_u64(), entry["state"].clone()));
    assert_eq!(states.collect::<Vec<_>>(), [(Some(1), json!("dead")), (Some(2), json!("ready"))]);
}

#[test]
fn errors_name_invalid_stores_and_missing_files() {
    let place = Workplace::new();
    let (keys, store) = (place.path("keys"), place.store());
    let keys = keys.to_str().unwrap();
    for (arguments, code, message) in [
        (vec!["stats"], 2, "or set PAYTEND_STORE"),
        (vec!["stats", "--store", "postgres://a:secret@host/b"], 2, "--store must not contain a password"),
        (vec!["stats", "--store", "postgres://a:x/secret@host/b"], 2, "--store must not contain a password"),
        (vec!["stats", "--store", "postgres://a@127.0.0.1:1/b"], 5, "cannot connect: the connection failed"),
        (vec!["stats", "--store", &store], 3, "cannot open"),
        (vec!["serve", "--store", &store], 2, "no key directory: pass --keys DIR"),
        (vec!["serve", "--store", &store, "--keys", "/no/such/directory"], 3, "/no/such/directory/partner-id"),
        (vec!["serve", "--store", &store, "--keys", keys, "--listen", "0.0.0.0:0"], 3, "plain HTTP on 0.0.0.0:0"),
        (
            vec!["serve", "--store", &store, "--keys", keys, "--forward-to", "http://localhost/"],
            2,
            "--forward-secret-file",
        ),
        (vec!["serve", "--store", &store, "--keys", keys, "--route", "/x=y"], 2, "invalid provider"),
        (
            vec!["serve", "--store", &store, "--keys", keys, "--route", "/x=payby", "--route", "/x=payby"],
            2,
            "used twice",
        ),
    ] {
        let ran = run(&[vec!["inbox"], arguments.clone()].concat(), b"");
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{arguments:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("secret@"), "{}", ran.stderr);
    }
}

#[test]
#[cfg(unix)]
fn files_with_a_password_must_be_readable_only_by_the_owner() {
    let place = Workplace::new();
    let (config, store) = (place.path("inbox.toml"), place.path("store"));
    let url = "postgres://user:pa/secret@127.0.0.1:1/db";
    let serve = |mode: u32, arguments: &[&str]| {
        set_mode(&config, mode);
        let mut serve = command();
        serve.args(["inbox", "serve", "--config"]).arg(&config).args(arguments);
        finish(&mut serve, b"")
    };
    let inline = format!("keys = \"keys\"\nstore = \"{url}\"\n");
    let in_file = "keys = \"keys\"\nstore_file = \"store\"\n".to_owned();
    std::fs::write(&store, format!("{url}\n")).unwrap();
    set_mode(&store, 0o640);
    for (text, mode, arguments, message) in [
        (&inline, 0o644, vec![], "inbox.toml is accessible to other users"),
        (&in_file, 0o600, vec![], "store is accessible to other users"),
        // These files are accepted: the error is about the missing store key, which is checked later.
        (&inline, 0o600, vec![], "no store key"),
        (&inline, 0o644, vec!["--danger-any-permissions"], "no store key"),
        (&in_file, 0o644, vec!["--danger-any-permissions"], "no store key"),
    ] {
        std::fs::write(&config, text).unwrap();
        let ran = serve(mode, &arguments);
        assert_ne!(ran.code, 0);
        assert!(ran.stderr.contains(message) && !ran.stderr.contains("secret"), "{message}: {}", ran.stderr);
    }
}

#[test]
fn store_can_be_selected_by_an_environment_variable() {
    let place = Workplace::new();
    drop(place.start(&[]));
    let ran = finish(command().args(["inbox", "check"]).env("PAYTEND_STORE", place.store()), b"");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "no problems\n"), "{}", ran.stderr);
}

#[test]
fn erase_accepts_filters_and_warns_about_the_write_ahead_log() {
    let place = Workplace::new();
    let content = r#"{"transactionId":"T1","orderNo":"T1"}"#;
    runtime().block_on(async {
        let service = place.start(&[]);
        assert_eq!(service.post("/paytend/baas", place.paytend("2", content)).await, 200);
        assert_eq!(service.terminate(), Some(0));
    });
    let erase = |arguments: &[&str]| place.inbox("erase", &[&["--business-id", "T1"], arguments].concat());
    for arguments in [["--provider", "payby"], ["--route", "paytend:issuing"], ["--kind", "unknown"]] {
        assert_eq!(erase(&arguments).stdout, "erased: 0\n");
    }
    for command in ["erase", "list"] {
        let refused = place.inbox(command, &["--kind", "fund_deposit"]);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains("the kinds are account-opening, fund-deposit"), "{}", refused.stderr);
    }
    assert!(erase(&["--provider", "other"]).stderr.contains("the providers are paytend, payby and payermax"));
    // While this read transaction is open, SQLite cannot empty the write-ahead log.
    let reader = paytend_store_sqlite::rusqlite::Connection::open(place.path("inbox.db")).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    reader.query_row("SELECT count(*) FROM paytend_work", [], |_| Ok(())).unwrap();
    let erase_from = |file: &str, input: &str| {
        let arguments = ["--provider", "paytend", "--kind", "fund-deposit", "--business-id-file", file];
        run(&[&["inbox", "erase", "--store", &place.store()], &arguments[..]].concat(), input.as_bytes())
    };
    let file = place.path("id");
    std::fs::write(&file, "T1\r\n").unwrap();
    assert_eq!(erase_from("-", "T2\n").stdout, "erased: 0\n");
    for invalid in ["", "\n", "T1\nT2\n"] {
        let refused = erase_from("-", invalid);
        assert_eq!(refused.code, 2, "{invalid:?}");
        assert!(refused.stderr.contains("must contain one ID") && !refused.stderr.contains("T1"), "{}", refused.stderr);
    }
    assert_eq!(place.inbox("erase", &[]).code, 2);
    let erased = erase_from(file.to_str().unwrap(), "");
    assert_eq!((erased.code, erased.stdout.as_str()), (0, "erased: 1\n"));
    assert!(erased.stderr.contains("erased values stay in the write-ahead log"), "{}", erased.stderr);
}

#[test]
fn audit_lists_operator_actions() {
    let place = Workplace::new();
    let config = place.path("config.toml");
    std::fs::write(&config, "audit_page = true\n").unwrap();
    let config = config.to_str().unwrap();
    runtime().block_on(async {
        let service = place.start(&["--config", config]);
        assert_eq!(service.post("/paytend/baas", place.paytend("2", r#"{"orderNo":"F1"}"#)).await, 200);
        for (name, arguments) in [
            ("show", &["1"][..]),
            ("show", &["1", "--reveal"]),
            ("bury", &["1", "--why", "by hand"]),
            ("redrive", &["1"]),
            ("redrive", &["--dead"]),
            ("erase", &["--business-id", "F1", "--provider", "paytend"]),
        ] {
            let ran = place.inbox(name, arguments);
            assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        }
        let (status, page) = service.get("/audit").await;
        assert_eq!((status, page.contains("<td>erase<td><td>uid ")), (200, true), "{page}");
    });
    let audit = |arguments: &[&str]| place.inbox("audit", arguments).stdout;
    let events: Vec<Value> = audit(&["--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let shown: Vec<_> = events.iter().map(|event| (event["action"].as_str().unwrap(), &event["id"])).collect();
    let (one, none) = (json!(1), Value::Null);
    assert_eq!(shown, [("erase", &none), ("redrive", &none), ("redrive", &one), ("bury", &one), ("reveal", &one)]);
    assert_eq!(events[0]["detail"], "provider Paytend");
    assert!(events.iter().all(|event| event["operator"].as_str().unwrap().starts_with("uid ")));
    assert!(!audit(&[]).contains("F1"), "the business ID is not recorded");
    assert_eq!(audit(&["--id", "1"]).lines().count(), 3);
    let keys = place.path("keys");
    let public = place.inbox("serve", &["--config", config, "--keys", keys.to_str().unwrap(), "--listen", "0.0.0.0:0"]);
    assert_eq!(public.code, 3, "{}", public.stderr);
}
