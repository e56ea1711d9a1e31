//! `cargo xtask bench`: compares all backends with libcrypto, the client with handwritten code, and receiving with
//! opening alone. Everything runs in one process.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used)]

mod baseline;
mod client;
mod inbox;
mod measure;
mod outbox;
mod report;
mod sandbox;
#[path = "../../paytend-store-postgres/tests/it/server.rs"]
#[expect(dead_code, reason = "only the store's tests use the rest")]
mod server;
mod start;
mod webhook;

use std::process::ExitCode;
use std::time::Duration;

use openssl::sha::sha256;
use paytend_crypto::rsa::Backend;
use paytend_crypto::rustcrypto::RustCrypto;
use paytend_crypto::{Expected, Fields, Keyring, OsRandom, Outgoing, PrivateKey, detached, rustcrypto};
use paytend_crypto_aws_lc::AwsLc;
use paytend_crypto_openssl::OpenSsl;

use crate::baseline::Baseline;
use crate::measure::{Work, medians};
use crate::report::{Report, Row};
use crate::webhook::Webhook;

const PARTNER_ID: &str = "888666000100260";
const SIZES: [(&str, usize); 4] = [("64 B", 64), ("400 B", 400), ("64 KiB", 64 << 10), ("1 MiB", 1 << 20)];

/// The sender's and the receiver's keyring for one backend, and the verifier of the sender's detached signatures.
struct Candidate {
    name: &'static str,
    backend: &'static dyn Backend,
    sender: Keyring,
    receiver: Keyring,
    verifier: detached::Verifier,
}

/// The backends, with their names in the report.
const BACKENDS: [(&str, &dyn Backend); 3] = [("OpenSSL", &OpenSsl), ("AWS-LC", &AwsLc), ("RustCrypto", &RustCrypto)];

impl Candidate {
    /// Loads the keys into every backend.
    fn all(sender: &PrivateKey, receiver: &PrivateKey) -> [Self; 3] {
        BACKENDS.map(|(name, backend)| {
            let ring = |own: &PrivateKey, peer: &PrivateKey| {
                Keyring::builder().backend(backend).own_key(own).peer_key(peer.public_key()).build().unwrap()
            };
            let verifier = detached::Verifier::new([backend.public(sender.public_key()).unwrap()]).unwrap();
            Self { name, backend, sender: ring(sender, receiver), receiver: ring(receiver, sender), verifier }
        })
    }
}

fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    let quick = std::env::args().any(|argument| argument == "--quick");
    let batch = Duration::from_millis(if quick { 5 } else { 40 });
    // These benchmarks run only if the arguments name them, because they need an idle disk and take minutes.
    if std::env::args().any(|argument| argument == "inbox") {
        return if inbox::run() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if std::env::args().any(|argument| argument == "outbox") {
        return if outbox::run() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    // If the arguments name no benchmark, all benchmarks run.
    let part = |name: &str| std::env::args().any(|argument| argument == name);
    let (client_only, webhook_only, sandbox_only) = (part("client"), part("webhook"), part("sandbox"));
    let all = !client_only && !webhook_only && !sandbox_only;
    let mut report = Report::default();
    let keys = |bits| [(); 2].map(|()| rustcrypto::generate(bits, &OsRandom).unwrap());
    if all {
        for bits in [1024, 2048] {
            let [sender, receiver] = keys(bits);
            measure_bits(&mut report, bits, &sender, &receiver, batch);
        }
        if !quick {
            report.parallel = parallel();
        }
    }
    let [sender, receiver] = keys(1024);
    let candidates = Candidate::all(&sender, &receiver);
    if all || client_only {
        report.client = candidates.iter().map(|candidate| (candidate.name, client::share(candidate, batch))).collect();
    }
    if all || webhook_only {
        let payby = rustcrypto::generate(2048, &OsRandom).unwrap();
        report.webhook = Webhook::measure(&candidates, &payby, batch);
    }
    if all || sandbox_only {
        let backends = candidates.iter().filter(|candidate| candidate.name != "OpenSSL");
        report.sandbox = backends.map(|candidate| sandbox::throughput(candidate, &sender, &receiver, batch)).collect();
        report.start = std::env::var_os("BENCH_PAYTEND").map(|command| start::measure(command.as_ref()));
    }
    report.print();
    report::write(&report.markdown());
    if check && !report.holds() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn measure_bits(report: &mut Report, bits: usize, sender: &PrivateKey, receiver: &PrivateKey, batch: Duration) {
    let candidates = Candidate::all(sender, receiver);
    let mut sealing = Baseline::new(sender.pkcs1_der(), receiver.public_key().spki_der()).unwrap();
    let mut opening = Baseline::new(receiver.pkcs1_der(), sender.public_key().spki_der()).unwrap();
    let fields = Fields::notification(PARTNER_ID, "2");
    let expected = Expected::notification(PARTNER_ID).with_max_bytes(4 << 20);

    for (size, bytes) in SIZES {
        let payload = payload(bytes);
        let seal = |ring: &Keyring| ring.seal(&Outgoing::new(&fields).payload(&payload)).unwrap();
        let document = seal(&candidates[0].sender).into_document();
        let open = |ring: &Keyring| ring.open(document.as_bytes(), &expected).unwrap();
        // Checks that each candidate can open the documents that the other candidates sealed. Otherwise, the comparison
        // would not be meaningful.
        assert_eq!(opening.open(&document).unwrap(), payload.len());
        let baseline_document = String::from_utf8(sealing.seal(PARTNER_ID, &payload).unwrap().to_vec()).unwrap();
        for candidate in &candidates {
            let opened = candidate.receiver.open(baseline_document.as_bytes(), &expected).unwrap();
            assert_eq!(opened.payload_text(), Some(&*payload));
        }

        let mut works = vec![repeat(|| assert!(!sealing.seal(PARTNER_ID, &payload).unwrap().is_empty()))];
        works.extend(candidates.iter().map(|candidate| repeat(|| drop(seal(&candidate.sender)))));
        let times = medians(&mut works, batch);
        drop(works);
        report.add(Row::new("seal", bits, size, &times));
        let mut works = vec![repeat(|| assert_eq!(opening.open(&document).unwrap(), payload.len()))];
        works.extend(candidates.iter().map(|candidate| repeat(|| drop(open(&candidate.receiver)))));
        let times = medians(&mut works, batch);
        drop(works);
        report.add(Row::new("open", bits, size, &times));
    }

    let body = payload(400);
    let sign = detached::sign(&*rustcrypto::private(sender).unwrap(), body.as_bytes()).unwrap();
    let mut works = vec![repeat(|| assert!(opening.verify_detached(&sha256(body.as_bytes()), &sign).unwrap()))];
    works.extend(candidates.iter().map(|c| repeat(|| assert!(c.verifier.verify(body.as_bytes(), &sign).is_ok()))));
    let times = medians(&mut works, batch);
    drop(works);
    report.add(Row::new("detached", bits, "400 B", &times));
}

fn repeat<'w>(mut work: impl FnMut() + 'w) -> Work<'w> {
    Box::new(move |repetitions| (0..repetitions).for_each(|_| work()))
}

/// Returns a JSON object of the given size in bytes.
fn payload(bytes: usize) -> String {
    let frame = r#"{"fileContent":""}"#;
    let filling =
        "0123456789abcdefABCDEF+/".chars().cycle().take(bytes.saturating_sub(frame.len())).collect::<String>();
    format!(r#"{{"fileContent":"{filling}"}}"#)
}

/// Measures how the throughput of opening scales with the number of processors, for each backend.
///
/// The result is the backend's speed-up on all processors divided by the speed-up of the reference, in thousandths. The
/// reference is the baseline with separate keys and buffers for each thread, so its threads share no data.
fn parallel() -> Vec<(&'static str, u128)> {
    let keys = [(); 2].map(|()| rustcrypto::generate(1024, &OsRandom).unwrap());
    let [sender, receiver] = &keys;
    let candidates = Candidate::all(sender, receiver);
    let fields = Fields::notification(PARTNER_ID, "2");
    let text = payload(400);
    let document = &candidates[0].sender.seal(&Outgoing::new(&fields).payload(&text)).unwrap().into_document();
    let reference = |opens: usize| {
        let mut baseline = Baseline::new(receiver.pkcs1_der(), sender.public_key().spki_der()).unwrap();
        (0..opens).for_each(|_| assert_eq!(baseline.open(document).unwrap(), 400));
    };
    let measured = |candidate: &Candidate, opens: usize| {
        let expected = Expected::notification(PARTNER_ID);
        (0..opens).for_each(|_| drop(candidate.receiver.open(document.as_bytes(), &expected).unwrap()));
    };
    let measure = |candidate: &Candidate| {
        let opens = if candidate.name == "RustCrypto" { 1300 } else { 4000 };
        // The result is the median of five ratios. The reference is measured again for each ratio.
        let mut shares: Vec<u128> = (0..5)
            .map(|_| speed_up(&|| measured(candidate, opens)) * 1000 / speed_up(&|| reference(4000)).max(1))
            .collect();
        shares.sort_unstable();
        (candidate.name, shares[2])
    };
    candidates.iter().map(measure).collect()
}

/// Returns the throughput of all processors as a multiple of one thread's throughput, in thousandths.
fn speed_up(work: &(dyn Fn() + Sync)) -> u128 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let run = |threads: usize| {
        let start = std::time::Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
        start.elapsed().as_nanos()
    };
    run(1) * 1000 * processors as u128 / run(processors).max(1)
}
