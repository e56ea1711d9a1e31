//! `cargo xtask bench`: compares both backends with libcrypto, the client with handwritten code, and receiving with
//! opening alone, in one process.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

mod baseline;
mod client;
mod inbox;
mod measure;
mod report;
mod sandbox;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use openssl::sha::sha256;
use paytend_crypto::rsa::{RsaPrivate, RsaPublic};
use paytend_crypto::{Expected, Fields, Keyring, OsRandom, Outgoing, PrivateKey, detached, rustcrypto};

use crate::baseline::Baseline;
use crate::measure::{Work, medians};
use crate::report::{Report, Row};
use crate::webhook::Webhook;

const PARTNER_ID: &str = "888666000100260";
const SIZES: [(&str, usize); 4] = [("64 B", 64), ("400 B", 400), ("64 KiB", 64 << 10), ("1 MiB", 1 << 20)];

/// The sender's and the receiver's keyring for one backend, and the verifier of the sender's detached signatures.
struct Backend {
    sender: Keyring,
    receiver: Keyring,
    verifier: detached::Verifier,
}

impl Backend {
    fn openssl(keys: &[&PrivateKey; 2]) -> Self {
        Self::new(
            keys.map(|key| paytend_crypto_openssl::private(key).unwrap()),
            keys.map(|key| paytend_crypto_openssl::public(key.public_key()).unwrap()),
        )
    }

    fn rustcrypto(keys: &[&PrivateKey; 2]) -> Self {
        Self::new(
            keys.map(|key| rustcrypto::private(key).unwrap()),
            keys.map(|key| rustcrypto::public(key.public_key()).unwrap()),
        )
    }

    fn new(own: [Arc<dyn RsaPrivate>; 2], public: [Arc<dyn RsaPublic>; 2]) -> Self {
        let [sender, receiver] = own;
        let [sender_public, receiver_public] = public;
        let ring = |own, peer: &Arc<dyn RsaPublic>| Keyring::builder().own_key(own).peer_key(Arc::clone(peer)).build();
        Self {
            sender: ring(sender, &receiver_public).unwrap(),
            receiver: ring(receiver, &sender_public).unwrap(),
            verifier: detached::Verifier::new([sender_public]).unwrap(),
        }
    }
}

fn main() {
    let check = std::env::args().any(|argument| argument == "--check");
    let quick = std::env::args().any(|argument| argument == "--quick");
    let batch = Duration::from_millis(if quick { 5 } else { 40 });
    // Without the name of a part, all parts except this one run: it needs a quiet disk, and takes minutes.
    if std::env::args().any(|argument| argument == "inbox") {
        return inbox::run(std::env::args().any(|argument| argument == "--full"));
    }
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
            report.parallel = Some(parallel());
        }
    }
    let [sender, receiver] = keys(1024);
    let (openssl, rust) = (Backend::openssl(&[&sender, &receiver]), Backend::rustcrypto(&[&sender, &receiver]));
    if all || client_only {
        report.client = client::shares(&openssl, &rust, batch);
    }
    if all || webhook_only {
        let payby = rustcrypto::generate(2048, &OsRandom).unwrap();
        report.webhook = Webhook::measure([("OpenSSL", &openssl), ("RustCrypto", &rust)], &payby, batch);
    }
    if all || sandbox_only {
        report.sandbox = Some(sandbox::throughput(&sender, &receiver, batch));
        report.start = std::env::var_os("BENCH_PAYTEND").map(|command| sandbox::start(command.as_ref()));
    }
    report.print();
    if let Some(path) = std::env::args().find_map(|argument| argument.strip_prefix("--write=").map(str::to_owned)) {
        std::fs::write(path, report.markdown()).unwrap();
    }
    if check && !report.holds() {
        std::process::exit(1);
    }
}

fn measure_bits(report: &mut Report, bits: usize, sender: &PrivateKey, receiver: &PrivateKey, batch: Duration) {
    let openssl = Backend::openssl(&[sender, receiver]);
    let rust = Backend::rustcrypto(&[sender, receiver]);
    let mut sealing = Baseline::new(sender.pkcs1_der(), receiver.public_key().spki_der()).unwrap();
    let mut opening = Baseline::new(receiver.pkcs1_der(), sender.public_key().spki_der()).unwrap();
    let fields = Fields::notification(PARTNER_ID, "2");
    let expected = Expected::notification(PARTNER_ID).with_max_bytes(4 << 20);

    for (size, bytes) in SIZES {
        let payload = payload(bytes);
        let seal = |ring: &Keyring| ring.seal(&Outgoing::new(&fields).payload(&payload)).unwrap();
        let document = seal(&rust.sender).into_document();
        let open = |ring: &Keyring| ring.open(document.as_bytes(), &expected).unwrap();
        // The comparison is meaningful only if each candidate opens the documents of the others.
        assert_eq!(opening.open(&document).unwrap(), payload.len());
        let baseline_document = String::from_utf8(sealing.seal(PARTNER_ID, &payload).unwrap().to_vec()).unwrap();
        assert_eq!(
            openssl.receiver.open(baseline_document.as_bytes(), &expected).unwrap().payload_text(),
            Some(&*payload)
        );

        let times = medians(
            &mut [
                repeat(|| assert!(!sealing.seal(PARTNER_ID, &payload).unwrap().is_empty())),
                repeat(|| drop(seal(&openssl.sender))),
                repeat(|| drop(seal(&rust.sender))),
            ],
            batch,
        );
        report.add(Row::new("seal", bits, size, &times));
        let times = medians(
            &mut [
                repeat(|| assert_eq!(opening.open(&document).unwrap(), payload.len())),
                repeat(|| drop(open(&openssl.receiver))),
                repeat(|| drop(open(&rust.receiver))),
            ],
            batch,
        );
        report.add(Row::new("open", bits, size, &times));
    }

    let body = payload(400);
    let sign = detached::sign(&*rustcrypto::private(sender).unwrap(), body.as_bytes()).unwrap();
    let times = medians(
        &mut [
            repeat(|| assert!(opening.verify_detached(&sha256(body.as_bytes()), &sign).unwrap())),
            repeat(|| assert!(openssl.verifier.verify(body.as_bytes(), &sign).is_ok())),
            repeat(|| assert!(rust.verifier.verify(body.as_bytes(), &sign).is_ok())),
        ],
        batch,
    );
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

/// Measures how opening scales, in thousandths for each backend.
///
/// The result is the speed-up on all processors, divided by the speed-up of a reference. The reference is the baseline
/// with separate keys and buffers for each thread.
fn parallel() -> [(&'static str, u128); 2] {
    let keys = [(); 2].map(|()| rustcrypto::generate(1024, &OsRandom).unwrap());
    let [sender, receiver] = &keys;
    let openssl = Backend::openssl(&[sender, receiver]);
    let rust = Backend::rustcrypto(&[sender, receiver]);
    let fields = Fields::notification(PARTNER_ID, "2");
    let text = payload(400);
    let document = &openssl.sender.seal(&Outgoing::new(&fields).payload(&text)).unwrap().into_document();
    let reference = |opens: usize| {
        let mut baseline = Baseline::new(receiver.pkcs1_der(), sender.public_key().spki_der()).unwrap();
        (0..opens).for_each(|_| assert_eq!(baseline.open(document).unwrap(), 400));
    };
    let measured = |backend: &Backend, opens: usize| {
        let expected = Expected::notification(PARTNER_ID);
        (0..opens).for_each(|_| drop(backend.receiver.open(document.as_bytes(), &expected).unwrap()));
    };
    [("OpenSSL", &openssl, 4000), ("RustCrypto", &rust, 1300)].map(|(name, backend, opens)| {
        // The result is the median of five measurements, each back to back with its reference.
        let mut shares: Vec<u128> = (0..5)
            .map(|_| speed_up(&|| measured(backend, opens)) * 1000 / speed_up(&|| reference(4000)).max(1))
            .collect();
        shares.sort_unstable();
        (name, shares[2])
    })
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
