//! A loom model of a caller that gives up while another thread is sending the body. It runs the client's code under
//! every interleaving.

// Tests may panic.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

/// Loom's versions of the synchronization primitives that `handover.rs` uses.
mod sync {
    pub(super) use loom::sync::Arc;
    pub(super) use loom::sync::atomic::{AtomicU8, Ordering};
}

#[path = "../src/transport/handover.rs"]
mod handover;

#[path = "../src/transport/body.rs"]
mod body;

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use body::OutgoingBody;
use bytes::Bytes;
use handover::Handover;
use http_body::Body;
use loom::thread;

/// Reads the body in pieces as hyper does, until the body ends or returns an error. Returns whether the server has
/// received all bytes.
fn send(mut body: OutgoingBody, length: usize) -> bool {
    let mut received = 0;
    loop {
        match Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(frame))) => received += frame.into_data().unwrap().len(),
            Poll::Ready(Some(Err(_)) | None) | Poll::Pending => return received == length,
        }
    }
}

/// Body lengths: the first body is read in one piece, and the second body in several pieces.
const LENGTHS: [usize; 2] = [10, 70_000];

#[test]
fn server_receives_the_whole_body_unless_it_was_withdrawn() {
    for length in LENGTHS {
        loom::model(move || {
            let handover = Handover::default();
            let body = OutgoingBody::watched(Bytes::from(vec![7; length]), handover.clone(), None);
            let connection = thread::spawn(move || send(body, length));
            // The client withdraws the body after a timeout and can withdraw it again later. Every withdrawal must have
            // the same result.
            let not_sent = handover.withdraw();
            assert_eq!(handover.withdraw(), not_sent);
            let complete = connection.join().unwrap();
            assert_eq!(complete, !not_sent);
            assert_eq!(handover.withdraw(), not_sent);
        });
    }
}

/// One thread drops the call while another thread is determining its outcome.
#[test]
fn concurrent_withdrawals_have_the_same_result() {
    loom::model(|| {
        let handover = Handover::default();
        let body = OutgoingBody::watched(Bytes::from_static(b"{}"), handover.clone(), None);
        let connection = thread::spawn(move || body.into_bytes().is_ok());
        let other = {
            let handover = handover.clone();
            thread::spawn(move || handover.withdraw())
        };
        let ours = handover.withdraw();
        let (complete, theirs) = (connection.join().unwrap(), other.join().unwrap());
        assert_eq!((ours, theirs), (!complete, !complete));
    });
}
