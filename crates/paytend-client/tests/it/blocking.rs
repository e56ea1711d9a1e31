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
        Step::Success("{}"),
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
    assert!(matches!(client.resolved(&topup).unwrap(), Resolved::Answered(_)));
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

/// A connection that the server closes while nobody calls is noticed, and the next call takes another one: also that of an asynchronous
/// client that shares it.
#[test]
fn connections_are_looked_after_between_calls() {
    use paytend_model::issuing::TopupResponse;
    use tokio::io::AsyncWriteExt;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (close, mut to_close) = tokio::sync::mpsc::unbounded_channel();
    runtime.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            crate::server::read_request(&mut stream).await;
            let body = crate::server::response(&crate::server::paytend(), "00", "success", "{}");
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
            // Later, and not announced, as by a server whose patience is over.
            to_close.recv().await.unwrap();
            drop(stream);
        }
    });
    let asynchronous = crate::server::client(&url);
    let client = Client::new(asynchronous.clone()).unwrap();
    let topup = Topup::new("1".into(), "T".into(), "1".parse().unwrap(), "EUR".into());
    // Whether the news of a close is there before the next call is a race that a call may lose, and then it says so. Where nobody looks
    // after connections, every call after the first loses it.
    let (mut blocking_calls, mut others) = (0, 0);
    for _ in 0..20 {
        let result: Result<TopupResponse, _> = client.send(&topup);
        blocking_calls += usize::from(result.is_ok());
        close.send(()).unwrap();
        for _ in 0..1000 {
            std::thread::yield_now();
        }
        others += usize::from(runtime.block_on(asynchronous.send(&topup)).is_ok());
        close.send(()).unwrap();
        for _ in 0..1000 {
            std::thread::yield_now();
        }
    }
    assert!(blocking_calls > 5 && others > 5, "{blocking_calls} {others}");
}

#[tokio::test]
async fn inside_of_a_runtime_it_refuses_and_does_not_panic() {
    let transport = Scripted::new([]);
    let asynchronous = transport.client();
    let error = Client::new(asynchronous.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("inside of an asynchronous runtime"), "{error}");
    // One that was made outside is used, and dropped, inside.
    let client = std::thread::spawn(move || Client::new(asynchronous).unwrap()).join().unwrap();
    let error = client.send(&QueryCardBalance::new("1".into())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let pages: Vec<_> = client.pages(QueryCities::new("LT".into(), 0.into(), 9.into())).collect();
    assert_eq!(pages.into_iter().map(|page| page.unwrap_err().kind()).collect::<Vec<_>>(), [ErrorKind::Configuration]);
    drop(client);
}
