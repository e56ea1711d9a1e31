//! A proxy in front of a NATS server. It can drop responses to writes and messages to consumers.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// A proxy that drops responses to writes on request.
pub(crate) struct LossyProxy {
    pub(crate) port: u16,
    /// The number of responses to drop.
    to_drop: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
    /// The consumers whose messages are dropped.
    silent: Arc<Mutex<BTreeSet<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl LossyProxy {
    /// Starts a proxy for the server on this port.
    pub(crate) async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (to_drop, dropped) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let silent = Arc::<Mutex<BTreeSet<String>>>::default();
        let (first, second, third) = (Arc::clone(&to_drop), Arc::clone(&dropped), Arc::clone(&silent));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (to_drop, dropped, silent) = (Arc::clone(&first), Arc::clone(&second), Arc::clone(&third));
                tokio::spawn(async move {
                    let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                    let ((from_client, to_client), (from_server, to_server)) =
                        (client.into_split(), server.into_split());
                    tokio::select! {
                        () = copy(from_client, to_server) => {}
                        _ = filter(from_server, to_client, &to_drop, &dropped, &silent) => {}
                    }
                });
            }
        });
        Self { port, to_drop, dropped, silent, task }
    }

    /// From now on, drops the messages to these consumers, but not their heartbeats.
    pub(crate) fn silence(&self, consumers: impl IntoIterator<Item = String>) {
        self.silent.lock().unwrap().extend(consumers);
    }

    /// Drops the next responses to writes.
    pub(crate) fn drop_responses(&self, count: usize) {
        self.to_drop.store(count, Ordering::SeqCst);
    }

    /// Returns the number of dropped responses.
    pub(crate) fn dropped(&self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }
}

impl Drop for LossyProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

/// Forwards the server's messages, except for the responses and messages to drop.
async fn filter(
    from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    to_drop: &AtomicUsize,
    dropped: &AtomicUsize,
    silent: &Mutex<BTreeSet<String>>,
) -> std::io::Result<()> {
    let mut from = BufReader::new(from);
    loop {
        let mut frame = Vec::new();
        if from.read_until(b'\n', &mut frame).await? == 0 {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&frame).into_owned();
        if line.starts_with("MSG ") || line.starts_with("HMSG ") {
            let size: usize = line.split_whitespace().next_back().and_then(|size| size.parse().ok()).unwrap();
            let start = frame.len();
            frame.resize(start + size + 2, 0);
            from.read_exact(&mut frame[start..]).await?;
            let text = String::from_utf8_lossy(&frame[start..]).into_owned();
            let is_response = text.starts_with("{\"stream\":") && text.contains("\"seq\":");
            let take = |count: usize| count.checked_sub(1);
            if line.contains(" $JS.ACK.") && silent.lock().unwrap().iter().any(|name| line.contains(name)) {
                dropped.fetch_add(1, Ordering::SeqCst);
                continue;
            }
            if is_response && to_drop.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() {
                dropped.fetch_add(1, Ordering::SeqCst);
                continue;
            }
        }
        to.write_all(&frame).await?;
    }
}
