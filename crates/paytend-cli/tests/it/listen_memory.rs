//! Tests of the limit on what `paytend listen` keeps in memory.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use http::StatusCode;
use serde_json::Value;
use tokio::sync::watch;

use crate::inbox_service::{Workplace, client, post as post_request, runtime};
use crate::listen::Lines;
use crate::schema::checked;
use crate::support::set_mode;

/// The limit on the encrypted content in memory, in bytes.
const LIMIT: usize = 16 << 20;
/// The size of the authentication tag of an encrypted notification, in bytes.
const TAG: usize = 16;

/// Returns a notification whose size is close to the limit of the receiver.
fn body(number: usize) -> String {
    format!(
        r#"{{"notify_id":"{number:0>6}","memo":"{}","transferToBankOrder":{{"merchantOrderNo":"M","orderNo":"9",
        "status":"SUCCESS","amount":{{"amount":1.50,"currency":"AED"}}}}}}"#,
        "x".repeat(60_000)
    )
}

/// Starts a service that responds with status 204 after it was released. Also returns the IDs of the notifications to
/// which it responds.
async fn service(released: watch::Receiver<bool>) -> (String, Arc<Mutex<Vec<usize>>>) {
    let ids = Arc::new(Mutex::new(Vec::new()));
    let responded = ids.clone();
    let app = Router::new().route(
        "/",
        post(move |body: String| {
            let (mut released, responded) = (released.clone(), responded.clone());
            async move {
                let _ = released.wait_for(|released| *released).await;
                let body: Value = serde_json::from_str(&body).unwrap();
                let id = body["data"]["content"]["notify_id"].as_str().unwrap().parse().unwrap();
                responded.lock().unwrap().push(id);
                StatusCode::NO_CONTENT
            }
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, ids)
}

/// Returns the printed lines about an event.
fn printed(lines: &Lines, event: &str) -> Vec<Value> {
    let lines = lines.lines.lock().unwrap().clone();
    let lines = lines.iter().skip(1).map(|line| checked("listen", line));
    lines.filter(|line| line["event"] == event).collect()
}

#[test]
fn notifications_are_refused_while_too_many_wait_to_be_forwarded() {
    let (place, runtime) = (Workplace::new(), runtime());
    let secret = place.path("secret");
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    set_mode(&secret, 0o600);
    let [keys, secret] = [place.path("keys"), secret].map(|path| path.to_str().unwrap().to_owned());
    let (release, released) = watch::channel(false);
    let (service, forwarded) = runtime.block_on(service(released));
    let lines = Lines::start(&["listen", "--keys", &keys, "--forward-to", &service, "--forward-secret-file", &secret]);
    let ready = checked("listen-ready", &lines.wait_for(1)[0]);
    let url = format!("{}/payby", ready["url"].as_str().unwrap());
    let client = client();
    let send = |number: usize| {
        let request = place.signed("payby", body(number));
        runtime.block_on(post_request(&client, &url, request))
    };
    let fits = LIMIT / (body(0).len() + TAG);
    for number in 0..fits {
        assert_eq!(send(number), 200, "{number}");
    }
    assert_eq!((send(fits), send(0)), (503, 200), "the last one is new, and the first one a duplicate");
    let start = Instant::now();
    let refused = loop {
        match printed(&lines, "received").into_iter().find(|line| line["status"] == 503) {
            Some(line) => break line,
            None => assert!(start.elapsed() < Duration::from_secs(60), "the refusal is not printed"),
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.contains(&format!("the memory for notifications is full: {fits} are waiting")), "{reason}");
    // After the service has responded, the provider's repetition is accepted. Every notification is forwarded once.
    release.send(true).unwrap();
    let start = Instant::now();
    while send(fits) != 200 {
        assert!(start.elapsed() < Duration::from_secs(60), "the notification is still refused");
        std::thread::sleep(Duration::from_millis(50));
    }
    while printed(&lines, "forwarded").len() <= fits {
        assert!(start.elapsed() < Duration::from_secs(120), "not all notifications are forwarded");
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut forwarded = forwarded.lock().unwrap().clone();
    forwarded.sort_unstable();
    assert_eq!(forwarded, (0..=fits).collect::<Vec<_>>());
}

/// Without a service, nothing waits: no notification fills the memory.
#[test]
fn notifications_that_are_not_forwarded_do_not_fill_the_memory() {
    let (place, runtime) = (Workplace::new(), runtime());
    let keys = place.path("keys").to_str().unwrap().to_owned();
    let lines = Lines::start(&["listen", "--keys", &keys]);
    let ready = checked("listen-ready", &lines.wait_for(1)[0]);
    let (client, url) = (client(), format!("{}/payby", ready["url"].as_str().unwrap()));
    let count = LIMIT / body(0).len() + 10;
    for number in 0..count {
        let request = place.signed("payby", body(number));
        assert_eq!(runtime.block_on(post_request(&client, &url, request)), 200, "{number}");
    }
    let received = lines.wait_for(count + 1);
    assert!(received.iter().skip(1).all(|line| checked("listen", line)["duplicate"] == false));
    let request = place.signed("payby", body(0));
    assert_eq!(runtime.block_on(post_request(&client, &url, request)), 200);
    assert_eq!(checked("listen", &lines.wait_for(count + 2)[count + 1])["duplicate"], true);
}
