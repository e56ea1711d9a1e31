//! Tests the memory use of sealing and opening. The test is a separate binary, because its allocator counts the
//! allocations of the whole process.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use paytend_crypto::{Expected, Fields, Keyring, Outgoing, rustcrypto};
use paytend_crypto_aws_lc::AwsLc;
use paytend_vectors::Seeded;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const PARTNER_ID: &str = "888666000100260";

fn payload(bytes: usize) -> String {
    format!(r#"{{"fileContent":"{}"}}"#, "x".repeat(bytes - 18))
}

/// Returns the number of allocations, the peak memory use in bytes above the use at the start, and the result.
///
/// The peak is measured since the process started, so it is too high if memory use was higher before the call.
fn cost<T>(work: impl FnOnce() -> T) -> (u64, usize, T) {
    let before = dhat::HeapStats::get();
    let result = work();
    let after = dhat::HeapStats::get();
    (after.total_blocks - before.total_blocks, after.max_bytes.saturating_sub(before.curr_bytes), result)
}

#[test]
fn opening_and_sealing_stay_within_memory_budgets() {
    let random = Seeded::new();
    let keys = [(); 2].map(|()| rustcrypto::generate(1024, &random).unwrap());
    let ring = |own: usize, peer: usize| {
        Keyring::builder().backend(&AwsLc).own_key(&keys[own]).peer_key(keys[peer].public_key()).build().unwrap()
    };
    let (sender, receiver) = (ring(0, 1), ring(1, 0));
    let fields = Fields::notification(PARTNER_ID, "2");
    let expected = Expected::notification(PARTNER_ID).with_max_bytes(4 << 20);
    let small = payload(400);
    let large = payload(1 << 20);
    let seal = |text: &str| sender.seal(&Outgoing::new(&fields).payload(text)).unwrap().into_document();
    let documents = [seal(&small), seal(&large)];

    let _profiler = dhat::Profiler::builder().testing().build();
    let (blocks, _, opened) = cost(|| receiver.open(documents[0].as_bytes(), &expected).unwrap());
    assert_eq!(opened.payload_text(), Some(&*small));
    println!("opening 400 B: {blocks} allocations");
    assert!(blocks <= 12, "{blocks} allocations to open 400 B");

    let (_, peak, opened) = cost(|| receiver.open(documents[1].as_bytes(), &expected).unwrap());
    assert_eq!(opened.payload_text(), Some(&*large));
    println!("opening 1 MiB: {peak} bytes at most");
    assert!(peak * 2 <= large.len() * 7, "{peak} bytes to open 1 MiB");
    drop(opened);

    let (_, peak, document) = cost(|| seal(&large));
    println!("sealing 1 MiB: {peak} bytes at most");
    assert!(document.len() > large.len() && peak * 2 <= large.len() * 7, "{peak} bytes to seal 1 MiB");
}
