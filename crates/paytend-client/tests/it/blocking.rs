//! Tests for the blocking client.

#![cfg(feature = "blocking")]

use paytend_client::blocking::Client;
use paytend_client::{ErrorKind, Resolved};
use paytend_model::issuing::{QueryCardBalance, QueryCities, Topup};

use crate::scripted::{Scripted, Step};

#[test]
fn blocking_calls_return_the_same_results_as_asynchronous_calls() {
    let transport = Scripted::new([
        Step::Success(r#"{"balance":"1.00"}"#),
        Step::Success(r#"{"cities":[{"cityCode":"a"}],"total":"1"}"#),
        Step::Success(r#"{"orderNo":"T"}"#),
        Step::Success("{}"),
        Step::Failure("1007"),
        Step::Success(r#"{"balance":"2.00"}"#),
    ]);
    let client = Client::new(transport.client()).unwrap();
    let query = QueryCardBalance::new("1");
    assert_eq!(client.send(&query).unwrap().balance.unwrap().to_string(), "1.00");
    let cities: Vec<_> =
        client.pages(QueryCities::builder().country_code("LT").start(0).max_result(9).build()).collect();
    assert_eq!(cities[0].as_ref().unwrap().city_code, Some("a".into()));
    let topup = Topup::builder().card_id("1").order_no("T").amount("1".parse().unwrap()).currency("EUR").build();
    assert!(matches!(client.resolve(&topup).unwrap(), Resolved::Responded { .. }));
    assert_eq!(client.call("getCardBalance", &serde_json::json!({})).unwrap().data().as_ref().unwrap().as_str(), "{}");
    assert_eq!(client.send(&query).unwrap_err().api_code(), Some("1007"));
    let other = client.clone();
    let response = std::thread::spawn(move || other.wait(other.inner().request(&QueryCardBalance::new("1")).send()));
    assert_eq!(response.join().unwrap().unwrap().data().balance.as_ref().unwrap().to_string(), "2.00");
}

/// This test uses a real connection and the system clock.
#[test]
fn blocking_client_queries_a_sandbox() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let sandbox = runtime.block_on(paytend_sandbox::Sandbox::start()).unwrap();
    let client = paytend_client::Client::builder(
        paytend_client::Environment::BaseUrl(sandbox.url()),
        sandbox.partner_id(),
        sandbox.partner_keyring().unwrap(),
    );
    let client = Client::new(client.build().unwrap()).unwrap();
    let balance = client.send(&QueryCardBalance::new(sandbox.card_id())).unwrap();
    assert_eq!(balance.balance.unwrap().to_string(), "0.00");
}

/// The client maintains its connections in background tasks, which must also run between calls. Otherwise the client
/// would not notice that the server has closed a connection, and the next call on it would fail.
#[test]
fn background_tasks_run_between_calls() {
    let client = Client::new(Scripted::new([]).client()).unwrap();
    let (done, is_done) = std::sync::mpsc::channel();
    let call = async {
        tokio::spawn(async move {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            done.send(()).unwrap();
        });
        Ok(())
    };
    client.wait(call).unwrap();
    is_done.recv_timeout(std::time::Duration::from_secs(20)).expect("the spawned task did not run after the call");
}

#[tokio::test]
async fn blocking_call_inside_a_runtime_returns_an_error_instead_of_panicking() {
    let transport = Scripted::new([]);
    let asynchronous = transport.client();
    let error = Client::new(asynchronous.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("inside an asynchronous runtime"), "{error}");
    // A client that was created outside a runtime is used and dropped inside a runtime.
    let client = std::thread::spawn(move || Client::new(asynchronous).unwrap()).join().unwrap();
    let error = client.send(&QueryCardBalance::new("1")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let pages: Vec<_> =
        client.pages(QueryCities::builder().country_code("LT").start(0).max_result(9).build()).collect();
    assert_eq!(pages.into_iter().map(|page| page.unwrap_err().kind()).collect::<Vec<_>>(), [ErrorKind::Configuration]);
    drop(client);
}
