//! Tests of `paytend inbox` on PostgreSQL. They are skipped if it is not installed.

use serde_json::{Value, json};

use crate::inbox_service::{Service, Workplace, runtime};
use crate::postgres_server::Server;
use crate::support::{command, finish};

/// Returns the URL of the server's first database.
fn url(server: &Server) -> String {
    let config = server.config("postgres");
    let hosts = config.get_hosts();
    let paytend_store_postgres::tokio_postgres::config::Host::Unix(directory) = &hosts[0] else { panic!("a socket") };
    format!("postgres://postgres:secret@/postgres?host={}", directory.display())
}

#[test]
fn several_services_share_a_database() {
    let place = Workplace::new();
    let runtime = runtime();
    let Some(server) = runtime.block_on(Server::start(&[])) else { return };
    let (key, keys) = (place.path("store.key"), place.path("keys"));
    let generated = finish(command().args(["inbox", "generate-key"]).arg(&key), b"");
    assert_eq!(generated.code, 0, "{}", generated.stderr);
    assert_eq!(finish(command().args(["inbox", "generate-key"]).arg(&key), b"").code, 3, "a key file is not replaced");
    let url = url(&server);
    let start = || {
        let mut serve = command();
        serve.args(["inbox", "serve", "--keys"]).arg(&keys).arg("--store-key").arg(&key).env("PAYTEND_STORE", &url);
        Service::start(&mut serve)
    };
    let services = [start(), start()];
    assert_eq!(services[0].ready["ready"], true);
    assert!(!services[0].ready["store"].as_str().unwrap().contains("secret"), "{}", services[0].ready);
    let content = r#"{"orderNo":"F1","amount":25.00,"currency":"EUR"}"#;
    runtime.block_on(async {
        for service in &services {
            assert_eq!(service.post("/paytend/baas", place.paytend("2", content)).await, 200);
            let (status, ready) = service.get("/readyz").await;
            assert_eq!((status, ready.contains("\"fsync\":\"on\"")), (200, true), "{ready}");
        }
    });
    let inbox = |arguments: &[&str]| {
        let ran = finish(command().arg("inbox").args(arguments).env("PAYTEND_STORE", &url), b"");
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout
    };
    let listed: Value = serde_json::from_str(&inbox(&["list", "--json"])).unwrap();
    assert_eq!((&listed["business_id"], &listed["sightings"]), (&json!("F1"), &json!(1)));
    assert_eq!(inbox(&["check"]), "no problems\n");
    let id = listed["id"].to_string();
    let shown = inbox(&["show", &id, "--reveal", "--json", "--store-key", key.to_str().unwrap()]);
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["content"], content);
    let backup = finish(command().args(["inbox", "backup", "copy"]).env("PAYTEND_STORE", &url), b"");
    assert!(backup.code == 2 && backup.stderr.contains("pg_dump"), "{}", backup.stderr);
    let [first, second] = services;
    assert_eq!((first.terminate(), second.terminate()), (Some(0), Some(0)));
}
