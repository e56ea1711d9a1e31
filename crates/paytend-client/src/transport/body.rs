//! A request body that is either sent or withdrawn, never both.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::handover::Handover;

/// The size in bytes of the pieces that are handed to the connection. Progress is reported after each piece.
const PIECE: usize = 32 << 10;

/// A progress callback, called with the number of bytes handed over and the total number of bytes.
pub(crate) type Progress = std::sync::Arc<dyn Fn(usize, usize) + Send + Sync>;

/// A request body, which is either sent or withdrawn.
///
/// Read the body piece by piece as an [`http_body::Body`], or as a whole with [`into_bytes`](Self::into_bytes).
///
/// The caller may give up while another thread still holds the body. In that case the last piece is an error instead of
/// data. A request that was reported as "not sent" therefore never reaches the server in full.
pub struct OutgoingBody {
    left: Bytes,
    total: usize,
    handover: Handover,
    progress: Option<Progress>,
}

/// The error returned if the caller gave up before the body was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WithdrawnError;

impl fmt::Display for WithdrawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call timed out or was dropped before the request was sent")
    }
}

impl std::error::Error for WithdrawnError {}

impl From<Bytes> for OutgoingBody {
    /// Creates a body that does not belong to a call, for testing a transport.
    fn from(bytes: Bytes) -> Self {
        Self::watched(bytes, Handover::default(), None)
    }
}

impl OutgoingBody {
    pub(crate) fn watched(bytes: Bytes, handover: Handover, progress: Option<Progress>) -> Self {
        Self { total: bytes.len(), left: bytes, handover, progress }
    }

    /// Returns the whole body. After that the request counts as sent.
    ///
    /// # Errors
    /// Returns [`WithdrawnError`] if the caller has given up. In that case, the transport must not send anything.
    pub fn into_bytes(mut self) -> Result<Bytes, WithdrawnError> {
        let length = self.left.len();
        self.take(length)
    }

    /// Takes the next piece of the body. The last piece is released only if the caller has not given up.
    fn take(&mut self, length: usize) -> Result<Bytes, WithdrawnError> {
        if length == self.left.len() && !self.handover.hand_over() {
            return Err(WithdrawnError);
        }
        let piece = self.left.split_to(length);
        if let Some(progress) = &self.progress {
            progress(self.total - self.left.len(), self.total);
        }
        Ok(piece)
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = WithdrawnError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, WithdrawnError>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.left.len().min(PIECE);
        Poll::Ready(Some(self.take(length).map(Frame::data)))
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
