//! Criterion benchmarks of the operations that `cargo xtask bench` compares, for use with a profiler:
//! `cargo bench -p paytend-bench`.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use paytend_crypto::rsa::Backend;
use paytend_crypto::rustcrypto::RustCrypto;
use paytend_crypto::{Expected, Fields, Keyring, OsRandom, Outgoing, detached, rustcrypto};
use paytend_crypto_aws_lc::AwsLc;
use paytend_crypto_openssl::OpenSsl;

const PARTNER_ID: &str = "888666000100260";

const BACKENDS: [&dyn Backend; 3] = [&OpenSsl, &AwsLc, &RustCrypto];

fn paths(criterion: &mut Criterion) {
    for bits in [1024, 2048] {
        let key = rustcrypto::generate(bits, &OsRandom).unwrap();
        for backend in BACKENDS {
            let name = backend.name();
            let ring = Keyring::builder().backend(backend).own_key(&key).peer_key(key.public_key()).build().unwrap();
            let fields = Fields::notification(PARTNER_ID, "2");
            let expected = Expected::notification(PARTNER_ID).with_max_bytes(4 << 20);
            let mut group = criterion.benchmark_group(format!("{name}/{bits}"));
            group.sample_size(20);
            for bytes in [64usize, 400, 64 << 10, 1 << 20] {
                let payload = format!(r#"{{"fileContent":"{}"}}"#, "x".repeat(bytes - 18));
                let document = ring.seal(&Outgoing::new(&fields).payload(&payload)).unwrap().into_document();
                group.throughput(Throughput::Bytes(bytes as u64));
                group.bench_with_input(BenchmarkId::new("seal", bytes), &payload, |bencher, payload| {
                    bencher.iter(|| ring.seal(&Outgoing::new(&fields).payload(black_box(payload))).unwrap());
                });
                group.bench_with_input(BenchmarkId::new("open", bytes), &document, |bencher, document| {
                    bencher.iter(|| ring.open(black_box(document.as_bytes()), &expected).unwrap());
                });
            }
            let body = [b'x'; 400];
            let sign = detached::sign(&*backend.private(&key).unwrap(), &body).unwrap();
            let verifier = detached::Verifier::new([backend.public(key.public_key()).unwrap()]).unwrap();
            group.bench_function("detached", |bencher| {
                bencher.iter(|| verifier.verify(black_box(&body), &sign).unwrap());
            });
            group.finish();
        }
    }
}

criterion_group!(benches, paths);
criterion_main!(benches);
