//! A clock whose waits end after microseconds: the system's timer knows milliseconds alone.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use paytend_client::{Clock, Sleep};
use tokio::sync::oneshot;

/// A wait: when it ends, and whom to tell.
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

/// Looks at the time without a pause while there are waits.
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
        while let Some((end, told)) = waits.get(at) {
            if told.is_closed() {
                drop(waits.swap_remove(at));
            } else if *end <= now {
                let (_, told) = waits.swap_remove(at);
                let _ = told.send(());
            } else {
                at += 1;
            }
        }
        // On a machine with few processors the others need theirs.
        std::thread::yield_now();
    }
}

impl Clock for SpinningClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let (told, ended) = oneshot::channel();
        let end = Instant::now() + duration.min(Duration::from_secs(1000));
        let sent = self.waits.send((end, told));
        Box::pin(async move {
            if sent.is_ok() {
                let _ = ended.await;
            }
        })
    }
}
