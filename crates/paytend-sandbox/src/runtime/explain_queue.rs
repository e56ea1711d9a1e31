//! The queue of the requests to explain.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// How many requests may wait to be explained. An explanation takes up to a second.
const WAITING: usize = 16;

/// Explains one request at a time, beside the requests that are served.
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
