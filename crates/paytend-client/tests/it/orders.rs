//! Tests for order states, and for `send_and_wait`.

use std::time::Duration;

use paytend_client::{
    Client, Environment, ErrorKind, OrderState, OrderStates, Outcome, Resolution, Resolved, TransportErrorKind,
};
use paytend_model::issuing::{ApplyCard, QueryTopupResult, Topup};
use paytend_sandbox::{Pace, Sandbox, Timing};

use crate::scripted::{Scripted, Step};

const PROCESSING: Step = Step::Success(r#"{"orderNo":"T-1","status":"1"}"#);
const SUCCEEDED: Step = Step::Success(r#"{"orderNo":"T-1","status":"2"}"#);
const FAILED: Step = Step::Success(r#"{"orderNo":"T-1","status":"3"}"#);
const NEW_CODE: Step = Step::Success(r#"{"orderNo":"T-1","status":"9"}"#);
const NO_STATUS: Step = Step::Success(r#"{"orderNo":"T-1"}"#);

fn topup() -> Topup {
    Topup::builder().card_id("1755902").order_no("T-1").amount("25.00".parse().unwrap()).currency("EUR").build()
}

fn unknown(code: Option<&str>) -> OrderState {
    OrderState::Unknown(code.map(str::to_owned))
}

/// A failed topup is an existing order in the `Failed` state, not an error.
#[tokio::test]
async fn status_code_determines_the_order_state() {
    let lost = || Step::Lost(TransportErrorKind::Broken);
    for (step, state) in [
        (PROCESSING, OrderState::Processing),
        (SUCCEEDED, OrderState::Succeeded),
        (FAILED, OrderState::Failed),
        (NEW_CODE, unknown(Some("9"))),
        (NO_STATUS, unknown(None)),
    ] {
        let again = match &step {
            Step::Success(data) => Step::Success(data),
            _ => unreachable!(),
        };
        let transport = Scripted::new([step, lost(), again]);
        let client = transport.builder().0.order_states(OrderStates::local_sandbox()).build().unwrap();
        let answered = client.resolve(&topup()).await.unwrap();
        assert!(matches!(answered, Resolved::Responded { .. }) && *answered.state() == state, "{answered:?}");
        let found = client.resolve(&topup()).await.unwrap();
        assert!(matches!(found, Resolved::Found { .. }) && *found.state() == state, "{found:?}");
    }
}

#[tokio::test]
async fn order_states_can_be_configured_for_all_or_single_operations() {
    let transport =
        Scripted::new([SUCCEEDED, SUCCEEDED, Step::Success("{}"), Step::Lost(TransportErrorKind::Broken), FAILED]);
    assert_eq!(*transport.client().resolve(&topup()).await.unwrap().state(), unknown(Some("2")));
    let other = OrderStates::new().processing(["2"]).succeeded(["3"]);
    let builder = transport.builder().0.order_states(OrderStates::local_sandbox()).order_states_of("applyCard", other);
    let client = builder.build().unwrap();
    assert_eq!(*client.resolve(&topup()).await.unwrap().state(), OrderState::Succeeded);
    let address = paytend_model::issuing::Address::builder()
        .address_line("a")
        .city_code("c")
        .postcode("p")
        .country_code("LT")
        .build();
    let [scheme, kind, sku] = ["3", "2", "SKU1"];
    let apply = ApplyCard::builder()
        .order_no("T-1")
        .card_scheme(scheme)
        .card_type(kind)
        .sku(sku)
        .quantity(1)
        .contact_name("n")
        .contact_mobile("m")
        .delivery_address(address)
        .build();
    assert_eq!(
        *client.resolve(&apply).await.unwrap().state(),
        unknown(None),
        "the response to this operation has no data"
    );
    assert_eq!(*client.resolve(&apply).await.unwrap().state(), OrderState::Succeeded);
    let twice = OrderStates::new().succeeded(["2"]).failed(["2"]);
    for builder in [
        transport.builder().0.order_states(twice.clone()),
        transport.builder().0.order_states_of("topup", twice),
        transport.builder().0.order_states_of("toppup", OrderStates::new()),
    ] {
        let error = builder.build().unwrap_err();
        assert!(error.kind() == ErrorKind::Configuration && error.to_string().contains("order states of"), "{error}");
    }
}

#[tokio::test]
async fn send_and_wait_returns_the_final_state_or_the_last_known_state() {
    let configured = |transport: &std::sync::Arc<Scripted>| {
        let (builder, clock) = transport.builder();
        let resolution = Resolution::local_sandbox().poll_interval(Duration::from_secs(2));
        let client = builder.order_states(OrderStates::local_sandbox()).resolution(resolution).build().unwrap();
        (client, clock)
    };
    // The wait continues after a failed query and after an unknown status code.
    let transport = Scripted::new([PROCESSING, PROCESSING, Step::Raw(503, vec![], &[]), NEW_CODE, FAILED]);
    let (client, clock) = configured(&transport);
    let resolved = client.send_and_wait(&topup()).await.unwrap();
    assert_eq!(*resolved.state(), OrderState::Failed);
    assert_eq!(clock.waits().iter().filter(|wait| **wait == 2000).count(), 3);
    let sent = transport.seen().iter().filter(|request| request.url.ends_with("/topup")).count();
    assert_eq!(sent, 1);
    // The wait ends only when the query reports a final state, in its first response or in a later one.
    for (steps, waits) in [(vec![SUCCEEDED, SUCCEEDED], 0), (vec![SUCCEEDED, PROCESSING, FAILED], 1)] {
        let last = if waits == 0 { OrderState::Succeeded } else { OrderState::Failed };
        let transport = Scripted::new(steps);
        let (client, clock) = configured(&transport);
        assert_eq!(*client.send_and_wait(&topup()).await.unwrap().state(), last);
        assert_eq!(clock.waits().len(), waits);
    }
    // One query finds an order with the same number but a different card. This is a different order, so its state is
    // ignored.
    let other = Step::Success(r#"{"orderNo":"T-1","cardId":"7","status":"2"}"#);
    let transport = Scripted::new((0..2).map(|_| PROCESSING).chain([other]).chain((0..99).map(|_| PROCESSING)));
    let (client, _) = configured(&transport);
    let resolved = client.request(&topup()).deadline(Duration::from_secs(20)).send_and_wait().await.unwrap();
    assert_eq!(*resolved.state(), OrderState::Processing);
    assert!(transport.seen()[1..].iter().all(|request| request.fresh_connection));
    // At the deadline the last known state is returned, because the order exists.
    let transport = Scripted::new((0..99).map(|_| PROCESSING));
    let (client, clock) = configured(&transport);
    let resolved = client.request(&topup()).deadline(Duration::from_secs(11)).send_and_wait().await.unwrap();
    assert_eq!(*resolved.state(), OrderState::Processing);
    assert_eq!(clock.waits(), [2000; 5]);
    // The last known state is also returned if the query is rejected or its response is not authentic.
    for step in [Step::Failure("X9"), Step::Raw(200, b"{}".to_vec(), &[])] {
        let transport = Scripted::new([PROCESSING, step]);
        let (client, _) = configured(&transport);
        assert_eq!(*client.send_and_wait(&topup()).await.unwrap().state(), OrderState::Processing);
    }
}

#[tokio::test]
async fn local_sandbox_presets_match_the_sandbox() {
    let sandbox = Sandbox::builder().timing(Timing::realistic()).pace(Pace::Frozen).start().await.unwrap();
    let keyring = sandbox.partner_keyring().unwrap();
    let client = Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), keyring)
        .resolution(Resolution::local_sandbox().settle_time(Duration::ZERO).poll_interval(Duration::from_millis(5)))
        .order_states(OrderStates::local_sandbox())
        .build()
        .unwrap();
    let topup = Topup::builder()
        .card_id(sandbox.card_id())
        .order_no("T-1")
        .amount("25.00".parse().unwrap())
        .currency("EUR")
        .build();
    assert_eq!(*client.resolve(&topup).await.unwrap().state(), OrderState::Processing);
    // The sandbox's clock advances during the wait.
    let (resolved, ()) = tokio::join!(client.send_and_wait(&topup), sandbox.advance(Duration::from_secs(2)));
    assert_eq!(*resolved.unwrap().state(), OrderState::Succeeded);
    assert_eq!(sandbox.calls::<Topup>(), 2, "the second topup must be sent, and rejected as a duplicate");
    let error = client.send(&QueryTopupResult::new("T-9")).await.unwrap_err();
    assert_eq!((error.api_code(), error.outcome()), (Some("S102"), Outcome::Rejected));
    let mut too_much = Topup::builder()
        .card_id(sandbox.card_id())
        .order_no("T-2")
        .amount("99999".parse().unwrap())
        .currency("EUR")
        .build();
    too_much.currency = "EUR".into();
    let error = client.resolve(&too_much).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Rejected, Outcome::Rejected));
}
