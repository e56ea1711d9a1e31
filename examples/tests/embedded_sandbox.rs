//! Tests of a partner's program against a Paytend of its own: copy them.

// A test that cannot go on should panic.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use paytend_client::{Client, Environment, OrderState, OrderStates, Resolution, RetryPolicy};
use paytend_model::issuing::Topup;
use paytend_sandbox::{Fault, FaultKind, Pace, Sandbox, Timing, TopupState};

/// The program under test: tops a card up, whatever happens to the response. A topup that stands has not succeeded yet, so the
/// caller gets its state.
async fn top_up(client: &Client, order_no: &str) -> Result<OrderState, paytend_client::Error> {
    let topup = Topup::new("1755902".into(), order_no.into(), "25.00".parse().unwrap(), "EUR".into());
    Ok(client.resolve(&topup).await?.state().clone())
}

fn client(sandbox: &Sandbox) -> Client {
    Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), sandbox.partner_keyring().unwrap())
        .retry(RetryPolicy::never())
        .resolution(Resolution::local_sandbox().poll_interval(Duration::from_millis(5)))
        .order_states(OrderStates::local_sandbox())
        .build()
        .unwrap()
}

/// Each test has a sandbox of its own, on a free port; it is gone when it is dropped.
#[tokio::test]
async fn a_card_is_topped_up() {
    let sandbox = Sandbox::start().await.unwrap();
    assert_eq!(top_up(&client(&sandbox), "T-1").await.unwrap(), OrderState::Succeeded);
    assert_eq!(sandbox.card("1755902").unwrap().balance().to_string(), "25.00");
    assert_eq!(sandbox.funds("EUR").to_string(), "9975.00");
}

/// The request is carried out, and its answer is lost.
#[tokio::test]
async fn a_lost_answer_moves_money_once() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.fault(Fault::new("topup", FaultKind::ResetAfter).once());
    assert_eq!(top_up(&client(&sandbox), "T-1").await.unwrap(), OrderState::Succeeded);
    assert_eq!(sandbox.calls("topup"), 1);
    assert_eq!(sandbox.card("1755902").unwrap().balance().to_string(), "25.00");
    assert!(sandbox.conserves_money());
}

/// Time stands still until the test moves it, so nothing is waited for.
#[tokio::test]
async fn a_topup_takes_a_while() {
    let sandbox = Sandbox::builder().timing(Timing::realistic()).pace(Pace::Frozen).start().await.unwrap();
    assert_eq!(top_up(&client(&sandbox), "T-1").await.unwrap(), OrderState::Processing);
    assert_eq!(sandbox.topup("T-1"), Some(TopupState::Processing));
    sandbox.advance(Duration::from_secs(2)).await;
    assert_eq!(sandbox.topup("T-1"), Some(TopupState::Succeeded));
}
