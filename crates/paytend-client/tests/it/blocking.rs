//! The blocking client: the same code, without a runtime around it.

#![cfg(feature = "blocking")]

use paytend_client::blocking::Client;
use paytend_client::{ErrorKind, Resolved};
use paytend_model::issuing::{QueryCardBalance, QueryCities, Topup};

use crate::scripted::{Scripted, Step};

#[test]
fn calls_block_and_give_what_the_others_do() {
    let transport = Scripted::new([
        Step::Success(r#"{"balance":"1.00"}"#),
        Step::Success(r#"{"cities":[{"cityCode":"a"}],"total":"1"}"#),
        Step::Success(r#"{"orderNo":"T"}"#),
        Step::Success("{}"),
        Step::Failure("1007"),
        Step::Success(r#"{"balance":"2.00"}"#),
    ]);
    let client = Client::new(transport.client()).unwrap();
    let query = QueryCardBalance::new("1".into());
    assert_eq!(client.send(&query).unwrap().balance.unwrap().to_string(), "1.00");
    let cities: Vec<_> = client.pages(QueryCities::new("LT".into(), 0.into(), 9.into())).collect();
    assert_eq!(cities[0].as_ref().unwrap().city_code, Some("a".into()));
    let topup = Topup::new("1".into(), "T".into(), "1".parse().unwrap(), "EUR".into());
    assert!(matches!(client.resolve(&topup).unwrap(), Resolved::Answered { .. }));
    assert_eq!(client.call("getCardBalance", &serde_json::json!({})).unwrap().data().as_ref().unwrap().as_str(), "{}");
    assert_eq!(client.send(&query).unwrap_err().api_code(), Some("1007"));
    // From another thread, on a clone.
    let other = client.clone();
    let answer =
        std::thread::spawn(move || other.wait(other.inner().request(&QueryCardBalance::new("1".into())).send()));
    assert_eq!(answer.join().unwrap().unwrap().data().balance.as_ref().unwrap().to_string(), "2.00");
}

/// Real connections, with the real clock.
#[test]
fn it_speaks_to_a_server() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let sandbox = runtime.block_on(paytend_sandbox::Sandbox::start()).unwrap();
    let client = paytend_client::Client::builder(
        paytend_client::Environment::BaseUrl(sandbox.url()),
        sandbox.partner_id(),
        sandbox.partner_keyring().unwrap(),
    );
    let client = Client::new(client.build().unwrap()).unwrap();
    let balance = client.send(&QueryCardBalance::new(sandbox.card_id().into())).unwrap();
    assert_eq!(balance.balance.unwrap().to_string(), "0.00");
}

/// Connections are tasks. They go on between calls, or a connection that the server closes meanwhile would go unnoticed, and the next
/// call be lost on it.
#[test]
fn connections_are_looked_after_between_calls() {
    let client = Client::new(Scripted::new([]).client()).unwrap();
    let (done, is_done) = std::sync::mpsc::channel();
    let begun = async {
        tokio::spawn(async move {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            done.send(()).unwrap();
        });
        Ok(())
    };
    client.wait(begun).unwrap();
    is_done.recv_timeout(std::time::Duration::from_secs(20)).expect("nobody carries on with what a call began");
}

#[tokio::test]
async fn inside_of_a_runtime_it_refuses_and_does_not_panic() {
    let transport = Scripted::new([]);
    let asynchronous = transport.client();
    let error = Client::new(asynchronous.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("inside an asynchronous runtime"), "{error}");
    // One that was made outside is used, and dropped, inside.
    let client = std::thread::spawn(move || Client::new(asynchronous).unwrap()).join().unwrap();
    let error = client.send(&QueryCardBalance::new("1".into())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let pages: Vec<_> = client.pages(QueryCities::new("LT".into(), 0.into(), 9.into())).collect();
    assert_eq!(pages.into_iter().map(|page| page.unwrap_err().kind()).collect::<Vec<_>>(), [ErrorKind::Configuration]);
    drop(client);
}
