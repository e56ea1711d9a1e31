//! Tests for TLS: trusted roots and client certificates.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use paytend_client::{Client, Environment, Error, ErrorKind, Outcome, RetryPolicy};
use paytend_model::issuing::QueryCardBalance;
use paytend_vectors::PARTNER_ID;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::server::{partner, paytend, response};

/// A certificate authority with its key.
pub(crate) struct Authority(pub(crate) CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        // Each authority has a distinct name. If the names were equal, a certificate from the wrong authority would
        // cause a signature error.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("test authority {number}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, params: CertificateParams) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}

/// Returns a client certificate and its key in PEM.
pub(crate) fn identity(authority: &Authority, name: &str) -> String {
    let (certificate, key) = authority.issue(CertificateParams::new([name.to_owned()]).unwrap());
    format!("{}{}", certificate.pem(), key.serialize_pem())
}

/// Starts a server with a certificate for `localhost`. It requires a client certificate if `clients` is set.
async fn serve(authority: &Authority, clients: Option<&Authority>) -> String {
    serve_with(authority, CertificateParams::new(["localhost".to_owned()]).unwrap(), clients).await.0
}

/// Starts a server that uses a certificate from `params` and serves every connection. Returns its URL and its
/// connection count.
pub(crate) async fn serve_with(
    authority: &Authority,
    params: CertificateParams,
    clients: Option<&Authority>,
) -> (String, Arc<AtomicUsize>) {
    let (certificate, key) = authority.issue(params);
    let config = ServerConfig::builder();
    let config = match clients {
        None => config.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.0.der().clone()).unwrap();
            config.with_client_cert_verifier(WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap())
        }
    };
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let ours = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            ours.fetch_add(1, Ordering::SeqCst);
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut bytes = vec![0; 64 << 10];
                // The request is small, so a single read is enough.
                if stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {
                    let body = response(&paytend(), "00", "success", r#"{"cardId":"1"}"#);
                    let response =
                        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                    let _ = stream.write_all(response.as_bytes()).await;
                    let _ = stream.shutdown().await;
                }
            });
        }
    });
    (format!("https://localhost:{port}"), count)
}

const NO_IDENTITY: Option<String> = None;

async fn query(url: &str, roots: Option<&Authority>, identity: Option<impl Into<Vec<u8>>>) -> Result<(), Error> {
    let mut builder = Client::builder(Environment::BaseUrl(url.into()), PARTNER_ID, partner())
        .no_proxy()
        .attempt_timeout(Duration::from_secs(10))
        .retry(RetryPolicy::never());
    if let Some(roots) = roots {
        builder = builder.root_certificates(roots.0.pem());
    }
    if let Some(identity) = identity {
        builder = builder.client_certificate(identity);
    }
    builder.build()?.send(&QueryCardBalance::new("1")).await.map(drop)
}

#[tokio::test]
async fn server_is_rejected_unless_its_authority_is_trusted() {
    let (ours, other) = (Authority::new(), Authority::new());
    let url = serve(&ours, None).await;
    query(&url, Some(&ours), NO_IDENTITY).await.unwrap();
    for roots in [None, Some(&other)] {
        let error = query(&url, roots, NO_IDENTITY).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Connect, Outcome::NotSent), "{error:?}");
    }
    // The host name must match the certificate as well.
    let error = query(&url.replace("localhost", "127.0.0.1"), Some(&ours), NO_IDENTITY).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Connect, Outcome::NotSent));
}

#[tokio::test]
async fn client_certificate_is_sent_to_a_server_that_requires_it() {
    let (ours, clients) = (Authority::new(), Authority::new());
    let url = serve(&ours, Some(&clients)).await;
    query(&url, Some(&ours), Some(identity(&clients, "partner"))).await.unwrap();
    for shown in [None, Some(identity(&ours, "stranger"))] {
        assert!(query(&url, Some(&ours), shown).await.is_err());
    }
}

#[tokio::test]
async fn escaped_quoted_or_reencoded_client_certificate_is_read() {
    let (ours, clients) = (Authority::new(), Authority::new());
    let url = serve(&ours, Some(&clients)).await;
    let pem = identity(&clients, "partner");
    let utf16: Vec<u8> = format!("\u{feff}{pem}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (name, identity) in [
        ("escaped newlines", pem.replace('\n', "\\n").into_bytes()),
        ("quotes and escaped newlines", format!("\"{}\"", pem.replace('\n', "\\n")).into_bytes()),
        ("byte order mark and CR LF", format!("\u{feff}{}", pem.replace('\n', "\r\n")).into_bytes()),
        ("UTF-16", utf16),
        ("one line", pem.replace('\n', " ").into_bytes()),
    ] {
        query(&url, Some(&ours), Some(identity)).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
}
