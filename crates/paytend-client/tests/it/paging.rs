//! Tests for paginated lists.

use futures_util::{StreamExt, TryStreamExt};
use paytend_client::{ErrorKind, TransportErrorKind};
use paytend_model::issuing::{QueryAuthorizations, QueryCardTransactions, QueryCities, QueryPartnerTransactions};

use crate::scripted::{Scripted, Step};

fn cities(start: u64, size: u64) -> QueryCities {
    QueryCities::builder().country_code("LT").start(start).max_result(size).build()
}

/// Returns a page with these cities.
fn page(codes: &str, total: Option<u64>) -> Step {
    let cities: Vec<String> = codes.chars().map(|code| format!(r#"{{"cityCode":"{code}"}}"#)).collect();
    let total = total.map_or(String::new(), |total| format!(r#","total":"{total}""#));
    Step::Success(Box::leak(format!(r#"{{"cities":[{}]{total}}}"#, cities.join(",")).into_boxed_str()))
}

async fn codes(steps: Vec<Step>, query: QueryCities) -> (Result<String, ErrorKind>, Vec<String>) {
    let transport = Scripted::new(steps);
    let client = transport.client();
    let codes = client.pages(query).map_ok(|city| city.city_code.unwrap().to_string());
    let codes = codes.try_collect::<Vec<_>>().await.map(|codes| codes.concat()).map_err(|error| error.kind());
    let seen = transport.seen();
    let starts = seen.iter().map(|request| {
        let query: QueryCities = serde_json::from_slice(request.opened.payload_bytes()).unwrap();
        query.start.to_string()
    });
    (codes, starts.collect())
}

#[tokio::test]
async fn stream_ends_at_the_total_or_at_an_empty_page() {
    let all = |text: &str| Ok(text.to_owned());
    // A partly filled page does not end the list, because the provider may limit the page size.
    assert_eq!(
        codes(vec![page("ab", None), page("c", None), page("", None)], cities(0, 3)).await,
        (all("abc"), vec!["0".into(), "2".into(), "3".into()])
    );
    assert_eq!(
        codes(vec![page("ab", Some(5)), page("cd", Some(5)), page("e", Some(5))], cities(0, 100)).await,
        (all("abcde"), vec!["0".into(), "2".into(), "4".into()])
    );
    // The stream ends at an empty page.
    assert_eq!(
        codes(vec![page("abc", None), page("", None)], cities(0, 3)).await,
        (all("abc"), vec!["0".into(), "3".into()])
    );
    assert_eq!(codes(vec![page("", None)], cities(0, 3)).await, (all(""), vec!["0".into()]));
    // The stream ends when the total is reached.
    assert_eq!(codes(vec![page("abc", Some(3))], cities(0, 3)).await, (all("abc"), vec!["0".into()]));
    assert_eq!(
        codes(vec![page("abc", Some(6)), page("def", Some(6))], cities(0, 3)).await,
        (all("abcdef"), vec!["0".into(), "3".into()])
    );
    // The stream begins at the query's start position.
    assert_eq!(codes(vec![page("x", Some(8))], cities(7, 2)).await, (all("x"), vec!["7".into()]));
    // A total smaller than the number of received items is ignored.
    assert_eq!(
        codes(vec![page("ab", Some(0)), page("", Some(0))], cities(0, 2)).await,
        (all("ab"), vec!["0".into(), "2".into()])
    );
}

#[tokio::test]
async fn repeated_page_and_early_empty_page_are_errors() {
    let (result, starts) = codes(vec![page("abc", None), page("abc", None)], cities(0, 3)).await;
    assert_eq!((result, starts.len()), (Err(ErrorKind::Data), 2));
    // Repeating an older page, or returning an empty page before the total is reached, is also an error.
    let (result, starts) = codes(vec![page("ab", None), page("cd", None), page("ab", None)], cities(0, 2)).await;
    assert_eq!((result, starts.len()), (Err(ErrorKind::Data), 3));
    let (result, _) = codes(vec![page("ab", Some(5)), page("", Some(5))], cities(0, 2)).await;
    assert_eq!(result, Err(ErrorKind::Data));
    // Two pages that begin with the same item are not a repeated page if their other items differ.
    let (result, _) = codes(vec![page("ab", None), page("ac", None), page("", None)], cities(0, 2)).await;
    assert_eq!(result, Ok("abac".into()));
}

/// The request was sent, so the error contains its `requestId`.
#[tokio::test]
async fn page_error_contains_the_request_id() {
    let transport = Scripted::new([Step::Success(r#"{"list":[]}"#)]);
    let client = transport.client();
    let error = Box::pin(client.pages(cities(0, 3))).next().await.unwrap().unwrap_err();
    assert_eq!(error.request_id().map(|id| id.as_str()), Some(transport.seen()[0].id()));
    assert!(!error.to_string().contains("nothing was sent"), "{error}");
}

#[tokio::test]
async fn missing_list_and_invalid_page_are_errors() {
    let (result, _) = codes(vec![Step::Success(r#"{"list":[]}"#)], cities(0, 3)).await;
    assert_eq!(result, Err(ErrorKind::Data));
    for query in [cities(0, 0), QueryCities::builder().country_code("LT").start("first").max_result(3).build()] {
        let (result, starts) = codes(vec![], query).await;
        assert_eq!((result, starts.len()), (Err(ErrorKind::Request), 0));
    }
}

/// A page is fetched only after all items of the previous page have been taken. Items before a failure are returned.
#[tokio::test]
async fn pages_are_fetched_one_at_a_time() {
    let transport =
        Scripted::new([page("ab", None), Step::Lost(TransportErrorKind::Broken), page("cd", None), Step::Failure("9")]);
    let client = transport.client();
    let mut stream = Box::pin(client.pages(cities(0, 2)));
    for (expected, fetched) in [("a", 1), ("b", 0), ("c", 2), ("d", 0)] {
        assert_eq!(stream.next().await.unwrap().unwrap().city_code.unwrap(), expected);
        assert_eq!(transport.seen().len(), fetched, "{expected}");
    }
    assert_eq!(stream.next().await.unwrap().unwrap_err().api_code(), Some("9"));
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn every_documented_list_can_be_streamed() {
    let current = r#"{"tradeList":[{"tradeId":"1"}],"cities":[{}],"total":"1"}"#;
    let earlier = r#"{"transactions":[{"transactionId":"1"}],"total":"1"}"#;
    let transport = Scripted::new([current, earlier, current, current].map(Step::Success));
    let client = transport.client();
    let (begin, end) = ("2023-11-01", "2023-11-30");
    let partner = QueryPartnerTransactions::builder().begin_date(begin).end_date(end).build();
    // An empty string means that the field is not set, as in the provider's published demo.
    let mut card = QueryCardTransactions::builder().card_id("1").begin_date(begin).end_date(end).build();
    (card.start, card.max_size) = (Some("".into()), Some("".into()));
    let mut authorized = QueryAuthorizations::builder().card_id("1").begin_date(begin).end_date(end).build();
    (authorized.start, authorized.max_size) = (Some(0.into()), Some(9.into()));
    let cities = paytend_model::iban::QueryCities::builder().country_code("LT").start(0).max_result(9).build();
    assert_eq!(client.pages(partner).map(Result::unwrap).count().await, 1);
    assert_eq!(client.pages(card).map(Result::unwrap).count().await, 1);
    assert_eq!(client.pages(authorized).map(Result::unwrap).count().await, 1);
    assert_eq!(client.pages(cities).map(Result::unwrap).count().await, 1);
}
