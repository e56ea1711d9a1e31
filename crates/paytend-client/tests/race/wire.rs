//! A server that reads raw bytes and records each complete request.
//!
//! It uses no HTTP library, because a library might discard a request that the client sent in full and then cancelled.
//! Such a request must be recorded.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Protocol {
    Http1,
    Http1OverTls,
    Http2OverTls,
}

impl Protocol {
    /// Returns roughly how many requests on a reused connection take as long as one request on a new connection.
    pub(crate) fn cost(self) -> u64 {
        if self == Self::Http1 { 2 } else { 20 }
    }
}

/// The `requestId`s of the complete requests.
type Received = Arc<Mutex<HashSet<String>>>;

/// A server with a separate thread and runtime, so that it does not affect the client's scheduling.
pub(crate) struct Server {
    url: String,
    certificate: String,
    received: Received,
    stop: oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Server {
    /// Starts a server. If `responds` is true, the server sends responses, so that the client can reuse connections.
    pub(crate) fn start(protocol: Protocol, responds: bool) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        config.alpn_protocols =
            vec![if protocol == Protocol::Http2OverTls { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if protocol == Protocol::Http1 { "http" } else { "https" };
        let received = Received::default();
        let (ours, (stop, stopped)) = (Arc::clone(&received), oneshot::channel());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                let mut connections = tokio::task::JoinSet::new();
                let mut stopped = std::pin::pin!(stopped);
                loop {
                    let (stream, _) = tokio::select! {
                        accepted = listener.accept() => accepted.unwrap(),
                        _ = &mut stopped => break,
                    };
                    let _ = stream.set_nodelay(true);
                    let (received, acceptor) = (Arc::clone(&ours), acceptor.clone());
                    connections.spawn(async move {
                        match protocol {
                            Protocol::Http1 => http1(stream, &received, responds).await,
                            Protocol::Http1OverTls => {
                                let Ok(stream) = acceptor.accept(stream).await else { return };
                                http1(stream, &received, responds).await;
                            }
                            Protocol::Http2OverTls => {
                                let Ok(stream) = acceptor.accept(stream).await else { return };
                                let _ = http2(stream, &received, responds).await;
                            }
                        }
                    });
                }
                // Wait until everything that the client has written has been read.
                while connections.join_next().await.is_some() {}
            });
        });
        let url = format!("{scheme}://localhost:{port}");
        Self { url, certificate: certificate.pem(), received, stop, thread }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Reads all connections to the end and returns the `requestId`s of the complete requests. The client must have
    /// closed the connections.
    pub(crate) fn stop(self) -> HashSet<String> {
        let _ = self.stop.send(());
        self.thread.join().unwrap();
        std::mem::take(&mut *self.received.lock().unwrap())
    }
}

/// Records the `requestId` of a complete document.
fn record(document: &[u8], received: &Received) {
    let text = std::str::from_utf8(document).unwrap();
    let at = text.find("\"requestId\":\"").unwrap() + 13;
    received.lock().unwrap().insert(text[at..at + 32].to_owned());
}

async fn http1(mut stream: impl AsyncRead + AsyncWrite + Unpin, received: &Received, responds: bool) {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        let read = stream.read(&mut piece).await.unwrap_or(0);
        if read == 0 {
            return;
        }
        bytes.extend_from_slice(&piece[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
        let end_of_body = end + 4 + length.unwrap();
        if bytes.len() >= end_of_body {
            record(&bytes[end + 4..end_of_body], received);
            bytes.drain(..end_of_body);
            if responds {
                let _ = stream.write_all(b"HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n").await;
            }
        }
    }
}

/// Serves the subset of HTTP/2 (RFC 9113) that a client needs to send small documents with POST.
async fn http2(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    received: &Received,
    responds: bool,
) -> std::io::Result<()> {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const RESET: u8 = 3;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;
    const END: u8 = 1;
    let frame = |kind: u8, flags: u8, id: u32, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &id.to_be_bytes(), payload].concat()
    };
    stream.read_exact(&mut [0; 24]).await?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    stream.write_all(&frame(WINDOW_UPDATE, 0, 0, &0x7ff0_0000_u32.to_be_bytes())).await?;
    let mut bodies: HashMap<u32, Vec<u8>> = HashMap::new();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let (kind, flags, id) = (head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await?;
        match kind {
            SETTINGS if flags & END == 0 => stream.write_all(&frame(SETTINGS, 1, 0, &[])).await?,
            PING if flags & END == 0 => stream.write_all(&frame(PING, 1, 0, &payload)).await?,
            RESET => drop(bodies.remove(&id)),
            DATA => {
                bodies.entry(id).or_default().extend_from_slice(&payload);
                if flags & END != 0 {
                    record(&bodies.remove(&id).unwrap_or_default(), received);
                    if responds {
                        // `:status: 500` (entry 14 of the static table), with END_HEADERS and END_STREAM.
                        stream.write_all(&frame(HEADERS, 5, id, &[0x8e])).await?;
                    }
                }
            }
            _ => {}
        }
    }
}
