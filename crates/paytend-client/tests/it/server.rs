//! A local server that reads one request per connection and responds with the given bytes.

use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use paytend_client::{Client, Environment, RetryPolicy};
use paytend_crypto::{Fields, Keyring, Outgoing, PrivateKey};
use paytend_vectors::PARTNER_ID;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

static KEYS: LazyLock<[PrivateKey; 3]> = LazyLock::new(|| {
    crate::traces::write_traces();
    let keys = paytend_vectors::keys();
    ["partner", "paytend", "stranger"].map(|name| PrivateKey::from_bytes(&keys[name].private).unwrap())
});

pub(crate) fn partner() -> Keyring {
    Keyring::from_keys(&KEYS[0], KEYS[1].public_key()).unwrap()
}

pub(crate) fn paytend() -> Keyring {
    Keyring::from_keys(&KEYS[1], KEYS[0].public_key()).unwrap()
}

/// Returns a keyring whose signing key is not Paytend's.
pub(crate) fn forger() -> Keyring {
    Keyring::from_keys(&KEYS[2], KEYS[0].public_key()).unwrap()
}

/// Creates a client with a timeout that is long enough for a busy machine.
pub(crate) fn client(url: &str) -> Client {
    client_with_timeout(url, Duration::from_secs(30))
}

pub(crate) fn client_with_timeout(url: &str, timeout: Duration) -> Client {
    Client::builder(Environment::BaseUrl(url.into()), PARTNER_ID, partner())
        .attempt_timeout(timeout)
        .retry(RetryPolicy::never())
        .max_response_bytes(100_000)
        .build()
        .unwrap()
}

/// A received request.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// Serves one connection with `serve`. Returns the URL, and the task with the result of `serve`.
pub(crate) async fn once<F, T>(
    serve: impl FnOnce(Seen, TcpStream) -> F + Send + 'static,
) -> (String, tokio::task::JoinHandle<T>)
where
    F: Future<Output = T> + Send,
    T: Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let seen = read_request(&mut stream).await;
        serve(seen, stream).await
    });
    (url, task)
}

/// Starts a server that responds once with an HTTP status and a body. Returns its URL.
pub(crate) async fn answering(status: &'static str, body: impl Into<Vec<u8>>) -> String {
    let body = body.into();
    let (url, _) = once(move |_, mut stream| async move {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        // The client may close the connection if the body is too large.
        let _ = stream.write_all(&body).await;
    })
    .await;
    url
}

pub(crate) fn response(keyring: &Keyring, code: &str, message: &str, data: &str) -> String {
    keyring.seal(&Outgoing::new(&Fields::response(code, message)).payload(data)).unwrap().into_document()
}

pub(crate) async fn read_request(stream: &mut TcpStream) -> Seen {
    read_request_or_end(stream).await.expect("the client closed the connection before its request was complete")
}

/// Reads the next request on a connection. Returns `None` if the client closes the connection before the request is
/// complete.
pub(crate) async fn read_request_or_end(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.unwrap_or(0);
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&piece[..read]);
        let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let length: usize = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(|n| n.parse().unwrap()))
            .unwrap();
        if bytes.len() >= end + 4 + length {
            return Some(Seen { head, body: bytes[end + 4..].to_vec() });
        }
    }
}
