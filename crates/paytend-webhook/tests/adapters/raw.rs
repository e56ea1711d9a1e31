//! A raw HTTP/1.1 connection, for requests that a client library would not send.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Maximum time that a test waits for a response.
const TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), received: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Closes the sending side of the connection.
    pub(crate) async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Aborts the connection, so that the other side sees a reset instead of an orderly close.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }

    /// Reads up to and including this string, or until the other side closes the connection.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        let reading = async {
            loop {
                let found = self.received.windows(text.len()).position(|window| window == text.as_bytes());
                if let Some(at) = found {
                    let rest = self.received.split_off(at + text.len());
                    return std::mem::replace(&mut self.received, rest);
                }
                let mut piece = [0; 4096];
                match self.stream.read(&mut piece).await {
                    Ok(count) if count > 0 => self.received.extend_from_slice(&piece[..count]),
                    _ => return std::mem::take(&mut self.received),
                }
            }
        };
        let bytes = tokio::time::timeout(TIMEOUT, reading).await.expect("a response in time");
        String::from_utf8(bytes).unwrap()
    }

    /// Reads the next final response, skipping `100 Continue`. Returns the status and the head.
    pub(crate) async fn response(&mut self) -> (u16, String) {
        loop {
            let head = self.until("\r\n\r\n").await;
            let status = head
                .strip_prefix("HTTP/1.")
                .and_then(|rest| rest.get(2..))
                .and_then(|rest| rest.get(..3)?.parse().ok());
            match status.unwrap_or_else(|| panic!("no response: {head:?}")) {
                100 => {}
                status => return (status, head),
            }
        }
    }
}

/// Builds a request head; `fields` are complete header lines.
pub(crate) fn head(method: &str, fields: &str) -> String {
    format!("{method} / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{fields}\r\n")
}
