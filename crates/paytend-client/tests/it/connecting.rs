//! Tests for connect failures: how they are classified, and which failures are retried.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use paytend_client::{
    CertificateProblem, Client, ClientBuilder, ConnectFailure, Environment, Error, ErrorKind, Outcome, RetryPolicy,
};
use paytend_model::issuing::{QueryCardBalance, Topup};
use paytend_vectors::PARTNER_ID;
use rcgen::CertificateParams;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::server::partner;
use crate::tls::{Authority, identity, serve_with};

fn builder(url: &str) -> ClientBuilder {
    Client::builder(Environment::BaseUrl(url.into()), PARTNER_ID, partner())
        .no_proxy()
        .attempt_timeout(Duration::from_secs(10))
        .retry(RetryPolicy::default().base(Duration::from_millis(1)))
}

async fn failure(client: &Client) -> Error {
    let error = client.send(&QueryCardBalance::new("1")).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("example") && !shown.contains("CANARY"), "{shown}");
    // A mutation fails in the same way.
    let topup = Topup::builder().card_id("1").order_no("T-1").amount("1".parse().unwrap()).currency("EUR").build();
    let mutation = client.send(&topup).await.unwrap_err();
    assert_eq!(mutation.connect_failure(), error.connect_failure());
    assert_eq!(mutation.attempts(), error.attempts(), "{mutation}");
    error
}

/// Starts a listener that counts connections, and writes `bytes` to each connection after it has read from it.
async fn counting(bytes: &'static [u8]) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let ours = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            ours.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(bytes).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (port, count)
}

#[tokio::test]
async fn invalid_certificate_is_classified_and_not_retried() {
    let (ours, other) = (Authority::new(), Authority::new());
    let dated = |from: i32, to: i32| {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(from, 1, 1), rcgen::date_time_ymd(to, 1, 1));
        params
    };
    let named = |name: &str| CertificateParams::new([name.to_owned()]).unwrap();
    for (params, roots, problem, part) in [
        (named("localhost"), &other, CertificateProblem::UnknownIssuer, "untrusted authority"),
        (named("elsewhere.test"), &ours, CertificateProblem::HostName, "a different host name"),
        (dated(2001, 2002), &ours, CertificateProblem::Expired, "has expired"),
        (dated(2090, 2091), &ours, CertificateProblem::NotYetValid, "not valid yet"),
    ] {
        let (url, connections) = serve_with(&ours, params, None).await;
        let error = failure(&builder(&url).root_certificates(roots.0.pem()).build().unwrap()).await;
        assert_eq!(error.connect_failure(), Some(ConnectFailure::Certificate(problem)));
        assert_eq!((error.kind(), error.outcome(), error.attempts()), (ErrorKind::Connect, Outcome::NotSent, 1));
        assert!(!error.is_retryable());
        assert!(
            error.to_string().contains("TLS: the server's certificate") && error.to_string().contains(part),
            "{error}"
        );
        assert_eq!(connections.load(Ordering::SeqCst), 2, "each of the two calls must open one connection");
    }
}

#[tokio::test]
async fn missing_or_untrusted_client_certificate_is_not_retried() {
    let (ours, clients) = (Authority::new(), Authority::new());
    let (url, _) = serve_with(&ours, CertificateParams::new(["localhost".to_owned()]).unwrap(), Some(&clients)).await;
    for identity in [None, Some(identity(&ours, "stranger"))] {
        let mut builder = builder(&url).root_certificates(ours.0.pem());
        if let Some(identity) = identity {
            builder = builder.client_certificate(identity);
        }
        let error = builder.build().unwrap().send(&QueryCardBalance::new("1")).await.unwrap_err();
        // With TLS 1.3 the server rejects the certificate after the handshake, when the connection may already be
        // closed.
        if error.connect_failure().is_some() {
            assert_eq!((error.connect_failure(), error.attempts()), (Some(ConnectFailure::TlsRefused), 1), "{error:?}");
            assert!(error.to_string().contains("client certificate"), "{error}");
        } else {
            assert_eq!(error.kind(), ErrorKind::Transport, "{error:?}");
        }
    }
}

#[tokio::test]
async fn refused_connection_and_failed_handshake_are_retried() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error = failure(&builder(&format!("http://127.0.0.1:{port}")).build().unwrap()).await;
    assert_eq!((error.connect_failure(), error.attempts()), (Some(ConnectFailure::Tcp), 4));
    assert!(error.to_string().contains("TCP: refused"), "{error}");
    for bytes in [&b""[..], b"HTTP/1.1 400 Bad Request\r\n\r\n"] {
        let (port, connections) = counting(bytes).await;
        let error = failure(&builder(&format!("https://localhost:{port}")).build().unwrap()).await;
        assert_eq!((error.connect_failure(), error.attempts()), (Some(ConnectFailure::Tls), 4), "{error:?}");
        assert_eq!(error.outcome(), Outcome::NotSent);
        assert_eq!(connections.load(Ordering::SeqCst), 8);
    }
}

/// This test uses a custom resolver, so that no DNS request leaves the machine.
#[tokio::test]
async fn unknown_host_is_not_retried_and_failed_lookup_is_retried() {
    #[derive(Clone, Copy)]
    struct FailingResolver(&'static str);

    impl reqwest::dns::Resolve for FailingResolver {
        fn resolve(&self, _: reqwest::dns::Name) -> reqwest::dns::Resolving {
            let text = format!("failed to lookup address information: {}", self.0);
            Box::pin(async move { Err(std::io::Error::other(text).into()) })
        }
    }

    for (text, expected, attempts) in [
        ("Name or service not known", ConnectFailure::UnknownHost, 1),
        ("Name does not resolve", ConnectFailure::UnknownHost, 1),
        ("nodename nor servname provided, or not known", ConnectFailure::UnknownHost, 1),
        ("Temporary failure in name resolution", ConnectFailure::Dns, 4),
    ] {
        let resolver = FailingResolver(text);
        let make = move || reqwest::Client::builder().no_proxy().dns_resolver(Arc::new(resolver)).build();
        let client = Client::builder(Environment::BaseUrl("https://api.example.com".into()), PARTNER_ID, partner())
            .http_client(make)
            .retry(RetryPolicy::default().base(Duration::from_millis(1)))
            .build()
            .unwrap();
        let error = failure(&client).await;
        assert_eq!((error.connect_failure(), error.attempts()), (Some(expected), attempts), "{error:?}");
        assert!(error.to_string().contains("DNS: "), "{error}");
    }
}

#[tokio::test]
async fn proxy_authentication_failure_is_not_retried() {
    for (bytes, expected, attempts) in [
        (&b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..], ConnectFailure::ProxyAuthentication, 1),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", ConnectFailure::Proxy, 4),
        (b"", ConnectFailure::Proxy, 4),
    ] {
        let (port, connections) = counting(bytes).await;
        let client = Client::builder(Environment::BaseUrl("https://api.example.com".into()), PARTNER_ID, partner())
            .proxy(format!("http://user:CANARY@127.0.0.1:{port}"))
            .retry(RetryPolicy::default().base(Duration::from_millis(1)))
            .build()
            .unwrap();
        let error = failure(&client).await;
        assert_eq!((error.connect_failure(), error.attempts()), (Some(expected), attempts), "{error:?}");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Connect, Outcome::NotSent));
        assert!(error.to_string().contains("proxy: "), "{error}");
        assert_eq!(connections.load(Ordering::SeqCst), 2 * usize::try_from(attempts).unwrap());
    }
    // Test an unreachable proxy, and a SOCKS proxy that requires a password.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let (socks, _) = counting(&[5, 0xff]).await;
    for (url, expected, attempts) in [
        (format!("http://127.0.0.1:{port}"), ConnectFailure::Proxy, 4),
        (format!("socks5h://127.0.0.1:{socks}"), ConnectFailure::ProxyAuthentication, 1),
    ] {
        let client = Client::builder(Environment::BaseUrl("https://api.example.com".into()), PARTNER_ID, partner())
            .proxy(&url)
            .retry(RetryPolicy::default().base(Duration::from_millis(1)))
            .build()
            .unwrap();
        let error = failure(&client).await;
        assert_eq!((error.connect_failure(), error.attempts()), (Some(expected), attempts), "{url} {error:?}");
    }
}
