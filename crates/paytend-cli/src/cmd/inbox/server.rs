//! An HTTP server with TLS, connection limits, timeouts and a graceful stop.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use paytend_crypto::keys::{FilePermissions, read_secret_file};
use paytend_webhook::service::Peer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tower_service::Service as _;

use crate::cmd::inbox::config::Tls;
use crate::cmd::inbox::connections::{Connections, Slot};
use crate::exit::{Category, Failure};

/// The time limit for a TLS handshake, and for receiving the headers of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The time limit for open connections after the server is asked to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the certificate and its key.
pub(crate) fn acceptor(tls: &Tls, permissions: FilePermissions) -> Result<TlsAcceptor, Failure> {
    let failed = |path: &std::path::Path, error: &dyn std::fmt::Display| {
        Failure::new(Category::Configuration, format!("{}: {error}", path.display()))
    };
    let certificate = &tls.certificate_file;
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(certificate, &error))?;
    let key_bytes = read_secret_file(&tls.private_key_file, permissions)?;
    let key = PrivateKeyDer::from_pem_slice(&key_bytes).map_err(|error| failed(&tls.private_key_file, &error))?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_no_client_auth())
        .and_then(|builder| builder.with_single_cert(chain, key))
        .map_err(|error| failed(certificate, &error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves requests until `stop` completes. Afterwards, the server responds to the requests in progress and closes the
/// connections.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    connections: &Connections,
    stop: impl Future<Output = ()>,
) {
    let mut stop = pin!(stop);
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, connections) => accepted,
        };
        let (slot, stream, peer) = match accepted {
            Ok(Some(accepted)) => accepted,
            Ok(None) => continue,
            Err(error) => {
                // The process can run out of file descriptors. The pause avoids a busy loop.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (router, tls, watcher) = (router.clone(), tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _slot = slot;
            match tls {
                None => connection(stream, peer, router, watcher).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = tokio::time::timeout(HEADER_TIMEOUT, tls.accept(stream)).await {
                        connection(stream, peer, router, watcher).await;
                    }
                }
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(STOP_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections were still open when the server stopped");
    }
}

/// Accepts a connection. Returns `None` if it was closed because of the limit for unlisted addresses.
async fn accept(
    listener: &TcpListener,
    connections: &Connections,
) -> io::Result<Option<(Slot, TcpStream, SocketAddr)>> {
    let (stream, peer) = listener.accept().await?;
    let _ = stream.set_nodelay(true);
    let slot = connections.slot(peer.ip()).await;
    if slot.is_none() {
        tracing::debug!("a connection was closed: unlisted addresses have too many open connections");
    }
    Ok(slot.map(|slot| (slot, stream, peer)))
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut router = router.clone();
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer.ip()));
            let Ok::<_, Infallible>(response) = router.call(request).await;
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(32 << 10);
    // The error is ignored, because senders can disconnect at any time.
    let _ = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await;
}
