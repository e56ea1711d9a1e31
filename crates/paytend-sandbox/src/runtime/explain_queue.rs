//! Limits on how many explanations wait and run at the same time.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// The maximum number of requests that wait to be explained. An explanation takes up to a second.
const WAITING: usize = 16;

/// Semaphores that limit explanations: one explanation runs at a time, and at most [`WAITING`] wait. Explanations do
/// not delay other requests.
#[derive(Debug)]
pub(crate) struct ExplainQueue {
    pub(crate) waiting: Arc<Semaphore>,
    pub(crate) running: Arc<Semaphore>,
}

impl ExplainQueue {
    pub(crate) fn new() -> Self {
        Self { waiting: Arc::new(Semaphore::new(WAITING)), running: Arc::new(Semaphore::new(1)) }
    }
}
