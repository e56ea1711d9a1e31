//! A clock with microsecond resolution, because tokio's timer has only millisecond resolution.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use paytend_client::{Clock, Sleep};
use tokio::sync::oneshot;

/// A pending wait: its end, and the channel that completes it.
type Wait = (Instant, oneshot::Sender<()>);

#[derive(Clone, Debug)]
pub(crate) struct SpinningClock {
    start: Instant,
    waits: Sender<Wait>,
}

impl Default for SpinningClock {
    fn default() -> Self {
        let (waits, received) = channel();
        std::thread::spawn(move || spin(&received));
        Self { start: Instant::now(), waits }
    }
}

/// Polls the time continuously while waits are pending.
fn spin(received: &Receiver<Wait>) {
    let mut waits: Vec<Wait> = Vec::new();
    loop {
        if waits.is_empty() {
            let Ok(wait) = received.recv() else { return };
            waits.push(wait);
        }
        waits.extend(received.try_iter());
        let now = Instant::now();
        let mut at = 0;
        while let Some((end, sender)) = waits.get(at) {
            if sender.is_closed() {
                drop(waits.swap_remove(at));
            } else if *end <= now {
                let (_, sender) = waits.swap_remove(at);
                let _ = sender.send(());
            } else {
                at += 1;
            }
        }
        // Yield, because the other threads need processor time on a machine with few processors.
        std::thread::yield_now();
    }
}

impl Clock for SpinningClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let (sender, ended) = oneshot::channel();
        let end = Instant::now() + duration.min(Duration::from_secs(1000));
        let sent = self.waits.send((end, sender));
        Box::pin(async move {
            if sent.is_ok() {
                let _ = ended.await;
            }
        })
    }
}
