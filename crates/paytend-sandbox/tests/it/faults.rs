//! Tests for fault injection from a client's perspective.

use std::time::Duration;

use paytend_client::{Client, Environment, ErrorKind, Outcome, RetryPolicy};
use paytend_model::issuing::{
    CreateCardholder, QueryPartnerBalance, QueryPartnerTransactions, QueryTopupResult, Topup,
};
use paytend_sandbox::{Fault, FaultKind, Sandbox, TopupState};

use crate::client;
use crate::hook::{PAYTEND, hook};

fn topup(order_no: &str) -> Topup {
    Topup::builder().card_id("1755902").order_no(order_no).amount("1.00".parse().unwrap()).currency("EUR").build()
}

/// Checks for each fault whether the request was carried out, and which outcome the client reports.
#[tokio::test]
async fn each_fault_has_its_documented_effect() {
    let sandbox = Sandbox::start().await.unwrap();
    let client = client(&sandbox);
    for (fault, happened, outcome) in [
        (FaultKind::ResetBefore, false, Outcome::Unknown),
        (FaultKind::ResetAfter, true, Outcome::Unknown),
        (FaultKind::HalfBody, true, Outcome::Unknown),
        (FaultKind::Html502, false, Outcome::Unknown),
        (FaultKind::UnsignedSuccess, true, Outcome::Unknown),
        (FaultKind::WrongSignature, true, Outcome::Unknown),
        (FaultKind::WrongKey, true, Outcome::Unknown),
        (FaultKind::StaleKey, true, Outcome::Unknown),
        (FaultKind::RateLimit, false, Outcome::Unknown),
    ] {
        let order = format!("T-{fault:?}");
        sandbox.fault(Fault::on::<Topup>(fault.clone()).once()).unwrap();
        let error = client.send(&topup(&order)).await.unwrap_err();
        assert_eq!(sandbox.topup(&order).is_some(), happened, "{fault:?}: {error}");
        if happened {
            assert_eq!(error.outcome(), outcome, "{fault:?}: {error}");
            assert_eq!(sandbox.topup(&order), Some(TopupState::Succeeded));
        } else {
            assert_ne!(error.outcome(), Outcome::NotSent, "{fault:?}: {error}");
        }
        // The next request is not affected by the fault.
        assert_eq!(client.send(&QueryTopupResult::new(order)).await.is_ok(), happened);
    }
    assert_eq!(sandbox.card("1755902").unwrap().balance().to_string(), "6.00");
    assert!(sandbox.conserves_money());
}

#[tokio::test]
async fn stale_key_fault_signs_with_the_key_from_before_the_rotation() {
    let sandbox = Sandbox::start().await.unwrap();
    let before = client(&sandbox);
    before.send(&QueryPartnerBalance::new()).await.unwrap();
    sandbox.rotate_key().unwrap();
    // A client with only the old key can no longer call the sandbox.
    let error = before.send(&QueryPartnerBalance::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsignedFailure);
    let after = client(&sandbox);
    after.send(&QueryPartnerBalance::new()).await.unwrap();
    sandbox.fault(Fault::on_all_calls(FaultKind::StaleKey).once()).unwrap();
    assert_eq!(after.send(&QueryPartnerBalance::new()).await.unwrap_err().kind(), ErrorKind::InvalidResponse);
    after.send(&QueryPartnerBalance::new()).await.unwrap();
}

#[tokio::test]
async fn hang_fault_causes_a_timeout_and_latency_fault_delays_the_response() {
    let sandbox = Sandbox::start().await.unwrap();
    // The longer timeout is for calls that must succeed even on a busy machine.
    let [hasty, patient] = [Duration::from_secs(2), Duration::from_secs(30)].map(|timeout| {
        Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), sandbox.partner_keyring().unwrap())
            .attempt_timeout(timeout)
            .retry(RetryPolicy::never())
            .build()
            .unwrap()
    });
    patient.send(&QueryPartnerBalance::new()).await.unwrap();
    sandbox.fault(Fault::on::<Topup>(FaultKind::Hang).once()).unwrap();
    let error = hasty.send(&topup("T-1")).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::Unknown), "{error}");
    assert_eq!(sandbox.topup("T-1"), None);
    sandbox.fault(Fault::on::<Topup>(FaultKind::Latency { millis: 50 }).once()).unwrap();
    let start = std::time::Instant::now();
    patient.send(&topup("T-2")).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn notification_first_fault_posts_notification_before_response() {
    let sandbox = Sandbox::start().await.unwrap();
    let client = client(&sandbox);
    let (url, came) = hook(&[], PAYTEND).await;
    sandbox.issuing_callback(&url).unwrap();
    sandbox.fault(Fault::on::<CreateCardholder>(FaultKind::NotificationFirst).once()).unwrap();
    client.call("createCardholder", &crate::cardholder()).await.unwrap();
    // The test does not have to wait, because the notification arrived before the response.
    assert_eq!(came.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn execute_duplicate_fault_carries_out_a_repeated_topup() {
    let sandbox = Sandbox::start().await.unwrap();
    let client = client(&sandbox);
    let [prepared, again] = [(); 2].map(|()| client.prepare(&topup("T-1")).unwrap());
    let send = async |prepared| client.send_prepared(prepared, Duration::from_secs(30)).await;
    send(&prepared).await.unwrap();
    for (request, code) in [(&prepared, "S006"), (&again, "S103")] {
        assert_eq!(send(request).await.unwrap_err().api_code(), Some(code));
    }
    sandbox.fault(Fault::on_all_calls(FaultKind::ExecuteDuplicate)).unwrap();
    assert_eq!(sandbox.topup_count("T-1"), 1);
    for (request, count) in [(&prepared, 2), (&again, 3)] {
        let response = send(request).await.unwrap();
        assert_eq!(response.data().order_no.as_ref().unwrap().as_str(), "T-1");
        assert_eq!((sandbox.topup_count("T-1"), sandbox.topup("T-1")), (count, Some(TopupState::Succeeded)));
    }
    assert_eq!(sandbox.topup_count("T-2"), 0);
    assert_eq!(sandbox.card("1755902").unwrap().balance().to_string(), "3.00");
    let days = QueryPartnerTransactions::builder().begin_date("2000-01-01").end_date("2999-12-31").build();
    let listed = client.send(&days).await.unwrap();
    let numbers = listed.trade_list.iter().flatten().map(|one| one.order_no.as_ref().unwrap().as_str());
    assert_eq!(numbers.collect::<Vec<_>>(), ["T-1"; 3]);
    assert!(sandbox.conserves_money());
    sandbox.clear_faults();
    assert_eq!(send(&prepared).await.unwrap_err().api_code(), Some("S006"));
}

/// Under random faults, each order is sent until a query finds it. Each order moves money exactly once.
#[tokio::test]
async fn each_order_is_applied_once_under_random_faults() {
    let sandbox = Sandbox::start().await.unwrap();
    for fault in [
        FaultKind::ResetBefore,
        FaultKind::ResetAfter,
        FaultKind::HalfBody,
        FaultKind::Html502,
        FaultKind::WrongSignature,
    ] {
        sandbox.fault(Fault::on_all_calls(fault).percent(15)).unwrap();
    }
    let client = client(&sandbox);
    let orders: Vec<_> = (0..20)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move {
                let order = format!("T-{n}");
                loop {
                    let _ = client.send(&topup(&order)).await;
                    if client.send(&QueryTopupResult::new(order.as_str())).await.is_ok() {
                        return;
                    }
                }
            })
        })
        .collect();
    for order in orders {
        order.await.unwrap();
    }
    assert_eq!(sandbox.card("1755902").unwrap().balance().to_string(), "20.00");
    assert_eq!(sandbox.funds("EUR").to_string(), "9980.00");
    assert!(sandbox.conserves_money());
}
