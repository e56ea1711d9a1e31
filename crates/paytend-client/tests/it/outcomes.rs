//! Tests for each failure's error kind and outcome.

use paytend_client::{Error, ErrorKind, Outcome};
use paytend_model::iban::VerifyMobileNumber;
use paytend_model::issuing::{Topup, TopupResponse};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::server::{answering, client, client_with_timeout, forger, once, paytend, response};

async fn topup(url: &str) -> Result<TopupResponse, Error> {
    let topup =
        Topup::builder().card_id("1755902").order_no("T-1").amount("25.00".parse().unwrap()).currency("EUR").build();
    client(url).send(&topup).await
}

#[tokio::test]
async fn each_response_has_the_expected_error_kind_and_outcome() {
    let failure = r#"{"respCode":"9001","respMsg":"amount must be a string","signType":"RSA"}"#;
    let unsigned_success = r#"{"respCode":"00","respMsg":"success","signType":"RSA"}"#;
    let good = response(&paytend(), "00", "success", r#"{"orderNo":"T-1"}"#);
    let cases: Vec<(&str, &str, Vec<u8>, ErrorKind, Outcome)> = vec![
        ("an error page", "502 Bad Gateway", b"<html>no</html>".to_vec(), ErrorKind::InvalidResponse, Outcome::Unknown),
        ("an error from another server", "404 Not Found", b"{}".to_vec(), ErrorKind::InvalidResponse, Outcome::Unknown),
        ("an empty body", "200 OK", vec![], ErrorKind::InvalidResponse, Outcome::Unknown),
        (
            "truncated JSON",
            "200 OK",
            good.as_bytes()[..good.len() - 9].to_vec(),
            ErrorKind::InvalidResponse,
            Outcome::Unknown,
        ),
        (
            "a redirect",
            "307 Temporary Redirect\r\nLocation: /other",
            vec![],
            ErrorKind::InvalidResponse,
            Outcome::Unknown,
        ),
        ("a body that is too large", "200 OK", vec![b' '; 200_000], ErrorKind::InvalidResponse, Outcome::Unknown),
        ("an unsigned success", "200 OK", unsigned_success.into(), ErrorKind::InvalidResponse, Outcome::Unknown),
        ("an unsigned error response", "200 OK", failure.into(), ErrorKind::UnsignedFailure, Outcome::Unknown),
        (
            "a forged success",
            "200 OK",
            response(&forger(), "00", "ok", "{}").into(),
            ErrorKind::InvalidResponse,
            Outcome::Unknown,
        ),
        (
            "a forged error response",
            "200 OK",
            response(&forger(), "1", "no", "").into(),
            ErrorKind::InvalidResponse,
            Outcome::Unknown,
        ),
        (
            "a signed rejection",
            "200 OK",
            response(&paytend(), "1007", "no", "").into(),
            ErrorKind::Rejected,
            Outcome::Rejected,
        ),
        (
            "a signed rejection with status 400",
            "400 Bad Request",
            response(&paytend(), "1007", "no", "").into(),
            ErrorKind::Rejected,
            Outcome::Rejected,
        ),
    ];
    for (name, status, body, kind, outcome) in cases {
        let error = topup(&answering(status, body).await).await.expect_err(name);
        assert_eq!((error.kind(), error.outcome()), (kind, outcome), "{name}");
        assert_eq!(error.is_authenticated(), kind == ErrorKind::Rejected, "{name}");
        assert_eq!(error.http_status().map(|s| s.to_string()).as_deref(), Some(&status[..3]), "{name}");
        assert_eq!(error.request_id().map(|id| id.as_str().len()), Some(32), "{name}");
        let shown = format!("{error} {error:?}");
        assert!(shown.starts_with("topup: ") && !shown.contains("CANARY") && !shown.contains("127.0.0.1"), "{shown}");
    }
    let accepted = topup(&answering("200 OK", good).await).await.unwrap();
    assert_eq!(accepted.order_no.as_deref(), Some("T-1"));
    // A response without a readable order number may belong to another order.
    let other = response(&paytend(), "00", "ok", r#"{"orderNo":{"T":1}}"#);
    let error = topup(&answering("200 OK", other).await).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Mismatch, Outcome::Unknown));
    // A success without data is accepted for `VerifyMobileNumber`, which returns no data, but not for a topup.
    let bare = || response(&paytend(), "00", "success", "");
    let error = topup(&answering("200 OK", bare()).await).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Data, Outcome::Unknown));
    let verify = VerifyMobileNumber::builder().mobile("8613261402222").type_("1").build();
    assert!(client(&answering("200 OK", bare()).await).send(&verify).await.is_ok());
}

#[tokio::test]
async fn api_code_is_reported_for_any_response_but_authenticated_only_if_signed() {
    let signed = topup(&answering("200 OK", response(&paytend(), "1007", "a=b & c", "")).await).await.unwrap_err();
    assert_eq!(
        (signed.api_code(), signed.api_message(), signed.is_authenticated()),
        (Some("1007"), Some("a=b & c"), true)
    );
    let body = r#"{"respCode":"9001","respMsg":"wrong type"}"#;
    let unsigned = topup(&answering("200 OK", body).await).await.unwrap_err();
    assert_eq!((unsigned.api_code(), unsigned.is_authenticated()), (Some("9001"), false));
}

#[tokio::test]
async fn refused_connection_is_reported_as_not_sent() {
    // The port was bound and then released, so no program is listening on it.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error = topup(&format!("http://127.0.0.1:{port}")).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Connect, Outcome::NotSent));
    assert!(!format!("{error:?}").contains("/issuing/"), "{error:?}");
}

#[tokio::test]
async fn foreign_response_is_described_without_a_parser_error() {
    let good = response(&paytend(), "00", "success", r#"{"orderNo":"T-1"}"#);
    let gzip = "200 OK\r\nContent-Encoding: gzip";
    for (status, body, part) in [
        ("502 Bad Gateway", b"<!DOCTYPE html><h1>CANARY</h1>".to_vec(), "an HTML page"),
        ("200 OK", b"\xef\xbb\xbf<html>".to_vec(), "an HTML page"),
        ("200 OK", b"\xef\xbb\xbf{}".to_vec(), "a byte order mark"),
        ("200 OK", b"\xff\xfe{\0}\0".to_vec(), "UTF-16"),
        (gzip, good.clone().into_bytes()[1..].to_vec(), "compressed with gzip"),
        ("200 OK", b"\x1f\x8b\x08\0CANARY".to_vec(), "compressed with gzip"),
        ("302 Found\r\nLocation: http://CANARY.example/", vec![], "a redirect (HTTP 302)"),
        ("503 Service Unavailable", b"upstream connect error: CANARY".to_vec(), "plain text"),
        ("504 Gateway Timeout", vec![], "an empty body"),
    ] {
        let error = topup(&answering(status, body).await).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::InvalidResponse, Outcome::Unknown), "{shown}");
        assert!(error.to_string().contains(part) && !shown.contains("CANARY"), "{part}: {shown}");
        for word in ["JSON syntax", "not UTF-8", "malformed"] {
            assert!(!error.to_string().contains(word), "{shown}");
        }
    }
}

/// This test uses a custom resolver, so that no DNS request leaves the machine.
#[tokio::test]
async fn failed_lookup_is_reported_as_not_sent() {
    struct FailingResolver;

    impl reqwest::dns::Resolve for FailingResolver {
        fn resolve(&self, _: reqwest::dns::Name) -> reqwest::dns::Resolving {
            Box::pin(async { Err("no such name".into()) })
        }
    }

    let http = reqwest::Client::builder().dns_resolver(std::sync::Arc::new(FailingResolver)).build().unwrap();
    let base = paytend_client::Environment::BaseUrl("https://api.example.com".into());
    let client = paytend_client::Client::builder(base, paytend_vectors::PARTNER_ID, crate::server::partner())
        .http_client(move || Ok(http.clone()))
        .retry(paytend_client::RetryPolicy::never())
        .build()
        .unwrap();
    let topup =
        Topup::builder().card_id("1755902").order_no("T-1").amount("25.00".parse().unwrap()).currency("EUR").build();
    let error = client.send(&topup).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Connect, Outcome::NotSent));
    assert!(!format!("{error} {error:?}").contains("example"), "{error:?}");
}

/// The server reads only the beginning of a large request, so it cannot have executed it.
#[tokio::test]
async fn timeout_before_the_body_was_sent_is_reported_as_not_sent() {
    use tokio::io::AsyncReadExt;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let held = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 16]).await.unwrap();
        stream
    });
    let mut large =
        Topup::builder().card_id("1755902").order_no("T-1").amount("25.00".parse().unwrap()).currency("EUR").build();
    // The request is larger than the system's socket buffers.
    large.extra.set("note", &format!("\"{}\"", "x".repeat(12 << 20))).unwrap();
    let client = paytend_client::Client::builder(
        paytend_client::Environment::BaseUrl(url),
        paytend_vectors::PARTNER_ID,
        crate::server::partner(),
    )
    .attempt_timeout(std::time::Duration::from_secs(3))
    .retry(paytend_client::RetryPolicy::never())
    .build()
    .unwrap();
    let error = client.send(&large).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::NotSent));
    assert!(error.to_string().contains("nothing was sent"), "{error}");
    drop(held.await.unwrap());
}

#[tokio::test]
async fn call_to_a_server_without_tls_is_reported_as_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let error = topup(&url).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Connect, Outcome::NotSent));
}

#[tokio::test]
async fn outcome_is_unknown_if_the_connection_breaks_during_the_response() {
    // The connection is closed during the response, reset during the response, or reset before the response.
    for (partial, reset) in [("half of it", false), ("half of it", true), ("", true)] {
        let (url, _) = once(move |_, mut stream| async move {
            if !partial.is_empty() {
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
                stream.write_all(format!("{head}{partial}").as_bytes()).await.unwrap();
            }
            if reset {
                stream.set_zero_linger().unwrap();
            }
        })
        .await;
        let error = topup(&url).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Transport, Outcome::Unknown), "{partial} {reset}");
        assert!(error.http_status().is_none_or(|status| status == 200));
    }
}

/// This custom HTTP client follows redirects. The first server has received the topup, so a connect failure to the
/// second server does not mean "not sent".
#[tokio::test]
async fn outcome_is_unknown_if_a_custom_client_fails_to_follow_a_redirect() {
    let (url, _) = once(|_, mut stream| async move {
        let head = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
    })
    .await;
    let base = paytend_client::Environment::BaseUrl(url);
    let client = paytend_client::Client::builder(base, paytend_vectors::PARTNER_ID, crate::server::partner())
        .http_client(|| Ok(reqwest::Client::new()))
        .build()
        .unwrap();
    let topup =
        Topup::builder().card_id("1755902").order_no("T-1").amount("25.00".parse().unwrap()).currency("EUR").build();
    let error = client.send(&topup).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome(), error.attempts()), (ErrorKind::Connect, Outcome::Unknown, 1));
}

#[tokio::test]
async fn outcome_is_unknown_if_the_timeout_expires_after_the_request_was_sent() {
    let (url, held) = once(|_, stream| async move { stream }).await;
    // The timeout is long enough to send the request even on a busy machine.
    let client = client_with_timeout(&url, std::time::Duration::from_secs(3));
    let topup =
        Topup::builder().card_id("1755902").order_no("T-1").amount("25.00".parse().unwrap()).currency("EUR").build();
    let error = client.send(&topup).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome(), error.is_timeout()), (ErrorKind::Timeout, Outcome::Unknown, true));
    drop(held.await.unwrap());
}

#[tokio::test]
async fn outcome_is_unknown_if_the_connection_closes_before_the_response_is_complete() {
    for part in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"respCode\":"] {
        let (url, _) = once(move |_, mut stream| async move {
            stream.write_all(part.as_bytes()).await.unwrap();
        })
        .await;
        let error = topup(&url).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Transport, Outcome::Unknown), "after {part:?}");
    }
}
