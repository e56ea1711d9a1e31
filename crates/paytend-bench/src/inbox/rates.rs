//! Measures the maximum rate of a service that stores notifications, compared with a service that only verifies them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use paytend_inbox::Inbox;
use paytend_store_sqlite::SqliteStore;
use paytend_webhook::Reply;
use tokio::net::TcpStream;

use super::service::{Keys, exchange};

/// The number of connections that the senders use.
pub(super) const CONNECTIONS: usize = 64;
/// The number of notifications in one round.
const ROUND: usize = 3_000;
/// The number of rounds. The result is the median.
const ROUNDS: usize = 5;

/// The rates of one round, in notifications per second.
pub(super) struct Rates {
    /// The rate of notifications that are verified and acknowledged without a store.
    pub(super) verified: u128,
    /// The rate of new notifications that are stored and acknowledged.
    pub(super) new: u128,
    /// The rate of notifications that are recognized as duplicates and acknowledged.
    pub(super) duplicates: u128,
}

pub(super) async fn measure(keys: &Keys, inbox: &Inbox<SqliteStore>) -> Rates {
    let plain = keys.serve(|endpoint| paytend_webhook::axum::route(endpoint, async |_| Reply::Accepted)).await;
    let stored = keys.serve(|endpoint| paytend_webhook::axum::route(endpoint, inbox.handler())).await;
    let [mut verified, mut new, mut duplicates] = [const { Vec::new() }; 3];
    for round in 0..ROUNDS {
        let requests = Arc::new((0..ROUND).map(|number| keys.request(&format!("r{round}"), number)).collect());
        verified.push(rate(plain, &requests).await);
        new.push(rate(stored, &requests).await);
        duplicates.push(rate(stored, &requests).await);
    }
    let [verified, new, duplicates] = [verified, new, duplicates].map(median);
    Rates { verified, new, duplicates }
}

/// Sends all requests on several connections as fast as possible. Returns the number of acknowledgements per second.
async fn rate(address: SocketAddr, requests: &Arc<Vec<Vec<u8>>>) -> u128 {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let senders = (0..CONNECTIONS).map(|_| {
        let (next, requests) = (Arc::clone(&next), Arc::clone(requests));
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let mut buffer = Vec::new();
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                assert_eq!(exchange(&mut stream, request, &mut buffer).await, 200);
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    requests.len() as u128 * 1_000_000 / started.elapsed().as_micros()
}

pub(super) fn median(mut values: Vec<u128>) -> u128 {
    values.sort_unstable();
    values[values.len() / 2]
}
