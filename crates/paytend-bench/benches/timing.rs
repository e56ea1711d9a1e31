//! Measures whether a sender can tell from the run time of `Keyring::open` whether the session key was valid.
//!
//! Run this benchmark with `cargo xtask timing [--backend NAME]`. All documents have the same structure. Opening any of
//! them returns `NotAuthentic`, because its signature is in the valid range but incorrect. They differ only in the
//! content of the RSA block. Each round measures every class once, in random order, from a fixed buffer. A second class
//! of well-padded documents is the A/A control: any difference between the two classes is noise.
//!
//! The relevant result is Welch's t, which compares each class with the first class, using only the times below the
//! 90th percentile. An absolute value above 4.5 counts as a leak, and the exit status is then 1.

#![allow(
    missing_docs,
    clippy::float_arithmetic,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_possible_truncation
)]

use std::hint::black_box;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paytend_crypto::rsa::{Backend, RsaPublic};
use paytend_crypto::rustcrypto::RustCrypto;
use paytend_crypto::{Error, Expected, Keyring, OsRandom, RandomSource, rustcrypto};
use paytend_crypto_aws_lc::AwsLc;
use paytend_crypto_openssl::OpenSsl;

const PARTNER_ID: &str = "888666000100260";
const BACKENDS: [&dyn Backend; 3] = [&RustCrypto, &AwsLc, &OpenSsl];
const DOCUMENTS: usize = 200;
const LIMIT: f64 = 4.5;

/// A class of RSA blocks: its name, and the function that creates a block.
type Class = (&'static str, fn(usize) -> Vec<u8>);

const CLASSES: [Class; 6] = [
    ("well padded", |size| block(size, 24, |_| {})),
    ("well padded again (A/A)", |size| block(size, 24, |_| {})),
    ("bad header", |size| block(size, 24, |block| block[1] = 1)),
    ("no separator", |size| block(size, 24, |block| block[128 - 25] = 0x5a)),
    ("short padding", |size| block(size, 24, |block| block[5] = 0)),
    ("well padded, other length", |size| block(size, 23, |_| {})),
];

fn main() {
    let option = |name: &str| std::env::args().skip_while(|argument| argument != name).nth(1);
    let rounds = option("--rounds").map_or(20_000, |number| number.parse().expect("--rounds requires a number"));
    let name = option("--backend").unwrap_or_else(|| BACKENDS[0].name().to_owned());
    let Some(backend) = BACKENDS.into_iter().find(|backend| backend.name() == name) else {
        println!("unknown backend {name}; use one of: {}", BACKENDS.map(Backend::name).join(", "));
        std::process::exit(2);
    };
    println!("{rounds} rounds, {DOCUMENTS} documents per class, RSA-1024, {name} backend, times in microseconds");
    println!("| class | median | mean below p90 | difference | t |");
    println!("|---|---|---|---|---|");
    let mut leaks = false;
    let times = measure(backend, rounds);
    let reference = Summary::of(&times[0]);
    for ((name, _), times) in CLASSES.iter().zip(&times) {
        let summary = Summary::of(times);
        let t = summary.t_against(&reference);
        leaks |= t.abs() > LIMIT;
        let difference = summary.mean - reference.mean;
        println!("| {name} | {:.2} | {:.3} | {difference:+.3} | {t:+.2} |", summary.median, summary.mean);
    }
    println!("{}", if leaks { "a class differs: |t| > 4.5" } else { "no class differs: |t| <= 4.5 everywhere" });
    std::process::exit(leaks.into());
}

/// Returns the times for each class, in microseconds.
fn measure(backend: &dyn Backend, rounds: usize) -> Vec<Vec<f64>> {
    let own = rustcrypto::generate(1024, &OsRandom).unwrap();
    let peer = rustcrypto::generate(1024, &OsRandom).unwrap();
    let keyring = Keyring::builder().backend(backend).own_key(&own).peer_key(peer.public_key()).build().unwrap();
    let encryption = rustcrypto::public(own.public_key()).unwrap();
    let expected = Expected::notification(PARTNER_ID);
    let documents: Vec<Vec<Vec<u8>>> =
        CLASSES.iter().map(|(_, make)| (0..DOCUMENTS).map(|_| document(&*encryption, &make(128))).collect()).collect();

    let mut buffer = Vec::with_capacity(4096);
    let mut times = vec![Vec::with_capacity(rounds); CLASSES.len()];
    let mut order: Vec<usize> = (0..CLASSES.len()).collect();
    for round in 0..rounds + rounds / 10 {
        for at in (1..order.len()).rev() {
            order.swap(at, random_below(at + 1));
        }
        for &class in &order {
            buffer.clear();
            buffer.extend_from_slice(&documents[class][random_below(DOCUMENTS)]);
            let start = Instant::now();
            let result = keyring.open(black_box(&buffer), &expected);
            let time = start.elapsed();
            assert_eq!(result.unwrap_err(), Error::NotAuthentic);
            // The times of the first tenth of the rounds, the warm-up, are not used.
            if round >= rounds / 10 {
                times[class].push(time.as_nanos() as f64 / 1000.0);
            }
        }
    }
    times
}

/// Creates a well-formed notification with the given RSA block.
fn document(key: &dyn RsaPublic, block: &[u8]) -> Vec<u8> {
    let mut content = [0u8; 400];
    OsRandom.fill(&mut content).unwrap();
    // The first byte stays zero, so the number is below every modulus. It is not a valid signature.
    let mut signature = [0u8; 128];
    OsRandom.fill(&mut signature[1..]).unwrap();
    format!(
        concat!(
            r#"{{"partnerId":"{}","notifyType":"2","signType":"RSA","version":"2.0","#,
            r#""content":"{}","randomKey":"{}","signature":"{}"}}"#
        ),
        PARTNER_ID,
        STANDARD.encode(content),
        STANDARD.encode(key.encrypt_raw(block).unwrap()),
        STANDARD.encode(signature),
    )
    .into_bytes()
}

/// Creates a padded block with a random session key of `chars` characters, and applies `change` to the block.
fn block(size: usize, chars: usize, change: fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut block = vec![0u8; size];
    block[1] = 2;
    for byte in &mut block[2..size - chars - 1] {
        *byte = 1 + random_below(255) as u8;
    }
    let mut key = [0u8; 16];
    OsRandom.fill(&mut key).unwrap();
    block[size - chars..].copy_from_slice(&STANDARD.encode(key).as_bytes()[..chars]);
    change(&mut block);
    block
}

fn random_below(bound: usize) -> usize {
    let mut bytes = [0u8; 4];
    OsRandom.fill(&mut bytes).unwrap();
    u32::from_le_bytes(bytes) as usize % bound
}

struct Summary {
    median: f64,
    mean: f64,
    variance: f64,
    count: f64,
}

impl Summary {
    fn of(times: &[f64]) -> Self {
        let mut sorted = times.to_vec();
        sorted.sort_by(f64::total_cmp);
        let median = sorted[sorted.len() / 2];
        sorted.truncate(sorted.len() * 9 / 10);
        let count = sorted.len() as f64;
        let mean = sorted.iter().sum::<f64>() / count;
        let variance = sorted.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        Self { median, mean, variance, count }
    }

    fn t_against(&self, other: &Self) -> f64 {
        (self.mean - other.mean) / (self.variance / self.count + other.variance / other.count).sqrt()
    }
}
