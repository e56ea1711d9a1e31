//! Tests for resolving orders whose response was lost, with a sandbox behind a proxy that injects faults.

use std::sync::Arc;
use std::time::Duration;

use paytend_client::{
    Client, Clock, ConnectFailure, Environment, ErrorKind, Outcome, Resolution, Resolvable, Resolved,
    TransportErrorKind,
};
use paytend_model::issuing::{ApplyCard, QueryCardBalance, QueryPartnerBalance, Topup};
use paytend_sandbox::Sandbox;

use crate::proxy::{Fault, Proxy};
use crate::scripted::{ImpatientClock, Longest, Scripted, Step};

const TOPUP: &str = "/issuing/card/topup";
const RESULT: &str = "/issuing/card/getTopupResult";

struct Bench {
    sandbox: Sandbox,
    proxy: Proxy,
    client: Client,
}

impl Bench {
    async fn new() -> Self {
        let sandbox = Sandbox::start().await.unwrap();
        let proxy = Proxy::before(&sandbox.url()).await;
        let client = Client::builder(
            Environment::BaseUrl(proxy.url.clone()),
            sandbox.partner_id(),
            sandbox.partner_keyring().unwrap(),
        )
        .clock(Arc::new(ImpatientClock::default()) as Arc<dyn Clock>)
        // The sandbox's code for an unknown order.
        .resolution(Resolution::new().unknown_order_codes(["S102"]).settle_time(Duration::ZERO).max_sends(9))
        .build()
        .unwrap();
        Self { sandbox, proxy, client }
    }

    fn topup(&self) -> Topup {
        Topup::builder()
            .card_id(self.sandbox.card_id())
            .order_no("T-1")
            .amount("25.00".parse().unwrap())
            .currency("EUR")
            .build()
    }

    /// Returns the partner's balance and the card's balance.
    async fn balances(&self) -> (String, String) {
        let partner = self.client.send(&QueryPartnerBalance::new()).await.unwrap().balance.unwrap();
        let card = self.client.send(&QueryCardBalance::new(self.sandbox.card_id())).await.unwrap();
        (partner[0].available.to_string(), card.balance.unwrap().to_string())
    }
}

/// Returns the partner's balance and the card's balance after one topup.
fn after_one_topup() -> (String, String) {
    ("9975.00".into(), "25.00".into())
}

#[tokio::test]
async fn order_is_queried_after_a_rejection_but_not_after_a_success() {
    let bench = Bench::new().await;
    assert!(matches!(bench.client.resolve(&bench.topup()).await.unwrap(), Resolved::Responded { .. }));
    assert_eq!(bench.proxy.paths(), ["topup"]);
    // A second order with the same number, as sent after a restart, is rejected as a duplicate. The query then finds
    // the first order.
    let Resolved::Found { order, .. } = bench.client.resolve(&bench.topup()).await.unwrap() else { panic!() };
    assert_eq!(order.order_no.as_deref(), Some("T-1"));
    // An order that is rejected and does not exist is reported as rejected.
    let mut too_much = bench.topup();
    (too_much.order_no, too_much.amount) = ("T-2".into(), "99999".parse().unwrap());
    let error = bench.client.resolve(&too_much).await.unwrap_err();
    assert_eq!((error.outcome(), error.api_code()), (Outcome::Rejected, Some("S104")));
    let queries = ["getTopupResult"; 3];
    assert_eq!(bench.proxy.paths(), [&["topup", "topup", "getTopupResult", "topup"][..], &queries].concat());
    assert_eq!(bench.balances().await, after_one_topup());
}

#[tokio::test]
async fn executed_order_is_found_and_not_sent_again() {
    let bench = Bench::new().await;
    bench.proxy.fail(TOPUP, &[Fault::LoseResponse]);
    let Resolved::Found { order, .. } = bench.client.resolve(&bench.topup()).await.unwrap() else { panic!() };
    assert_eq!((order.order_no.as_deref(), order.amount.unwrap().to_string().as_str()), (Some("T-1"), "25.00"));
    assert_eq!(bench.proxy.paths(), ["topup", "getTopupResult"]);
    assert_eq!(bench.balances().await, after_one_topup());
}

#[tokio::test]
async fn lost_order_is_sent_again_after_it_is_reported_unknown() {
    let bench = Bench::new().await;
    bench.proxy.fail(TOPUP, &[Fault::LoseRequest]);
    assert!(matches!(bench.client.resolve(&bench.topup()).await.unwrap(), Resolved::Responded { .. }));
    assert_eq!(bench.proxy.paths(), ["topup", "getTopupResult", "getTopupResult", "getTopupResult", "topup"]);
    assert_eq!(bench.balances().await, after_one_topup());
}

#[tokio::test]
async fn order_that_arrives_late_is_executed_once() {
    // The first request arrives while the order is being queried, or after the order was sent again.
    for responses in [1, 2, 3, 4] {
        let bench = Bench::new().await;
        bench.proxy.fail(TOPUP, &[Fault::Late(responses)]);
        let resolved = bench.client.resolve(&bench.topup()).await.unwrap();
        match resolved {
            Resolved::Found { order, .. } => assert_eq!(order.order_no.as_deref(), Some("T-1"), "{responses}"),
            Resolved::Responded { response, .. } => {
                assert_eq!(response.order_no.as_deref(), Some("T-1"), "{responses}");
            }
        }
        assert_eq!(bench.balances().await, after_one_topup(), "{responses}");
        let again = bench.client.send(&bench.topup()).await.unwrap_err();
        assert_eq!(again.api_code(), Some("S103"), "{responses}");
        assert_eq!(bench.balances().await, after_one_topup(), "{responses}");
    }
}

/// The proxy loses requests and responses of the topup and of the query, in all combinations and several times in a
/// row.
#[tokio::test]
async fn order_is_executed_once_despite_lost_messages() {
    use Fault::{LoseRequest, LoseResponse};
    let losses: [&[Fault]; 4] =
        [&[LoseRequest, LoseRequest, LoseResponse], &[LoseRequest, LoseResponse], &[LoseResponse], &[LoseRequest]];
    for topup in losses {
        for result in losses {
            let bench = Bench::new().await;
            bench.proxy.fail(TOPUP, topup);
            bench.proxy.fail(RESULT, result);
            bench.client.resolve(&bench.topup()).await.unwrap();
            assert_eq!(bench.balances().await, after_one_topup(), "{topup:?} {result:?}");
        }
    }
}

#[tokio::test]
async fn order_is_not_sent_again_without_configured_unknown_order_codes() {
    let bench = Bench::new().await;
    let client = Client::builder(
        Environment::BaseUrl(bench.proxy.url.clone()),
        bench.sandbox.partner_id(),
        bench.sandbox.partner_keyring().unwrap(),
    )
    .build()
    .unwrap();
    bench.proxy.fail(TOPUP, &[Fault::LoseRequest]);
    let error = client.resolve(&bench.topup()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Transport, Outcome::Unknown));
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("S102"), "{cause}");
    assert_eq!(bench.proxy.paths(), ["topup", "getTopupResult"]);
}

fn order() -> Topup {
    Topup::builder().card_id("1").order_no("T-1").amount("1.00".parse().unwrap()).currency("EUR").build()
}

#[tokio::test]
async fn resolution_ends_at_the_deadline_with_an_unknown_outcome() {
    // The order is lost, and every query fails to connect.
    let lost = std::iter::once(Step::Lost(TransportErrorKind::Broken));
    let transport =
        Scripted::new(lost.chain((0..99).map(|_| Step::Unsent(TransportErrorKind::Connect(ConnectFailure::Tcp)))));
    let (builder, _) = transport.builder();
    let client = builder.deadline(Duration::from_secs(20)).build().unwrap();
    let order = order();
    let error = client.resolve(&order).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(transport.seen().len(), 1);
    // Every response is lost, and the order stays unknown, so the identical request is sent repeatedly until the
    // deadline.
    let mut steps = Vec::new();
    for _ in 0..99 {
        steps.push(Step::Lost(TransportErrorKind::Broken));
        steps.extend([Step::Failure("X1"), Step::Failure("X1"), Step::Failure("X1")]);
    }
    let transport = Scripted::new(steps);
    let (builder, clock) = transport.builder();
    let resolution =
        Resolution::new().unknown_order_codes(["X1"]).settle_time(Duration::from_millis(500)).max_sends(99);
    let client = builder.resolution(resolution).jitter(Arc::new(Longest)).build().unwrap();
    let call = client.request(&order).deadline(Duration::from_secs(5)).resolve();
    assert_eq!(call.await.unwrap_err().outcome(), Outcome::Unknown);
    assert!(clock.now() <= Duration::from_secs(6));
    let topups: Vec<_> = transport.seen().into_iter().filter(|request| request.url.ends_with("/topup")).collect();
    assert!(topups.len() > 2 && topups.iter().all(|topup| topup.document == topups[0].document));
}

/// By default, an order is sent at most twice. The settle time between the two sends is not shortened by jitter.
#[tokio::test]
async fn order_is_sent_at_most_twice_and_only_after_the_settle_time() {
    let mut steps = Vec::new();
    for _ in 0..2 {
        steps.push(Step::Lost(TransportErrorKind::Broken));
        steps.extend((0..9).map(|_| Step::Failure("X1")));
    }
    let transport = Scripted::new(
        [Step::Lost(TransportErrorKind::Broken)].into_iter().chain((0..4).map(|_| Step::Failure("X1"))).chain(steps),
    );
    let (builder, clock) = transport.builder();
    let policy = paytend_client::RetryPolicy::never().base(Duration::ZERO);
    let client = builder.resolution(Resolution::new().unknown_order_codes(["X1"])).retry(policy).build().unwrap();
    let error = client.resolve(&order()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Transport, Outcome::Unknown));
    let seen = transport.seen();
    let paths: Vec<&str> = seen.iter().map(|request| request.url.rsplit('/').next().unwrap()).collect();
    assert_eq!(paths[..6], ["topup", "getTopupResult", "getTopupResult", "getTopupResult", "getTopupResult", "topup"]);
    assert_eq!(paths.iter().filter(|path| **path == "topup").count(), 2);
    assert_eq!(clock.waits()[..3].iter().sum::<u128>(), 9_999, "the first waits do not add up to ten seconds");
}

#[tokio::test]
async fn query_after_a_rejection_contains_the_orders_additional_fields() {
    let transport = Scripted::new([Step::Failure("1009"), Step::Failure("X9")]);
    let order = order();
    let error = transport.client().request(&order).field("subAccount", "7").resolve().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome(), error.api_code()),
        (ErrorKind::Rejected, Outcome::Unknown, Some("1009"))
    );
    let fields: Vec<_> = transport.seen().iter().map(|r| r.opened.field("subAccount").map(str::to_owned)).collect();
    assert_eq!(fields, [Some("7".to_owned()), Some("7".to_owned())]);
}

/// A rejection does not identify its order, and may be a late copy of another order's rejection. Only the query is
/// reliable.
#[tokio::test]
async fn rejection_is_final_only_after_the_configured_confirmations() {
    let resolution = || Resolution::new().unknown_order_codes(["X1"]);
    let unknown = || Step::Failure("X1");
    // The rejection is not final until enough consecutive queries return a configured code.
    for steps in [
        vec![Step::Failure("1009"), Step::Failure("X2")],
        vec![Step::Failure("1009"), Step::Raw(200, b"{}".to_vec(), &[])],
        vec![Step::Failure("1009"), unknown(), unknown(), Step::Failure("X2")],
        vec![Step::Failure("1009"), unknown(), unknown(), Step::Success(r#"{"orderNo":"T-2"}"#), Step::Failure("X2")],
    ] {
        let transport = Scripted::new(steps);
        let client = transport.builder().0.resolution(resolution()).build().unwrap();
        let error = client.resolve(&order()).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Rejected, Outcome::Unknown), "{error:?}");
    }
    // The rejection is final after three reports and ten seconds.
    let transport = Scripted::new([Step::Failure("1009"), unknown(), unknown(), unknown(), unknown()]);
    let (builder, clock) = transport.builder();
    let policy = paytend_client::RetryPolicy::never().base(Duration::ZERO);
    let client = builder.resolution(resolution()).retry(policy).build().unwrap();
    let error = client.resolve(&order()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome(), error.api_code()),
        (ErrorKind::Rejected, Outcome::Rejected, Some("1009"))
    );
    assert!(clock.waits().iter().sum::<u128>() >= 9_999, "{:?}", clock.waits());
    // The order is executed between two queries, which shows that the rejection belonged to another order.
    let found = Step::Success(r#"{"orderNo":"T-1","status":"2"}"#);
    let transport = Scripted::new([Step::Failure("1009"), unknown(), unknown(), found]);
    let client = transport.builder().0.resolution(resolution()).build().unwrap();
    assert!(matches!(client.resolve(&order()).await.unwrap(), Resolved::Found { .. }));
    assert_eq!(transport.discarded(), 1, "the connection with another order's rejection was not discarded");
    // The queries do not share a connection with other requests.
    let fresh: Vec<bool> = transport.seen().iter().map(|request| request.fresh_connection).collect();
    assert_eq!(fresh, [false, true, true, true]);
}

/// The time before the first "unknown order" response, for example during a failed query, does not count towards the
/// settle time.
#[tokio::test]
async fn settle_time_starts_at_the_first_unknown_order_report() {
    for confirmations in [1, 3] {
        let unknown = (0..9).map(|_| Step::Failure("X1"));
        let steps = [Step::Failure("1009"), Step::Raw(503, vec![], &[])].into_iter().chain(unknown);
        let transport = Scripted::new(steps);
        let (builder, clock) = transport.builder();
        let policy = paytend_client::RetryPolicy::never().base(Duration::ZERO);
        let resolution = Resolution::new().unknown_order_codes(["X1"]).confirmations(confirmations);
        let client = builder.resolution(resolution).retry(policy).build().unwrap();
        let error = client.resolve(&order()).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Rejected);
        // The first wait follows the failed query. The later waits add up to at least ten seconds.
        let pause = clock.waits()[0];
        assert!(clock.waits()[1..].iter().sum::<u128>() >= 9_999, "{confirmations}: {pause} {:?}", clock.waits());
    }
}

/// Paytend signed a success, so the order is not sent again, even if the query reports it as unknown.
#[tokio::test]
async fn order_is_not_sent_again_after_a_success_that_cannot_be_parsed() {
    let unknown = || Step::Failure("X1");
    let transport = Scripted::new([Step::Success(""), unknown(), unknown(), unknown(), unknown(), unknown()]);
    let (builder, _) = transport.builder();
    let resolution = Resolution::new().unknown_order_codes(["X1"]).settle_time(Duration::ZERO).confirmations(2);
    let client = builder.resolution(resolution).build().unwrap();
    let error = client.resolve(&order()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Data, Outcome::Unknown));
    assert_eq!(transport.seen().iter().filter(|request| request.url.ends_with("/topup")).count(), 1);
}

#[tokio::test]
async fn rejection_of_the_second_request_leaves_the_outcome_unknown() {
    let unknown = || Step::Failure("X1");
    let transport = Scripted::new([
        Step::Lost(TransportErrorKind::Broken),
        unknown(),
        unknown(),
        Step::Failure("1009"),
        unknown(),
        unknown(),
    ]);
    let (builder, _) = transport.builder();
    let client = builder
        .resolution(Resolution::new().unknown_order_codes(["X1"]).confirmations(2).settle_time(Duration::ZERO))
        .build()
        .unwrap();
    let error = client.resolve(&order()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome(), error.api_code()),
        (ErrorKind::Rejected, Outcome::Unknown, Some("1009"))
    );
    assert_eq!(transport.seen().len(), 6);
}

#[tokio::test]
async fn unsigned_code_for_an_unknown_order_is_ignored() {
    let unsigned = br#"{"respCode":"X1","respMsg":"no such order"}"#.to_vec();
    let transport = Scripted::new([Step::Lost(TransportErrorKind::Broken), Step::Raw(200, unsigned, &[])]);
    let (builder, _) = transport.builder();
    let client = builder.resolution(Resolution::new().unknown_order_codes(["X1"]).confirmations(1)).build().unwrap();
    assert_eq!(client.resolve(&order()).await.unwrap_err().outcome(), Outcome::Unknown);
    assert_eq!(transport.seen().len(), 2);
}

#[tokio::test]
async fn card_application_is_queried_after_its_response_was_lost() {
    let address = || {
        paytend_model::issuing::Address::builder()
            .address_line("a")
            .city_code("c")
            .postcode("p")
            .country_code("LT")
            .build()
    };
    let mut apply = ApplyCard::builder()
        .order_no("A-1")
        .card_scheme("3")
        .card_type("2")
        .sku("SKU1")
        .quantity(1)
        .contact_name("n")
        .contact_mobile("m")
        .delivery_address(address())
        .build();
    apply.holder_id = Some("H1".into());
    assert_eq!(apply.query().holder_id, Some("H1".into()));
    let transport =
        Scripted::new([Step::Lost(TransportErrorKind::Timeout), Step::Success(r#"{"orderNo":"A-1","status":"1"}"#)]);
    let Resolved::Found { order: found, .. } = transport.client().resolve(&apply).await.unwrap() else { panic!() };
    assert_eq!(found.status, Some("1".into()));
    let seen = transport.seen();
    assert_eq!(seen[1].opened.payload_text(), Some(r#"{"orderNo":"A-1","holderId":"H1"}"#));
}
