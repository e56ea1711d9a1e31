//! Measures response times and the process's memory use under a constant load.

use std::sync::Arc;
use std::time::Duration;

use paytend_inbox::{Inbox, StoreAdmin as _};
use paytend_store_sqlite::SqliteStore;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;

use super::service::{Keys, exchange};

/// The number of requests that are sealed in advance.
const READY: usize = 4_096;

/// The results under a constant load.
pub(super) struct Steady {
    pub(super) rate: usize,
    pub(super) seconds: usize,
    pub(super) acknowledged: usize,
    /// The number of requests that received status 503.
    pub(super) refused: usize,
    /// The number of requests that received a status other than 200 and 503.
    pub(super) other: usize,
    /// The number of acknowledged notifications that the store does not have.
    pub(super) lost: usize,
    /// The time from when a request was due until its acknowledgement: the 50th, 99th and 99.9th percentiles.
    pub(super) times: [Duration; 3],
    /// The process's memory use after half of the time and at the end, in MiB. The store's page cache is full by then.
    pub(super) memory: [u64; 2],
}

/// Sends at a constant rate, without waiting for the responses. Each request is a new notification.
pub(super) async fn measure(keys: &Keys, inbox: &Inbox<SqliteStore>, rate: usize, time: Duration) -> Steady {
    let address = keys.serve(|endpoint| paytend_webhook::axum::route(endpoint, inbox.handler())).await;
    let seconds = usize::try_from(time.as_secs()).unwrap();
    let count = rate * seconds;
    let (ready, mut requests) = mpsc::channel(READY);
    let sealer = keys.clone();
    std::thread::spawn(move || {
        (0..count).all(|number| ready.blocking_send(sealer.request("steady", number)).is_ok());
    });
    while requests.len() < READY.min(count) {
        tokio::task::yield_now().await;
    }
    let (sender, results) = mpsc::unbounded_channel();
    let counting = tokio::spawn(evaluate(results, count));
    let idle = Arc::new(Mutex::new(Vec::<TcpStream>::new()));
    let started = Instant::now();
    let mut early = 0;
    for number in 0..count {
        let due = started + Duration::from_micros(number as u64 * 1_000_000 / rate as u64);
        tokio::time::sleep_until(due).await;
        if number == count / 2 {
            early = memory();
        }
        let request = requests.recv().await.unwrap();
        let (idle, sender) = (Arc::clone(&idle), sender.clone());
        tokio::spawn(async move {
            let known = idle.lock().await.pop();
            let mut stream = match known {
                Some(stream) => stream,
                None => TcpStream::connect(address).await.unwrap(),
            };
            let status = exchange(&mut stream, &request, &mut Vec::new()).await;
            let _ = sender.send((status, due.elapsed()));
            idle.lock().await.push(stream);
        });
    }
    drop(sender);
    let (statuses, times) = counting.await.unwrap();
    let late = memory();
    let [acknowledged, refused, other] = statuses;
    let stats = inbox.store().stats().await.unwrap();
    let stored = usize::try_from(stats.ready + stats.leased + stats.backoff + stats.done + stats.dead).unwrap();
    let lost = acknowledged.saturating_sub(stored);
    Steady { rate, seconds, acknowledged, refused, other, lost, times, memory: [early, late] }
}

/// Counts acknowledgements, refusals and other results, and returns the 50th, 99th and 99.9th percentiles of the
/// acknowledgement times.
async fn evaluate(mut results: mpsc::UnboundedReceiver<(u16, Duration)>, count: usize) -> ([usize; 3], [Duration; 3]) {
    // This vector is allocated and written in advance, so that it does not count towards the service's memory growth.
    let mut times = vec![Duration::MAX; count];
    let (mut statuses, mut acknowledged) = ([0; 3], 0);
    while let Some((status, time)) = results.recv().await {
        match status {
            200 => {
                times[acknowledged] = time;
                acknowledged += 1;
                statuses[0] += 1;
            }
            503 => statuses[1] += 1,
            _ => statuses[2] += 1,
        }
    }
    times.truncate(acknowledged);
    times.sort_unstable();
    let at = |thousandths: usize| times.get(times.len() * thousandths / 1000).copied().unwrap_or_default();
    (statuses, [500, 990, 999].map(at))
}

/// Returns the resident memory of this process in MiB, or 0 if the system does not report it.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() / 1024
}
