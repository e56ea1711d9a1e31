//! Tests of `paytend inbox serve`.

use paytend_crypto::PublicKey;
use paytend_vectors::{PARTNER_ID, Seeded};
use paytend_webhook::testing::PaytendSender;
use serde_json::{Value, json};

use crate::inbox_service::{Service, Workplace, new_key, post, runtime};
use crate::support::{command, finish, set_mode};

pub(crate) const DEPOSIT: &str = r#"{"orderNo":"F1","amount":25.00,"currency":"EUR","tradeStatus":"2"}"#;

pub(crate) fn payby(id: u32) -> String {
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
        for name in [
            "paytend_inbox_accept_seconds_bucket{le=\"0.05\"}",
            "paytend_sqlite_commit_seconds_bucket{le=\"0.05\"}",
            "paytend_sqlite_batch_operations_bucket{le=\"1\"}",
            "paytend_sqlite_log_bytes ",
        ] {
            assert!(metrics.contains(name), "{name}: {metrics}");
        }
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
