//! Tests of `paytend inbox` on NATS. They are skipped if the server is not installed.

use serde_json::{Value, json};

use crate::inbox_service::{Service, Workplace, runtime};
use crate::nats_cluster::{Cluster, Setup};
use crate::support::{RunOutput, command, finish, set_mode};

#[test]
fn service_stores_notifications_on_a_cluster() {
    let place = Workplace::new();
    let runtime = runtime();
    let Some(cluster) = runtime.block_on(Cluster::start(Setup::default())) else { return };
    let (key, keys) = (place.path("store.key"), place.path("keys"));
    assert_eq!(finish(command().args(["inbox", "generate-key"]).arg(&key), b"").code, 0);
    // Without a login to the system account, the command cannot read the servers' settings and refuses to start.
    let mut serve = command();
    serve.args(["inbox", "serve", "--keys"]).arg(&keys).arg("--store-key").arg(&key);
    serve.env("PAYTEND_STORE", cluster.url());
    let refused = finish(&mut serve, b"");
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("login to the system account") && !refused.stderr.contains("secret"));
    // The configuration file names a file with the login, which only its owner may read.
    let (config, system) = (place.path("inbox.toml"), place.path("system"));
    std::fs::write(&system, cluster.system_url()).unwrap();
    std::fs::write(&config, "nats = { system_url_file = \"system\", forget_after = \"400 days\" }\n").unwrap();
    set_mode(&config, 0o600);
    serve.arg("--config").arg(&config);
    #[cfg(unix)]
    {
        set_mode(&system, 0o644);
        let refused = finish(&mut serve, b"");
        assert!(refused.stderr.contains("system is accessible to other users"), "{}", refused.stderr);
    }
    set_mode(&system, 0o600);
    let service = Service::start(&mut serve);
    let shown = service.ready["store"].as_str().unwrap();
    assert!(shown.starts_with("nats://127.0.0.1:") && !shown.contains("secret"), "{shown}");
    let content = r#"{"orderNo":"F1","amount":25.00,"currency":"EUR"}"#;
    runtime.block_on(async {
        for _ in 0..2 {
            assert_eq!(service.post("/paytend/baas", place.paytend("2", content)).await, 200);
        }
        let (status, ready) = service.get("/readyz").await;
        assert_eq!((status, ready.contains("\"sync_interval\":\"always\"")), (200, true), "{ready}");
    });
    let run = |arguments: &[&str]| -> RunOutput {
        let mut command = command();
        command.arg("inbox").args(arguments).env("PAYTEND_STORE", cluster.url());
        finish(command.env("PAYTEND_NATS_SYSTEM_URL", cluster.system_url()), b"")
    };
    let inbox = |arguments: &[&str]| {
        let ran = run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
        ran.stdout
    };
    let listed: Value = serde_json::from_str(&inbox(&["list", "--json"])).unwrap();
    assert_eq!((&listed["business_id"], &listed["sightings"]), (&json!("F1"), &json!(1)));
    assert_eq!(inbox(&["check"]), "no problems\n");
    let id = listed["id"].to_string();
    let shown = inbox(&["show", &id, "--reveal", "--json", "--store-key", key.to_str().unwrap()]);
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["content"], content);
    assert_eq!(inbox(&["bury", &id, "--why", "a test"]), format!("buried: {id}\n"));
    assert_eq!(inbox(&["redrive", "--dead"]), "redriven: 1\n");
    let stats: Value = serde_json::from_str(&inbox(&["stats", "--json"])).unwrap();
    assert_eq!((&stats["ready"], &stats["sightings"]), (&json!(1), &json!(1)));
    assert_eq!(inbox(&["erase", "--business-id", "F1"]), "erased: 1\n");
    let events = inbox(&["audit", "--json"]);
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let actions: Vec<&str> = events.iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["erase", "redrive", "bury", "reveal"]);
    let mut outbox = command();
    outbox.args(["outbox", "stats"]).env("PAYTEND_STORE", cluster.url());
    let refused = finish(outbox.env("PAYTEND_NATS_SYSTEM_URL", cluster.system_url()), b"");
    assert!(refused.code == 3 && refused.stderr.contains("contains no orders"), "{}", refused.stderr);
    let backup = run(&["backup", "copy"]);
    assert!(backup.code == 2 && backup.stderr.contains("nats stream backup"), "{}", backup.stderr);
    assert_eq!(service.terminate(), Some(0));
}
