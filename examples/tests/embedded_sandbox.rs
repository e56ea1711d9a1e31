//! Tests for a partner's program against an embedded sandbox, for use as a template.

// Tests should panic on setup errors.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use paytend_client::{Client, Environment, OrderState, OrderStates, Outcome, Resolution, RetryPolicy};
use paytend_model::issuing::Topup;
use paytend_sandbox::{Fault, FaultKind, Pace, Sandbox, Timing, TopupState};

/// The program under test, which tops up a card once, even if the response is lost.
///
/// Returns the state of the topup, because an accepted topup has not necessarily succeeded yet.
async fn top_up(client: &Client, order_no: &str) -> Result<OrderState, paytend_client::Error> {
    let topup =
        Topup::builder().card_id("1755902").order_no(order_no).amount("25.00".parse().unwrap()).currency("EUR").build();
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

/// Each test starts a separate sandbox on a free port. The sandbox stops when it is dropped.
#[tokio::test]
async fn topup_moves_money_to_card() {
    let sandbox = Sandbox::start().await.unwrap();
    assert_eq!(top_up(&client(&sandbox), "T-1").await.unwrap(), OrderState::Succeeded);
    assert_eq!(sandbox.card("1755902").unwrap().balance().to_string(), "25.00");
    assert_eq!(sandbox.funds("EUR").to_string(), "9975.00");
}

/// The sandbox executes the request, but its response is lost.
#[tokio::test]
async fn topup_with_lost_response_moves_money_once() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.fault(Fault::on::<Topup>(FaultKind::ResetAfter).once()).unwrap();
    assert_eq!(top_up(&client(&sandbox), "T-1").await.unwrap(), OrderState::Succeeded);
    assert_eq!(sandbox.calls::<Topup>(), 1);
    assert_eq!(sandbox.card("1755902").unwrap().balance().to_string(), "25.00");
    assert!(sandbox.conserves_money());
}

/// The sandbox refuses the topup, and the error contains the code and message from its response.
#[tokio::test]
async fn refused_topup_error_contains_provider_message() {
    let sandbox = Sandbox::start().await.unwrap();
    let topup = Topup::builder().card_id("1755902").order_no("T-1").amount("10000.01".parse().unwrap()).currency("EUR");
    let error = client(&sandbox).send(&topup.build()).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Rejected);
    assert_eq!(error.detail().as_deref(), Some("S104 insufficient funds"));
}

/// The sandbox's clock is frozen and the test advances it, so the test does not wait for the topup.
#[tokio::test]
async fn topup_succeeds_after_settle_time() {
    let sandbox = Sandbox::builder().timing(Timing::realistic()).pace(Pace::Frozen).start().await.unwrap();
    assert_eq!(top_up(&client(&sandbox), "T-1").await.unwrap(), OrderState::Processing);
    assert_eq!(sandbox.topup("T-1"), Some(TopupState::Processing));
    sandbox.advance(Duration::from_secs(2)).await;
    assert_eq!(sandbox.topup("T-1"), Some(TopupState::Succeeded));
}
