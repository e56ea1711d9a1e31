//! Tests of `paytend inbox serve --forward-to`.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use paytend_inbox::ForwardSecret;
use serde_json::{Value, json};

use crate::inbox_service::{Workplace, runtime};
use crate::support::set_mode;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A service that receives forwarded notifications. It responds to the first requests with the given statuses, and to
/// all later requests with 204.
#[derive(Clone)]
struct Receiver {
    statuses: Arc<Mutex<Vec<StatusCode>>>,
    received: Arc<Mutex<Vec<(HeaderMap, String)>>>,
}

impl Receiver {
    async fn start(statuses: &[StatusCode]) -> (Self, String) {
        let receiver = Self { statuses: Arc::new(Mutex::new(statuses.to_vec())), received: Arc::default() };
        let app = Router::new().route("/hook", post(receive)).with_state(receiver.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (receiver, url)
    }

    fn received(&self) -> Vec<(HeaderMap, String)> {
        self.received.lock().unwrap().clone()
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: String) -> StatusCode {
    receiver.received.lock().unwrap().push((headers, body));
    let mut statuses = receiver.statuses.lock().unwrap();
    if statuses.is_empty() { StatusCode::NO_CONTENT } else { statuses.remove(0) }
}

async fn until_state(place: &Workplace, state: &str) -> Value {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let listed = place.listed();
        if let Some(entry) = listed.iter().find(|entry| entry["state"] == state) {
            return entry.clone();
        }
        assert!(std::time::Instant::now() < deadline, "{listed:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[test]
fn signed_notifications_are_forwarded_until_they_are_accepted() {
    let place = Workplace::new();
    let secret = place.path("secret");
    std::fs::write(&secret, SECRET).unwrap();
    set_mode(&secret, 0o600);
    runtime().block_on(async {
        let (receiver, url) = Receiver::start(&[StatusCode::INTERNAL_SERVER_ERROR, StatusCode::FOUND]).await;
        let service = place.start(&["--forward-to", &url, "--forward-secret-file", secret.to_str().unwrap()]);
        let content = r#"{"orderNo":"F1","amount":25.000000000000000000001,"currency":"EUR"}"#;
        assert_eq!(service.post("/paytend/baas", place.paytend("2", content)).await, 200);
        let done = until_state(&place, "done").await;
        assert_eq!(done["tries"], 3);
        let received = receiver.received();
        assert_eq!(received.len(), 3);
        for (headers, body) in &received {
            let header = |name: &str| headers[name].to_str().unwrap();
            assert_eq!(header("webhook-id"), done["dedup"].as_str().unwrap(), "retries have the same identifier");
            let timestamp = header("webhook-timestamp").parse().unwrap();
            let signature =
                ForwardSecret::parse(SECRET).unwrap().sign(header("webhook-id"), timestamp, body.as_bytes());
            assert_eq!(header("webhook-signature"), signature);
            assert_eq!(header("content-type"), "application/json");
            let message: Value = serde_json::from_str(body).unwrap();
            assert_eq!(message["type"], "fund-deposit");
            assert_eq!(message["data"]["business_id"], "F1");
            assert_eq!(message["data"]["content"]["currency"], "EUR");
            assert!(body.contains("25.000000000000000000001"), "numbers keep their digits: {body}");
        }
        assert_eq!(service.terminate(), Some(0));
    });
}

/// Runs an example program that verifies a request. Returns its output, or `None` if the language is not installed.
fn verified_by(program: &str, arguments: &[&str], headers: &HeaderMap, body: &str) -> Option<String> {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/forwarding");
    if std::process::Command::new(program).arg(if program == "go" { "version" } else { "--version" }).output().is_err()
    {
        assert!(std::env::var_os("PAYTEND_NOTHING_SKIPPED").is_none(), "{program} is not installed");
        eprintln!("skipped: {program} is not installed; run `cargo xtask setup`");
        return None;
    }
    let mut command = std::process::Command::new(program);
    command.args(arguments).current_dir(directory).env("SECRET", SECRET);
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        command.env(name.to_uppercase().replace('-', "_"), headers[name].to_str().unwrap());
    }
    let output = crate::support::finish(&mut command, body.as_bytes());
    assert_eq!(output.code, 0, "{program}: {}", output.stderr);
    Some(output.stdout.trim().to_owned())
}

#[test]
fn examples_in_other_languages_verify_forwarded_notifications() {
    let place = Workplace::new();
    let secret = place.path("secret");
    std::fs::write(&secret, SECRET).unwrap();
    set_mode(&secret, 0o600);
    let (headers, body) = runtime().block_on(async {
        let (receiver, url) = Receiver::start(&[]).await;
        let service = place.start(&["--forward-to", &url, "--forward-secret-file", secret.to_str().unwrap()]);
        assert_eq!(service.post("/paytend/baas", place.paytend("8", r#"{"orderNo":"Ž1"}"#)).await, 200);
        until_state(&place, "done").await;
        drop(service);
        receiver.received().remove(0)
    });
    let altered = body.replace("Ž1", "Ž2");
    for (program, arguments) in [
        ("python3", &["verify.py"][..]),
        ("node", &["verify.mjs"]),
        ("go", &["run", "verify.go"]),
        ("java", &["Verify.java"]),
    ] {
        for (body, expected) in [(&body, "valid"), (&altered, "invalid")] {
            if let Some(result) = verified_by(program, arguments, &headers, body) {
                assert_eq!(result, expected, "{program}");
            }
        }
    }
}

#[test]
fn content_that_is_not_json_is_forwarded_as_text() {
    let place = Workplace::new();
    let secret = place.path("secret");
    std::fs::write(&secret, SECRET).unwrap();
    set_mode(&secret, 0o600);
    runtime().block_on(async {
        let (receiver, url) = Receiver::start(&[]).await;
        let service = place.start(&["--forward-to", &url, "--forward-secret-file", secret.to_str().unwrap()]);
        let content = r#"{"notify_id":"1","amount":NaN}"#;
        assert_eq!(service.post("/payby", place.signed("payby", content.to_owned())).await, 200);
        until_state(&place, "done").await;
        let message: Value = serde_json::from_str(&receiver.received()[0].1).unwrap();
        assert_eq!(message["data"]["content_text"], json!(content));
        drop(service);
    });
}

#[test]
fn forwarding_requires_https_and_a_private_secret_file() {
    let place = Workplace::new();
    let (secret, keys) = (place.path("secret"), place.path("keys"));
    std::fs::write(&secret, "short").unwrap();
    set_mode(&secret, 0o600);
    let run = |url: &str| {
        let arguments =
            ["--keys", keys.to_str().unwrap(), "--forward-to", url, "--forward-secret-file", secret.to_str().unwrap()];
        place.inbox("serve", &arguments)
    };
    assert!(run("https://example.com/").stderr.contains("invalid forward secret"));
    std::fs::write(&secret, SECRET).unwrap();
    for (url, message) in [
        ("http://example.com/", "must be an https URL"),
        ("https://user:pass@example.com/", "must not contain a user name"),
        ("nonsense", "invalid --forward-to"),
    ] {
        let ran = run(url);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
    }
    set_mode(&secret, 0o644);
    assert_eq!(run("https://example.com/").code, 3);
}

#[test]
fn settings_without_an_effect_are_refused() {
    let place = Workplace::new();
    let (secret, config, keys) = (place.path("secret"), place.path("config.toml"), place.path("keys"));
    std::fs::write(&secret, SECRET).unwrap();
    set_mode(&secret, 0o600);
    std::fs::write(&config, "requeue_sightings = [\"fund_deposit\"]\n").unwrap();
    let serve = |option: &str, file: &std::path::Path| {
        place.inbox("serve", &["--keys", keys.to_str().unwrap(), option, file.to_str().unwrap()])
    };
    let ran = serve("--config", &config);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("requeue_sightings: invalid kind; the kinds are account-opening"), "{}", ran.stderr);
    let ran = serve("--forward-secret-file", &secret);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("pass --forward-to URL"), "{}", ran.stderr);
    std::fs::write(&config, "forward_secret_file = \"secret\"\n").unwrap();
    assert_eq!(serve("--config", &config).code, 2);
    assert!(!place.path("inbox.db").exists() && !place.path("inbox.db.key").exists());
}

#[test]
fn repeated_deliveries_are_forwarded_with_a_new_identifier() {
    let place = Workplace::new();
    let (secret, config) = (place.path("secret"), place.path("config.toml"));
    std::fs::write(&secret, SECRET).unwrap();
    set_mode(&secret, 0o600);
    std::fs::write(&config, "requeue_sightings = [\"fund-deposit\"]\nretention = \"0s\"\n").unwrap();
    runtime().block_on(async {
        let (receiver, url) = Receiver::start(&[]).await;
        let arguments = ["--config", config.to_str().unwrap(), "--forward-to", &url];
        let arguments = [&arguments[..], &["--forward-secret-file", secret.to_str().unwrap()]].concat();
        let service = place.start(&arguments);
        let content = r#"{"orderNo":"F1"}"#;
        assert_eq!(service.post("/paytend/baas", place.paytend("2", content)).await, 200);
        until_state(&place, "done").await;
        drop(service);
        // The retention period is 0 s, so the service removes the content when it starts again.
        let service = place.start(&arguments);
        let has_content = || {
            let shown = place.inbox("show", &["1", "--json"]);
            serde_json::from_str::<Value>(&shown.stdout).unwrap()["has_content"] == true
        };
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while has_content() {
            assert!(std::time::Instant::now() < deadline, "the content was not removed");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(service.post("/paytend/baas", place.paytend("2", content)).await, 200);
        while receiver.received().len() < 2 {
            assert!(std::time::Instant::now() < deadline, "the repeated delivery was not forwarded");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let done = until_state(&place, "done").await;
        let received = receiver.received();
        let identifiers: Vec<_> = received.iter().map(|(headers, _)| headers["webhook-id"].to_str().unwrap()).collect();
        let dedup = done["dedup"].as_str().unwrap();
        assert_eq!(identifiers, [dedup.to_owned(), format!("{dedup}-1")]);
        let [first, second]: [Value; 2] = [0, 1].map(|index| serde_json::from_str(&received[index].1).unwrap());
        assert_eq!(
            (&first["data"]["content"]["orderNo"], &first["data"]["is_sighting"]),
            (&json!("F1"), &json!(false))
        );
        assert_eq!((&second["data"]["content"], &second["data"]["is_sighting"]), (&Value::Null, &json!(true)));
        drop(service);
    });
}
