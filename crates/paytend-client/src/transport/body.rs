//! A request's body, which knows how much of it has been handed over.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// How much is handed over at a time, and so how often progress is told.
const PIECE: usize = 32 << 10;

/// Told how many bytes of how many have been handed over.
pub(crate) type Progress = Arc<dyn Fn(usize, usize) + Send + Sync>;

/// Whether the whole of a body has been handed over. Before that nobody can have carried out the request: its document is not complete.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent(Arc<AtomicBool>);

impl Sent {
    pub(crate) fn all(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A request's body: read it piece by piece as an [`http_body::Body`], or whole by [`into_bytes`](Self::into_bytes).
pub struct OutgoingBody {
    left: Bytes,
    total: usize,
    sent: Sent,
    progress: Option<Progress>,
}

impl From<Bytes> for OutgoingBody {
    /// A body that nobody watches, for tests of a transport.
    fn from(bytes: Bytes) -> Self {
        Self::watched(bytes, Sent::default(), None)
    }
}

impl OutgoingBody {
    pub(crate) fn watched(bytes: Bytes, sent: Sent, progress: Option<Progress>) -> Self {
        Self { total: bytes.len(), left: bytes, sent, progress }
    }

    /// All of it. From now on it counts as sent.
    pub fn into_bytes(mut self) -> Bytes {
        let bytes = std::mem::take(&mut self.left);
        self.told();
        bytes
    }

    fn told(&self) {
        if self.left.is_empty() {
            self.sent.0.store(true, Ordering::Release);
        }
        if let Some(progress) = &self.progress {
            progress(self.total - self.left.len(), self.total);
        }
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::convert::Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let piece = self.left.len().min(PIECE);
        let piece = self.left.split_to(piece);
        self.told();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

impl fmt::Debug for OutgoingBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingBody").field("bytes", &self.total).field("left", &self.left.len()).finish()
    }
}
