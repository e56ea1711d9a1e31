//! Tests of `paytend inbox` on PostgreSQL. They are skipped if it is not installed.

use std::time::{Duration, Instant};

use paytend_store_postgres::tokio_postgres::NoTls;
use serde_json::{Value, json};

use crate::inbox_service::{Service, Workplace, runtime};
use crate::listen::Lines;
use crate::postgres_server::Server;
use crate::schema::checked;
use crate::support::{command, finish};

/// Returns the URL of the server's first database.
fn url(server: &Server) -> String {
    let config = server.config("postgres");
    let hosts = config.get_hosts();
    let paytend_store_postgres::tokio_postgres::config::Host::Unix(directory) = &hosts[0] else { panic!("a socket") };
    format!("postgres://postgres:secret@/postgres?host={}", directory.display())
}

#[test]
fn several_services_can_share_a_database() {
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
            let (_, metrics) = service.get("/metrics").await;
            for name in ["paytend_postgres_dead_tuples ", "paytend_postgres_wal_bytes_total "] {
                assert!(metrics.contains(name), "{name}: {metrics}");
            }
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

#[test]
fn postgres_password_is_read_from_the_environment() {
    let place = Workplace::new();
    let runtime = runtime();
    let Some(server) = runtime.block_on(Server::start(&[])) else { return };
    let key = place.path("store.key");
    assert_eq!(finish(command().args(["inbox", "generate-key"]).arg(&key), b"").code, 0);
    let mut serve = command();
    serve.args(["inbox", "serve", "--keys"]).arg(place.path("keys")).arg("--store-key").arg(&key);
    assert_eq!(Service::start(serve.env("PAYTEND_STORE", url(&server))).terminate(), Some(0));
    // From now on, the server demands a password.
    runtime.block_on(async {
        let (client, connection) = server.config("postgres").connect(NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute("ALTER ROLE postgres PASSWORD 'right'").await.unwrap();
        let file: String = client.query_one("SHOW hba_file", &[]).await.unwrap().get(0);
        std::fs::write(file, "local all all scram-sha-256\nhost all all all scram-sha-256\n").unwrap();
        client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
    });
    let store = url(&server).replace(":secret", "");
    let stats = |password: Option<&str>| {
        let mut stats = command();
        stats.args(["inbox", "stats", "--store", &store]).env_remove("PGPASSWORD");
        finish(stats.envs(password.map(|password| ("PGPASSWORD", password))), b"")
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while stats(None).code == 0 {
        assert!(Instant::now() < deadline, "the server does not demand a password");
    }
    let ran = stats(Some("right"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let wrong = stats(Some("wrong-secret"));
    assert!(wrong.code != 0 && !wrong.stderr.contains("wrong-secret"), "{}", wrong.stderr);
}

/// The notification gets its ID before two other notifications, but its transaction commits after them.
#[test]
fn tail_prints_a_notification_that_was_committed_late() {
    let place = Workplace::new();
    let runtime = runtime();
    let Some(server) = runtime.block_on(Server::start(&[])) else { return };
    let url = url(&server);
    let key = place.path("store.key");
    assert_eq!(finish(command().args(["inbox", "generate-key"]).arg(&key), b"").code, 0);
    let mut serve = command();
    serve.args(["inbox", "serve", "--keys"]).arg(place.path("keys")).arg("--store-key").arg(&key);
    let service = Service::start(serve.env("PAYTEND_STORE", &url));
    let mut sent = 0;
    let mut post = || {
        sent += 1;
        let content = format!(r#"{{"transactionId":"T{sent}","amount":25.00,"currency":"EUR"}}"#);
        assert_eq!(runtime.block_on(service.post("/paytend/baas", place.paytend("2", &content))), 200);
        format!("T{sent}")
    };
    let tail = Lines::of(command().args(["events", "tail", "--json"]).env("PAYTEND_STORE", &url));
    let numbers = || {
        let lines = tail.lines.lock().unwrap().clone();
        lines.iter().map(|line| checked("events", line)["business_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let start = Instant::now();
    let wait_for = |number: &str| {
        while !numbers().iter().any(|printed| printed == number) {
            assert!(start.elapsed() < Duration::from_secs(60), "{number}: {:?}", numbers());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    // `tail` prints only notifications that arrive after it has started, so notifications are sent until one is
    // printed.
    while numbers().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60));
        post();
    }
    let late = "INSERT INTO paytend_notification \
                (dedup, content_tag, route, kind, notify_type, business_kind, business_id, verified_by) \
                SELECT decode(repeat('01', 32), 'hex'), content_tag, route, kind, notify_type, business_kind, 'LATE', \
                verified_by \
                FROM paytend_notification ORDER BY id LIMIT 1";
    let (mut client, connection) = runtime.block_on(server.config("postgres").connect(NoTls)).unwrap();
    runtime.spawn(connection);
    let transaction = runtime.block_on(client.transaction()).unwrap();
    runtime.block_on(transaction.execute(late, &[])).unwrap();
    post();
    let second = post();
    wait_for(&second);
    assert!(!numbers().contains(&"LATE".to_owned()));
    runtime.block_on(transaction.commit()).unwrap();
    wait_for("LATE");
    wait_for(&post());
    let printed = numbers();
    let mut once = printed.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), printed.len(), "{printed:?}");
}
