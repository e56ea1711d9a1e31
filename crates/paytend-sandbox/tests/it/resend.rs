//! Tests for the callback URLs of all senders, and for notifications that are posted again.

use paytend_model::Product;
use paytend_sandbox::{DeliverError, Sandbox};
use serde_json::json;

use crate::control::Control;
use crate::hook::{PAYBY, PAYERMAX, PAYTEND, hook};

#[tokio::test]
async fn callback_url_of_each_sender_receives_its_notifications() {
    let sandbox = Sandbox::start().await.unwrap();
    let control = Control::of(&sandbox);
    for (product, member, acknowledgement) in [
        ("baas", "callback", PAYTEND),
        ("issuing", "issuingCallback", PAYTEND),
        ("payby", "paybyCallback", PAYBY),
        ("payermax", "payermaxCallback", PAYERMAX),
    ] {
        let (url, came) = hook(&[], acknowledgement).await;
        let trigger = json!({"product": product, "notifyType": "3"});
        let trigger = if product.starts_with("pay") { json!({"product": product}) } else { trigger };
        let (status, made) = control.post("/trigger", &trigger).await;
        let without = made["deliveries"][0].as_u64();
        // The trigger for BaaS, a status change, is refused, because it needs a user and this sandbox has none.
        assert!(status == 200 || product == "baas", "{product}: {made}");
        assert_eq!(control.post("/callback", &json!({"product": product, "url": url})).await, (200, json!({})));
        let state = control.get("/state").await;
        assert_eq!(state["partners"][sandbox.partner_id()][member], url, "{product}");
        // A delivery without a URL is posted to the new callback URL.
        let Some(without) = without else {
            assert!(sandbox.notify(Product::Baas, "2", "{}").await.unwrap().is_acknowledged());
            assert_eq!(came.lock().unwrap().len(), 1);
            continue;
        };
        assert_eq!(control.get(&format!("/deliveries/{without}")).await["state"], "noUrl");
        let (status, resent) = control.post(&format!("/deliveries/{without}/resend"), &json!({})).await;
        assert_eq!((status, &resent["state"]), (200, &json!("acknowledged")), "{resent}");
        control.post("/trigger", &trigger).await;
        assert_eq!(came.lock().unwrap().len(), 2, "{product}");
    }
    let (url, came) = hook(&[], PAYBY).await;
    sandbox.payby_callback(&url).unwrap();
    assert!(sandbox.notify_payby(None, "{}").await.unwrap().is_acknowledged());
    let (url, other) = hook(&[], PAYERMAX).await;
    sandbox.payermax_callback(&url).unwrap();
    assert!(sandbox.notify_payermax(None, "{}").await.unwrap().is_acknowledged());
    assert_eq!((came.lock().unwrap().len(), other.lock().unwrap().len()), (1, 1));
    assert!(matches!(sandbox.payby_callback("ftp://host/"), Err(DeliverError::Refused { code: "S107", .. })));
}

#[tokio::test]
async fn delivery_is_posted_again_with_the_same_content() {
    let sandbox = Sandbox::builder().pace(paytend_sandbox::Pace::Frozen).start().await.unwrap();
    let control = Control::of(&sandbox);
    let (url, came) = hook(&[(200, PAYBY), (500, "")], PAYBY).await;
    let first = sandbox.notify_payby(Some(&url), "").await.unwrap();
    assert!(first.is_acknowledged() && first.id() == 1);
    // The second attempt fails. Later retries follow the schedule.
    let again = sandbox.resend(first.id()).await.unwrap();
    assert_eq!((again.is_acknowledged(), again.is_final(), again.attempts()), (false, false, 2));
    sandbox.advance(std::time::Duration::from_secs(600)).await;
    let retried = sandbox.deliveries().pop().unwrap();
    assert_eq!((retried.is_acknowledged(), retried.attempts()), (true, 3));
    assert!(came.lock().unwrap().iter().all(|(_, body)| *body == first.content()));
    // A new URL replaces the previous URL.
    let (other, elsewhere) = hook(&[], PAYBY).await;
    let (status, resent) = control.post("/deliveries/1/resend", &json!({"url": other})).await;
    assert_eq!((status, &resent["url"], &resent["content"]), (200, &json!(other), &json!(first.content())));
    assert!(sandbox.resend(1).await.unwrap().is_acknowledged());
    assert_eq!((came.lock().unwrap().len(), elsewhere.lock().unwrap().len()), (3, 2));
    assert!(matches!(sandbox.resend(2).await, Err(DeliverError::Refused { .. })));
    assert!(matches!(sandbox.notify_payermax(None, "").await, Err(DeliverError::NoCallbackUrl)));
    assert!(matches!(sandbox.resend(2).await, Err(DeliverError::Refused { .. })));
    assert!(sandbox.conserves_money());
}

/// A receiver that requests a notification again while it is handling that notification receives the notification
/// twice.
#[tokio::test]
async fn resend_waits_for_the_delivery_in_flight() {
    let sandbox = std::sync::Arc::new(Sandbox::start().await.unwrap());
    let (asking, count) = (sandbox.clone(), std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0)));
    let counted = count.clone();
    let app = axum::Router::new().fallback(move || {
        let sandbox = asking.clone();
        let is_first = counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        async move {
            if is_first {
                tokio::spawn(async move { sandbox.resend(1).await.unwrap() });
            }
            PAYBY
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    sandbox.notify_payby(Some(&url), "").await.unwrap();
    let start = std::time::Instant::now();
    while sandbox.deliveries()[0].attempts() < 2 || !sandbox.deliveries()[0].is_acknowledged() {
        assert!(start.elapsed().as_secs() < 30, "{:?}", sandbox.deliveries());
        tokio::task::yield_now().await;
    }
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[cfg(feature = "persist")]
#[tokio::test]
async fn callback_urls_and_resent_deliveries_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Sandbox::builder().data(folder.path().join("data.sqlite")).start();
    let (url, came) = hook(&[], PAYBY).await;
    let sandbox = start().await.unwrap();
    let id = sandbox.partner_id().to_owned();
    assert!(sandbox.notify_payby(None, "").await.is_err());
    sandbox.payby_callback(&url).unwrap();
    assert!(sandbox.resend(1).await.unwrap().is_acknowledged());
    drop(sandbox);
    let sandbox = start().await.unwrap();
    assert_eq!(sandbox.partner_id(), id);
    let delivery = sandbox.deliveries().pop().unwrap();
    assert!(delivery.is_acknowledged() && delivery.attempts() == 1);
    assert!(sandbox.notify_payby(None, "").await.unwrap().is_acknowledged());
    assert_eq!(came.lock().unwrap().len(), 2);
}
