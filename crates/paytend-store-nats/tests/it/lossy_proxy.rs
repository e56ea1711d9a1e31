//! A proxy in front of a NATS server. On request, it drops the responses to writes, drops the messages of consumers,
//! delays a request, or closes its connections.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const HOLD_TIMEOUT: Duration = Duration::from_secs(60);

/// A proxy that drops responses to writes on request.
pub(crate) struct LossyProxy {
    pub(crate) port: u16,
    rules: Arc<Rules>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Rules {
    /// The number of responses to drop.
    writes: AtomicUsize,
    deletions: AtomicUsize,
    dropped: AtomicUsize,
    /// The consumers whose messages are dropped.
    silent: Mutex<BTreeSet<String>>,
    hold: Hold,
    is_closed: watch::Sender<bool>,
}

/// Delays the next request whose subject contains the text in `subject`.
#[derive(Default)]
struct Hold {
    subject: Mutex<Option<String>>,
    is_held: watch::Sender<bool>,
    is_released: watch::Sender<bool>,
}

impl LossyProxy {
    /// Starts a proxy in front of the NATS server that listens on the port `server`.
    pub(crate) async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let rules = Arc::<Rules>::default();
        let shared = Arc::clone(&rules);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server, Arc::clone(&shared)));
            }
        });
        Self { port, rules, task }
    }

    /// Starts dropping the messages to these consumers, but not their heartbeats.
    pub(crate) fn silence(&self, consumers: impl IntoIterator<Item = String>) {
        self.rules.silent.lock().unwrap().extend(consumers);
    }

    /// Drops the next responses to writes.
    pub(crate) fn drop_responses(&self, count: usize) {
        self.rules.writes.store(count, Ordering::SeqCst);
    }

    /// Drops the next responses to successful deletions.
    pub(crate) fn drop_deletions(&self, count: usize) {
        self.rules.deletions.store(count, Ordering::SeqCst);
    }

    /// Returns the number of dropped responses.
    pub(crate) fn dropped(&self) -> usize {
        self.rules.dropped.load(Ordering::SeqCst)
    }

    /// Delays the next request whose subject contains this text until [`release`](Self::release) is called.
    pub(crate) fn hold(&self, subject: &str) {
        *self.rules.hold.subject.lock().unwrap() = Some(subject.to_owned());
    }

    /// Waits until a request is delayed.
    pub(crate) async fn held(&self) {
        let mut is_held = self.rules.hold.is_held.subscribe();
        let held = tokio::time::timeout(HOLD_TIMEOUT, is_held.wait_for(|is_held| *is_held)).await;
        held.expect("no request was delayed").unwrap();
    }

    /// Forwards the delayed request.
    pub(crate) fn release(&self) {
        self.rules.hold.is_released.send_replace(true);
    }

    /// Closes all connections, and accepts no new connections.
    pub(crate) fn close(&self) {
        self.task.abort();
        self.rules.is_closed.send_replace(true);
    }
}

impl Drop for LossyProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(client: TcpStream, server: u16, rules: Arc<Rules>) {
    let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut closed = rules.is_closed.subscribe();
    tokio::select! {
        _ = send(from_client, to_server, &rules) => {}
        _ = filter(from_server, to_client, &rules) => {}
        _ = closed.wait_for(|is_closed| *is_closed) => {}
    }
}

/// Reads a line of the protocol and its payload. Returns the line and the complete frame, which is empty at the end.
async fn read_frame<R: AsyncRead + Unpin>(from: &mut BufReader<R>) -> std::io::Result<(String, Vec<u8>)> {
    let mut frame = Vec::new();
    from.read_until(b'\n', &mut frame).await?;
    let line = String::from_utf8_lossy(&frame).into_owned();
    if ["MSG ", "HMSG ", "PUB ", "HPUB "].iter().any(|operation| line.starts_with(operation)) {
        let size: usize = line.split_whitespace().next_back().and_then(|size| size.parse().ok()).unwrap();
        let start = frame.len();
        frame.resize(start + size + 2, 0);
        from.read_exact(&mut frame[start..]).await?;
    }
    Ok((line, frame))
}

/// Forwards the client's messages. If a request is delayed, later requests are forwarded before it.
async fn send(from: OwnedReadHalf, to: OwnedWriteHalf, rules: &Arc<Rules>) -> std::io::Result<()> {
    let (mut from, to) = (BufReader::new(from), Arc::new(tokio::sync::Mutex::new(to)));
    loop {
        let (line, frame) = read_frame(&mut from).await?;
        if frame.is_empty() {
            return Ok(());
        }
        let is_held = {
            let mut subject = rules.hold.subject.lock().unwrap();
            subject.take_if(|subject| line.contains(&**subject)).is_some()
        };
        if !is_held {
            to.lock().await.write_all(&frame).await?;
            continue;
        }
        let (to, rules) = (Arc::clone(&to), Arc::clone(rules));
        tokio::spawn(async move {
            rules.hold.is_held.send_replace(true);
            let mut released = rules.hold.is_released.subscribe();
            if released.wait_for(|is_released| *is_released).await.is_ok() {
                let _ = to.lock().await.write_all(&frame).await;
            }
        });
    }
}

/// Forwards the server's messages, except for the responses and messages to drop.
async fn filter(from: OwnedReadHalf, mut to: OwnedWriteHalf, rules: &Rules) -> std::io::Result<()> {
    let mut from = BufReader::new(from);
    loop {
        let (line, frame) = read_frame(&mut from).await?;
        if frame.is_empty() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&frame[line.len().min(frame.len())..]).into_owned();
        let take = |count: usize| count.checked_sub(1);
        let is_counted = |count: &AtomicUsize| count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok();
        let is_silent = line.contains(" $JS.ACK.") && rules.silent.lock().unwrap().iter().any(|n| line.contains(n));
        let is_write = text.starts_with("{\"stream\":") && text.contains("\"seq\":");
        let is_deletion = text.contains("stream_msg_delete_response") && text.contains("\"success\":true");
        if is_silent || (is_write && is_counted(&rules.writes)) || (is_deletion && is_counted(&rules.deletions)) {
            rules.dropped.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        to.write_all(&frame).await?;
    }
}
