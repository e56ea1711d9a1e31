//! The tests that every adapter must pass.

use std::time::{Duration, Instant};

use paytend_webhook::server::Budget;
use paytend_webhook::{Receiver, Reply, RequestFilter, Sources};

use crate::client::{ACCEPTED, Client, LATER, REFUSED, respond};
use crate::raw::{Connection, head};
use crate::servers::Server;
use crate::support::{BlockingReceiver, payby, payermax, paytend, sealed};

pub(crate) async fn every_notification_vector_is_accepted(server: Server) {
    let client = Client::new(server.start(paytend(), Reply::Accepted).await);
    let cases = paytend_vectors::envelope().into_iter().filter(|case| case.payload_field == "content");
    let mut accepted = 0;
    for case in cases {
        client.send(case.wire).await.expect(200, ACCEPTED, &case.name);
        accepted += 1;
    }
    assert_eq!(accepted, 7);
}

pub(crate) async fn every_invalid_vector_is_rejected(server: Server) {
    let endpoint = paytend();
    let limit = endpoint.receiver().max_bytes();
    let address = server.start(endpoint, Reply::Accepted).await;
    let client = Client::new(address);
    let mut too_large = 0;
    for case in paytend_vectors::refuse() {
        if case.document.len() > limit {
            // The declared length alone must cause the rejection, so no body is sent.
            let mut connection = Connection::to(address).await;
            connection.send(head("POST", &format!("Content-Length: {}\r\n", case.document.len()))).await;
            assert_eq!(connection.response().await.0, 413, "{}", case.name);
            too_large += 1;
        } else {
            client.send(case.document).await.expect(400, REFUSED, &case.name);
        }
    }
    assert!(too_large > 0);
}

pub(crate) async fn every_detached_vector_has_the_expected_result(server: Server) {
    let payby = Client::new(server.start(payby(), Reply::Accepted).await);
    let payermax = Client::new(server.start(payermax(), Reply::Duplicate).await);
    let mut counts = (0, 0);
    for case in paytend_vectors::detached() {
        let (client, accepted, refused) = match case.key.as_str() {
            "payby" => (&payby, r#"{"response":"SUCCESS"}"#, r#"{"response":"REFUSED"}"#),
            "payermax" => (&payermax, r#"{"msg":"Success","code":"SUCCESS"}"#, r#"{"msg":"refused","code":"FAIL"}"#),
            other => panic!("{other}"),
        };
        let response = respond(client.post().header("Sign", &case.sign).body(case.body())).await;
        if case.valid {
            response.expect(200, accepted, &case.name);
            counts.0 += 1;
        } else {
            response.expect(400, refused, &case.name);
            counts.1 += 1;
        }
    }
    assert_eq!(counts, (4, 5));
}

pub(crate) async fn body_above_the_limit_is_not_read(server: Server) {
    let body = sealed("{}");
    let paytend = |limit| paytend_webhook::server::Endpoint::new(paytend().receiver().clone().with_max_bytes(limit));
    let exactly = Client::new(server.start(paytend(body.len()), Reply::Accepted).await);
    exactly.send(body.clone()).await.expect(200, ACCEPTED, "a body of exactly the limit");

    let address = server.start(paytend(body.len() - 1), Reply::Accepted).await;
    Client::new(address).send(body.clone()).await.expect(413, REFUSED, "a body one byte above the limit");
    // Send an endless body without a declared size.
    let mut connection = Connection::to(address).await;
    connection.send(head("POST", "Transfer-Encoding: chunked\r\n")).await;
    connection.send(format!("{:x}\r\n", body.len())).await;
    connection.send(&body).await;
    connection.send("\r\n").await;
    assert_eq!(connection.response().await.0, 413);
}

pub(crate) async fn unsupported_methods_types_and_codings_are_rejected(server: Server) {
    let client = Client::new(server.start(paytend(), Reply::Accepted).await);
    for method in [reqwest::Method::GET, reqwest::Method::PUT, reqwest::Method::DELETE] {
        let response = respond(client.http.request(method.clone(), &client.url).body(sealed("{}"))).await;
        response.expect(405, REFUSED, method.as_str());
        assert_eq!(response.headers["allow"], "POST");
    }
    let post = || client.http.post(&client.url).body(sealed("{}"));
    respond(post()).await.expect(200, ACCEPTED, "no content type");
    let json = Client::new(server.start(paytend().filter(RequestFilter::new().require_json()), Reply::Accepted).await);
    let html = json.http.post(&json.url).header("content-type", "text/html").body(sealed("{}"));
    respond(html).await.expect(415, REFUSED, "a non-JSON content type, where JSON is required");
    for coding in ["gzip", "BR", "identity, deflate"] {
        let compressed = post().header("content-type", "application/json").header("content-encoding", coding);
        respond(compressed).await.expect(415, REFUSED, coding);
    }
}

/// Sends headers that do not affect authenticity.
pub(crate) async fn irrelevant_headers_do_not_cause_rejection(server: Server) {
    let address = server.start(paytend(), Reply::Accepted).await;
    let body = sealed("{}");
    for fields in [
        "",
        "Content-Encoding: UTF-8\r\n",
        "Content-Encoding:\r\n",
        "Content-Encoding: none\r\n",
        "Content-Encoding: 8bit\r\nContent-Encoding: identity\r\n",
        "Content-Type: text/html\r\n",
        "Content-Type:\r\n",
        "Content-Type: application/x-www-form-urlencoded; charset=nonsense\r\n",
        "Content-Type: application/json\r\nContent-Type: image/png\r\n",
        "X-HTTP-Method-Override: PUT\r\n",
        "Accept: nothing\r\nAccept-Encoding: gzip\r\nTE: trailers\r\n",
        "Sign: AAAA\r\nSign: AAAA\r\nsignature: x\r\n",
        "Digest: SHA-256=AAAA\r\nContent-MD5: AAAA\r\n",
        "Content-Range: bytes 0-1/2\r\nContent-Language: xx\r\nContent-Transfer-Encoding: base64\r\n",
        "X-Forwarded-For: unknown\r\nForwarded: for=\"\"\r\n",
    ] {
        let length = body.len();
        let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: {length}\r\n\r\n");
        assert_eq!(post(address, &head, &body).await, 200, "{fields:?}");
    }
    // Send unusual values in the parts of the request that the server itself reads.
    for start in
        ["POST / HTTP/1.0\r\n", "POST / HTTP/1.1\r\nHost: \r\n", "POST /?x=1 HTTP/1.1\r\nHost: a\r\nExpect: \r\n"]
    {
        let head = format!("{start}Content-Length: {}\r\n\r\n", body.len());
        assert_eq!(post(address, &head, &body).await, 200, "{start:?}");
    }
}

async fn post(address: std::net::SocketAddr, head: &str, body: &[u8]) -> u16 {
    let mut connection = Connection::to(address).await;
    connection.send(head).await;
    connection.send(body).await;
    connection.response().await.0
}

/// A `sign` header may be repeated or joined in transit, and its value may have quotes or spaces around it.
pub(crate) async fn repeated_sign_header_is_accepted(server: Server) {
    let client = Client::new(server.start(payby(), Reply::Accepted).await);
    let valid: Vec<_> =
        paytend_vectors::detached().into_iter().filter(|case| case.valid && case.key == "payby").collect();
    assert!(!valid.is_empty());
    for case in valid {
        let sign = &case.sign;
        for signs in [
            vec![sign.clone(), sign.clone()],
            vec![format!("{sign}, {sign}")],
            vec![format!("\"{sign}\"")],
            vec!["AAAA".to_owned(), sign.clone()],
        ] {
            let request = client.post().body(case.body());
            let request = signs.iter().fold(request, |request, sign| request.header("sign", sign));
            respond(request).await.expect(200, r#"{"response":"SUCCESS"}"#, &case.name);
        }
        for signs in [vec![], vec![""], vec!["AAAA", "BBBB"], vec!["A", "B", "C", "D", sign.as_str()]] {
            let request = client.post().body(case.body());
            let request = signs.iter().fold(request, |request, sign| request.header("sign", *sign));
            respond(request).await.expect(400, r#"{"response":"REFUSED"}"#, &case.name);
        }
    }
}

pub(crate) async fn slow_body_times_out(server: Server) {
    // The body timeout uses the real clock, because the test checks that it elapses.
    let address = server.start(paytend().body_timeout(Duration::from_millis(200)), Reply::Accepted).await;
    let start = Instant::now();
    for (fields, beginning) in [("Content-Length: 500\r\n", "{"), ("Transfer-Encoding: chunked\r\n", "5\r\n{")] {
        let mut connection = Connection::to(address).await;
        connection.send(head("POST", fields)).await;
        connection.send(beginning).await;
        let (status, head) = connection.response().await;
        assert_eq!(status, 408, "{head}");
    }
    assert!((Duration::from_millis(400)..Duration::from_secs(15)).contains(&start.elapsed()));
}

pub(crate) async fn broken_body_is_rejected(server: Server) {
    let address = server.start(paytend(), Reply::Accepted).await;
    let body = sealed("{}");
    // Send a truncated body and a body with invalid framing. The server may also close the connection without a
    // response.
    let mut connection = Connection::to(address).await;
    connection.send(head("POST", &format!("Content-Length: {}\r\n", body.len() + 1))).await;
    connection.send(&body).await;
    connection.finish().await;
    let response = connection.until("\r\n\r\n").await;
    assert!(!response.starts_with("HTTP/1.1 2"), "{response}");

    let mut connection = Connection::to(address).await;
    connection.send(head("POST", "Transfer-Encoding: chunked\r\n")).await;
    connection.send(format!("{:x}\r\n", body.len())).await;
    connection.send(&body).await;
    connection.send("\r\nnot a length\r\n\r\n").await;
    let response = connection.until("\r\n\r\n").await;
    assert!(!response.starts_with("HTTP/1.1 2"), "{response}");
}

pub(crate) async fn chunked_bodies_are_accepted(server: Server) {
    let address = server.start(paytend(), Reply::Accepted).await;
    let body = sealed(r#"{"orderNo":"F1"}"#);
    let mut connection = Connection::to(address).await;
    connection.send(head("POST", "Transfer-Encoding: chunked\r\n")).await;
    for chunk in body.chunks(7) {
        connection.send(format!("{:x}\r\n", chunk.len())).await;
        connection.send(chunk).await;
        connection.send("\r\n").await;
    }
    connection.send("0\r\n\r\n").await;
    assert_eq!(connection.response().await.0, 200);
    assert!(connection.until(ACCEPTED).await.ends_with(ACCEPTED));
}

pub(crate) async fn http_2_bodies_are_accepted(server: Server) {
    let address = server.start(paytend(), Reply::Accepted).await;
    let client = Client::with(address, reqwest::Client::builder().http2_prior_knowledge());
    let response = client.post().body(sealed("{}")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, reqwest::Version::HTTP_2));
    client.send("{}").await.expect(400, REFUSED, "not a notification");
}

pub(crate) async fn expect_100_continue_is_supported(server: Server) {
    let address = server.start(paytend(), Reply::Accepted).await;
    let body = sealed("{}");
    let mut connection = Connection::to(address).await;
    connection.send(head("POST", &format!("Content-Length: {}\r\nExpect: 100-continue\r\n", body.len()))).await;
    let interim = connection.until("\r\n\r\n").await;
    assert!(interim.starts_with("HTTP/1.1 100 "), "{interim}");
    connection.send(&body).await;
    assert_eq!(connection.response().await.0, 200);

    // If the headers cause a rejection, the response arrives before the body is sent.
    let mut connection = Connection::to(address).await;
    connection.send(head("POST", "Content-Length: 1000000\r\nExpect: 100-continue\r\n")).await;
    assert_eq!(connection.response().await.0, 413);
}

pub(crate) async fn handler_can_ask_for_a_retry(server: Server) {
    let client = Client::new(server.start(paytend(), Reply::TryAgainLater).await);
    let response = client.send(sealed("{}")).await;
    response.expect(503, LATER, "later");
    assert_eq!(response.headers["retry-after"], "60");
}

pub(crate) async fn overload_does_not_affect_other_sources(server: Server) {
    let (receiver, mut started) = BlockingReceiver::new();
    // The test acts as a proxy that reports the source of each request.
    let sources = Sources::new().allow(["203.0.113.7"]).unwrap().trusted_proxies(["127.0.0.1"]).unwrap();
    let endpoint = paytend_webhook::server::Endpoint::new(receiver.clone())
        .filter(RequestFilter::new().sources(sources))
        .listed_budget(Budget::new().max_concurrent(1).max_waiting(0))
        .other_budget(Budget::new().max_concurrent(1).max_waiting(1));
    let client = Client::new(server.start(endpoint, Reply::Accepted).await);
    let from = |address: &str| {
        let request = client.post().header("x-forwarded-for", address).body(sealed("{}"));
        tokio::spawn(respond(request))
    };

    let mut begun = async || tokio::time::timeout(Duration::from_secs(20), started.recv()).await.unwrap().unwrap();
    let first = from("198.51.100.1");
    begun().await;
    // Send two more requests from unlisted sources: one waits, and the other is rejected because the queue is full.
    let (mut second, mut third) = (from("198.51.100.2"), from("198.51.100.3"));
    let (refused, waiting) = tokio::select! {
        response = &mut second => (response, third),
        response = &mut third => (response, second),
    };
    let refused = refused.unwrap();
    refused.expect(503, LATER, "overload");
    assert_eq!(refused.headers["retry-after"], "60");
    // The budget of listed sources has a single slot.
    let listed = from("203.0.113.7");
    begun().await;
    from("203.0.113.7").await.unwrap().expect(503, LATER, "the second listed request");

    receiver.release();
    for response in [first, waiting, listed] {
        response.await.unwrap().expect(200, ACCEPTED, "after waiting");
    }
    from("198.51.100.1").await.unwrap().expect(200, ACCEPTED, "after all other requests have ended");
}

pub(crate) async fn only_listed_rejects_other_sources(server: Server) {
    let filter = |list: &str| RequestFilter::new().sources(Sources::new().allow([list]).unwrap().only_listed());
    let inside = Client::new(server.start(paytend().filter(filter("127.0.0.0/8")), Reply::Accepted).await);
    inside.send(sealed("{}")).await.expect(200, ACCEPTED, "from a listed source");
    let outside = Client::new(server.start(paytend().filter(filter("203.0.113.7")), Reply::Accepted).await);
    outside.send(sealed("{}")).await.expect(403, REFUSED, "from an unlisted source");
    // `X-Forwarded-For` is ignored because no proxy is trusted.
    let forwarded = outside.post().header("x-forwarded-for", "203.0.113.7").body(sealed("{}"));
    respond(forwarded).await.expect(403, REFUSED, "from an unlisted source with X-Forwarded-For");
}
