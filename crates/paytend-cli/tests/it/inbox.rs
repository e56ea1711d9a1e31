//! Tests of `paytend inbox`: the service, and the commands that manage the store.

use paytend_crypto::PublicKey;
use paytend_vectors::{PARTNER_ID, Seeded};
use paytend_webhook::testing::PaytendSender;
use serde_json::{Value, json};

use crate::inbox_service::{Service, Workplace, new_key, post, runtime};
use crate::support::{command, finish, run, set_mode};

const DEPOSIT: &str = r#"{"orderNo":"F1","amount":25.00,"currency":"EUR","tradeStatus":"2"}"#;

fn payby(id: u32) -> String {
    format!(
        r#"{{"notify_id":"{id}","transferToBankOrder":{{"merchantOrderNo":"M{id}","orderNo":"9{id}","status":"SUCCESS",
        "amount":{{"amount":1.50,"currency":"AED"}}}}}}"#
    )
}

fn payermax(merchant: &str) -> String {
    json!({
        "code": "APPLY_SUCCESS", "appId": "a", "merchantNo": merchant, "notifyType": "DEPOSIT",
        "data": {"amount": {"currency": "EUR", "value": "100.00"}, "direction": "INCREASE", "relatedTradeNo": "TU1"},
    })
    .to_string()
}

#[test]
fn notifications_of_all_providers_are_stored_and_listed() {
    let place = Workplace::new();
    let service = place.start(&[]);
    assert_eq!(
        service.ready["routes"],
        json!({
            "/paytend/baas": "paytend:baas", "/paytend/issuing": "paytend:issuing",
            "/payby": "payby", "/payermax": "payermax",
        })
    );
    assert_eq!((&service.ready["ready"], &service.ready["store"]), (&json!(true), &json!(place.store())));
    runtime().block_on(async {
        assert_eq!(service.post("/paytend/baas", place.paytend("2", DEPOSIT)).await, 200);
        assert_eq!(service.post("/paytend/baas", place.paytend("2", DEPOSIT)).await, 200);
        assert_eq!(service.post("/paytend/issuing", place.paytend("77", "{}")).await, 200);
        assert_eq!(service.post("/payby", place.signed("payby", payby(1))).await, 200);
        assert_eq!(service.post("/payermax", place.signed("payermax", payermax("P2"))).await, 200);
        assert_eq!(service.post("/payby", place.signed("payermax", payby(2))).await, 400, "a different key");
        assert_eq!(service.get("/healthz").await, (200, "ok\n".to_owned()));
        let (status, ready) = service.get("/readyz").await;
        assert_eq!((status, ready.contains("\"synchronous\":\"2\"")), (200, true), "{ready}");
        let (_, metrics) = service.get("/metrics").await;
        for line in [
            "paytend_inbox_accepted_total{result=\"duplicate\"} 1",
            "paytend_inbox_accepted_total{result=\"new\"} 4",
            "paytend_inbox_notifications{state=\"ready\"} 4",
        ] {
            assert!(metrics.contains(line), "{line}: {metrics}");
        }
        assert!(metrics.contains("paytend_inbox_accept_seconds_bucket{le=\"0.05\"}"), "{metrics}");
        // The counters change immediately. The gauges do not, because the counts behind them are cached for 10 s.
        assert_eq!(service.post("/payby", place.signed("payby", payby(1))).await, 200);
        assert_eq!(service.post("/payby", place.signed("payby", payby(3))).await, 200);
        let (_, metrics) = service.get("/metrics").await;
        for line in [
            "paytend_inbox_accepted_total{result=\"new\"} 5",
            "paytend_inbox_notifications{state=\"ready\"} 4",
            "paytend_inbox_sightings 1",
        ] {
            assert!(metrics.contains(line), "{line}: {metrics}");
        }
    });
    let listed = place.listed();
    let mut first = listed[0].clone();
    let members: Vec<&String> = first.as_object().unwrap().keys().collect();
    let expected = [
        "business_id",
        "business_state",
        "dedup",
        "id",
        "kind",
        "product",
        "provider",
        "received_at",
        "sightings",
        "state",
        "tries",
    ];
    assert_eq!(members, expected);
    assert_eq!(first["dedup"].as_str().unwrap().len(), 64);
    for name in ["dedup", "received_at"] {
        first.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(
        first,
        json!({
            "id": 1, "provider": "paytend", "product": "baas", "kind": "fund-deposit", "business_id": "F1",
            "business_state": "2", "state": "ready", "tries": 0, "sightings": 1,
        })
    );
    let kinds: Vec<&str> = listed.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["fund-deposit", "unknown", "transfer-to-bank", "balance-change", "transfer-to-bank"]);
    assert_eq!((&listed[1]["product"], &listed[3]["provider"]), (&json!("issuing"), &json!("payermax")));
    assert_eq!(service.terminate(), Some(0));
}

#[test]
fn acknowledged_notifications_survive_a_kill() {
    let place = Workplace::new();
    let service = place.start(&[]);
    runtime().block_on(async {
        for i in 0..10 {
            assert_eq!(service.post("/payby", place.signed("payby", payby(i))).await, 200);
        }
    });
    drop(service);
    assert_eq!(place.listed().len(), 10);
    let service = place.start(&[]);
    runtime().block_on(async {
        assert_eq!(service.post("/payby", place.signed("payby", payby(3))).await, 200);
    });
    assert_eq!(place.listed().len(), 10);
    let checked = place.inbox("check", &[]);
    assert_eq!((checked.code, checked.stdout.as_str()), (0, "no problems\n"), "{}", checked.stderr);
}

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
fn key_file_of_an_existing_store_is_required() {
    let place = Workplace::new();
    drop(place.start(&[]));
    let key = place.path("inbox.db.key");
    let saved = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let keys = place.path("keys");
    let missing = place.inbox("serve", &["--keys", keys.to_str().unwrap()]);
    assert_eq!(missing.code, 3);
    assert!(missing.stderr.contains("inbox.db.key of the existing store is missing"), "{}", missing.stderr);
    assert!(!key.exists());
    // A different store's key file is refused.
    let other = Workplace::new();
    drop(other.start(&[]));
    std::fs::copy(other.path("inbox.db.key"), &key).unwrap();
    let wrong = place.inbox("serve", &["--keys", keys.to_str().unwrap()]);
    assert!(wrong.stderr.contains("created with a different key file"), "{}", wrong.stderr);
    let elsewhere = place.path("elsewhere.key");
    std::fs::write(&elsewhere, saved).unwrap();
    set_mode(&elsewhere, 0o600);
    let service = place.start(&["--store-key", elsewhere.to_str().unwrap()]);
    assert_eq!(service.ready["ready"], true);
}

#[test]
fn configuration_file_sets_the_store_routes_and_rotated_keys() {
    let place = Workplace::new();
    let random = Seeded::new();
    let next = new_key(&place.path("next.pem"), &random);
    let config = place.path("inbox.toml");
    let text = format!(
        "store = {:?}\nkeys = \"keys\"\n[routes]\n\"/hooks/a\" = \"paytend:baas\"\n\
         [gate]\nallow_source = [\"127.0.0.0/8\"]\nlisted = {{ max_concurrent = 1, queue_timeout = \"5s\" }}\n\
         [[key]]\nrole = \"paytend\"\nfile = \"next.pem\"\nnot_before = \"2020-01-01T00:00:00Z\"\n",
        place.store()
    );
    std::fs::write(&config, text).unwrap();
    let service = Service::start(command().args(["inbox", "serve", "--config"]).arg(&config));
    assert_eq!(service.ready["routes"], json!({"/hooks/a": "paytend:baas"}));
    let partner = PublicKey::from_file(place.path("keys/partner-public.b64")).unwrap();
    let rotated = PaytendSender::new(PARTNER_ID, &next, &partner).unwrap();
    runtime().block_on(async {
        assert_eq!(service.post("/hooks/a", place.paytend("2", DEPOSIT)).await, 200);
        assert_eq!(service.post("/hooks/a", rotated.raw("8", r#"{"orderNo":"T1"}"#).unwrap()).await, 200);
        assert_eq!(service.post("/paytend/baas", place.paytend("2", DEPOSIT)).await, 404);
    });
    assert_eq!(place.listed().len(), 2);
    drop(service);
    // An error in the file is reported with its line number, and without any text from the file.
    std::fs::write(&config, "keys = \"keys\"\nstore = \"postgres://a:secret@b\"\nlisten = \"secret\"\n").unwrap();
    let ran = finish(command().args(["inbox", "serve", "--config"]).arg(&config), b"");
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("inbox.toml: line 3") && !ran.stderr.contains("secret"), "{}", ran.stderr);
}

#[test]
fn payermax_route_without_a_merchant_causes_a_warning() {
    let place = Workplace::new();
    let keys = place.path("keys");
    // The address is already in use, so that the service exits after it has printed the warning.
    let used = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = used.local_addr().unwrap().to_string();
    for (route, warned) in [("/x=payermax", true), ("/x=payermax:P2", false), ("/x=payby", false)] {
        let arguments = ["--keys", keys.to_str().unwrap(), "--listen", &address, "--route", route];
        let ran = place.inbox("serve", &arguments);
        assert!(ran.stderr.contains("cannot listen on"), "{}", ran.stderr);
        assert_eq!(ran.stderr.contains("every merchant"), warned, "{route}: {}", ran.stderr);
    }
    let service = place.start(&["--route", "/x=payermax:P2", "--route", "/y=payermax"]);
    assert_eq!(service.ready["routes"], json!({"/x": "payermax:P2", "/y": "payermax"}));
    runtime().block_on(async {
        assert_eq!(service.post("/x", place.signed("payermax", payermax("P2"))).await, 200);
        assert_ne!(service.post("/x", place.signed("payermax", payermax("P3"))).await, 200);
    });
}

#[test]
fn plain_http_is_accepted_only_from_trusted_proxies() {
    let place = Workplace::new();
    let config = place.path("inbox.toml");
    for (proxies, status) in [("\"10.0.0.1\"", 403), ("\"10.0.0.1\", \"127.0.0.0/8\"", 200)] {
        std::fs::write(&config, format!("gate = {{ trusted_proxy = [{proxies}] }}\n")).unwrap();
        let mut service = place.start(&["--config", config.to_str().unwrap(), "--listen", "0.0.0.0:0"]);
        service.ready["url"] = json!(service.url("").replace("0.0.0.0", "127.0.0.1"));
        runtime().block_on(async {
            assert_eq!(service.post("/paytend/baas", place.paytend("2", DEPOSIT)).await, status);
            assert_eq!(service.get("/healthz").await.0, 200);
        });
        assert_eq!(place.listed().len(), usize::from(status == 200));
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
fn configured_certificate_is_used_for_tls() {
    let place = Workplace::new();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(place.path("server.pem"), made.cert.pem()).unwrap();
    std::fs::write(place.path("server.key"), made.signing_key.serialize_pem()).unwrap();
    set_mode(&place.path("server.key"), 0o600);
    let config = place.path("inbox.toml");
    std::fs::write(&config, "tls = { certificate_file = \"server.pem\", private_key_file = \"server.key\" }\n")
        .unwrap();
    let service = place.start(&["--config", config.to_str().unwrap()]);
    let url = service.url("/paytend/baas").replace("127.0.0.1", "localhost");
    assert!(url.starts_with("https://"), "{url}");
    let root = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().unwrap();
    runtime().block_on(async {
        assert_eq!(post(&client, &url, place.paytend("2", DEPOSIT)).await, 200);
    });
    assert_eq!(place.listed().len(), 1);
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
fn trace_context_of_the_request_is_stored() {
    let place = Workplace::new();
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    runtime().block_on(async {
        let service = place.start(&[]);
        let mut request = place.paytend("2", r#"{"orderNo":"F1"}"#);
        request.headers_mut().insert("traceparent", traceparent.parse().unwrap());
        assert_eq!(service.post("/paytend/baas", request).await, 200);
    });
    let shown: Value = serde_json::from_str(&place.inbox("show", &["1", "--json"]).stdout).unwrap();
    assert_eq!(shown["traceparent"], traceparent);
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
