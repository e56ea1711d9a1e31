//! A model of the moment in which a caller gives up while another thread sends: every interleaving of the client's own code.

// A test that cannot go on should panic.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

/// What `handover.rs` is made of here: the model checker's own atomics.
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

/// Takes pieces as hyper does, until the end or an error. Returns whether the server has all bytes.
fn send(mut body: OutgoingBody, length: usize) -> bool {
    let mut received = 0;
    loop {
        match Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(frame))) => received += frame.into_data().unwrap().len(),
            Poll::Ready(Some(Err(_)) | None) | Poll::Pending => return received == length,
        }
    }
}

/// One piece, and more than one.
const LENGTHS: [usize; 2] = [10, 70_000];

#[test]
fn not_sent_and_complete_exclude_each_other() {
    for length in LENGTHS {
        loom::model(move || {
            let handover = Handover::default();
            let body = OutgoingBody::watched(Bytes::from(vec![7; length]), handover.clone(), None);
            let connection = thread::spawn(move || send(body, length));
            // A timeout: `settled` decides; afterwards the observer's guard asks again, and gets the same answer.
            let not_sent = handover.withdraw();
            assert_eq!(handover.withdraw(), not_sent);
            let complete = connection.join().unwrap();
            assert_eq!(complete, !not_sent);
            assert_eq!(handover.withdraw(), not_sent);
        });
    }
}

/// The call is dropped on one thread while another one decides its outcome.
#[test]
fn all_who_ask_are_told_the_same() {
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
