//! Measures the overhead of receiving a notification compared with only opening it, and the time for rejecting garbage.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, header};
use http_body_util::Full;
use paytend_crypto::rsa::RsaPublic;
use paytend_crypto::{Expected, Fields, Outgoing, PrivateKey, rustcrypto};
use paytend_model::Product;
use paytend_webhook::server::Endpoint;
use paytend_webhook::service::{Notifications, handler};
use paytend_webhook::{PayByReceiver, PaytendReceiver, Receiver, Reply};
use tower_service::Service;

use crate::measure::{Clock, Work, medians_by};
use crate::{Candidate, PARTNER_ID, payload, repeat};

/// The minimum speed of the receiver, in thousandths of the speed of only opening the message. The value allows an
/// overhead of 10 %.
pub(crate) const FLOOR: u128 = 909;
/// The minimum speed of a whole service, in thousandths of the speed of only opening the message. The value is lower
/// because the service runs each handler in a separate task, so that a disconnect cannot cancel the handler.
pub(crate) const SERVICE_FLOOR: u128 = 870;
/// The maximum time for rejecting garbage, in nanoseconds.
pub(crate) const GARBAGE: u128 = 5000;

/// The results for receiving notifications.
#[derive(Default)]
pub(crate) struct Webhook {
    /// For each backend, the speeds of the receiver, of a whole service, and of a whole service that runs the
    /// cryptography on a separate thread. Each is in thousandths of the speed of only opening the message.
    pub(crate) shares: Vec<(&'static str, [u128; 3])>,
    /// The time for rejecting each kind of garbage, in nanoseconds.
    pub(crate) garbage: Vec<(&'static str, u128)>,
}

impl Webhook {
    pub(crate) fn holds(&self) -> bool {
        self.shares.iter().all(|(_, [receive, service, _])| *receive >= FLOOR && *service >= SERVICE_FLOOR)
            && self.garbage.iter().all(|(_, time)| *time <= GARBAGE)
    }

    pub(crate) fn measure(candidates: &[Candidate], payby: &PrivateKey, batch: Duration) -> Self {
        let shares = candidates.iter().map(|candidate| (candidate.name, measure_shares(candidate, batch)));
        // Garbage is rejected without a key, so the backend does not matter.
        Self { shares: shares.collect(), garbage: measure_garbage(&candidates[0], payby, batch) }
    }
}

fn deposit() -> &'static str {
    concat!(
        r#"{"transactionId":"T000000000001","orderNo":"F000000000001","accountNum":"LT463570021000000451","#,
        r#""tradeType":1,"tradeStatus":2,"paymentType":3,"currency":"EUR","amount":1250.07,"#,
        r#""counterpartyAccountName":"Example GmbH","counterpartyAccountNum":"DE89370400440532013000","#,
        r#""reference":"INV-1","exRate":"1.0000","targetCurrency":"EUR","targetAmount":1250.07}"#,
    )
}

fn measure_shares(backend: &Candidate, batch: Duration) -> [u128; 3] {
    let fields = Fields::notification(PARTNER_ID, "2");
    let document = backend.sender.seal(&Outgoing::new(&fields).payload(deposit())).unwrap().into_document();
    let expected = Expected::notification(PARTNER_ID);
    let receiver = PaytendReceiver::new(Product::Baas, PARTNER_ID, backend.receiver.clone());
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let now = SystemTime::now();
    let runtime = &tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let body = &Bytes::from(document.clone().into_bytes());
    let serving = |endpoint| {
        let mut service = Notifications::new(endpoint, handler(|_| std::future::ready(Reply::Accepted)));
        move |repetitions: usize| {
            runtime.block_on(async {
                for _ in 0..repetitions {
                    let request = Request::post("/").body(Full::new(body.clone())).unwrap();
                    assert_eq!(service.call(request).await.unwrap().status(), 200);
                }
            });
        }
    };
    // Some candidates use several threads, so the CPU time of the whole process is counted for every
    // candidate.
    let times = medians_by(
        Clock::Process,
        &mut [
            repeat(|| drop(backend.receiver.open(document.as_bytes(), &expected).unwrap())),
            repeat(|| drop(receiver.receive(&headers, document.as_bytes(), now).unwrap())),
            Box::new(serving(Endpoint::new(receiver.clone()).run_inline())) as Work<'_>,
            Box::new(serving(Endpoint::new(receiver.clone()))),
        ],
        batch,
    );
    [1, 2, 3].map(|candidate: usize| times[0] * 1000 / times[candidate].max(1))
}

/// Measures how long it takes to reject 1 KiB of garbage, for each kind of garbage that is recognized without a key.
fn measure_garbage(backend: &Candidate, payby: &PrivateKey, batch: Duration) -> Vec<(&'static str, u128)> {
    let sealed = |partner: &str| {
        let (fields, text) = (Fields::notification(partner, "2"), payload(230));
        backend.sender.seal(&Outgoing::new(&fields).payload(&text)).unwrap().into_document().into_bytes()
    };
    let other_partner = sealed("888666000100999");
    let cut = sealed(PARTNER_ID);
    let cut = cut[..cut.len() - 1].to_vec();
    let html = b"<html>".iter().copied().cycle().take(1024).collect::<Vec<u8>>();
    let json = payload(1024).into_bytes();
    let paytend = PaytendReceiver::new(Product::Baas, PARTNER_ID, backend.receiver.clone());
    let key: Arc<dyn RsaPublic> = rustcrypto::public(payby.public_key()).unwrap();
    let payby = PayByReceiver::new([key]).unwrap();
    let (none, now) = (HeaderMap::new(), SystemTime::now());
    let short = HeaderMap::from_iter([("sign".parse().unwrap(), HeaderValue::from_static("AAAA"))]);
    let paytend = |body: &[u8]| assert!(paytend.receive(&none, body, now).is_err());
    let payby = |headers: &HeaderMap| assert!(payby.receive(headers, &json, now).is_err());
    let names = [
        "not JSON",
        "JSON that is not an envelope",
        "a truncated envelope",
        "an envelope for another partner",
        "a body without a sign header",
        "a body whose sign header does not match the key length",
    ];
    let times = medians_by(
        Clock::Thread,
        &mut [
            repeat(|| paytend(&html)),
            repeat(|| paytend(&json)),
            repeat(|| paytend(&cut)),
            repeat(|| paytend(&other_partner)),
            repeat(|| payby(&none)),
            repeat(|| payby(&short)),
        ],
        batch,
    );
    names.into_iter().zip(times).collect()
}
