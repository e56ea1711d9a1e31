//! Criterion benchmarks of the operations that `cargo xtask bench` compares, for use with a profiler:
//! `cargo bench -p paytend-bench`.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use paytend_crypto::rsa::{RsaPrivate, RsaPublic};
use paytend_crypto::{Expected, Fields, Keyring, OsRandom, Outgoing, PrivateKey, detached, rustcrypto};

const PARTNER_ID: &str = "888666000100260";

struct Backend {
    name: &'static str,
    private: Arc<dyn RsaPrivate>,
    public: Arc<dyn RsaPublic>,
}

fn backends(key: &PrivateKey) -> [Backend; 2] {
    [
        Backend {
            name: "rustcrypto",
            private: rustcrypto::private(key).unwrap(),
            public: rustcrypto::public(key.public_key()).unwrap(),
        },
        Backend {
            name: "openssl",
            private: paytend_crypto_openssl::private(key).unwrap(),
            public: paytend_crypto_openssl::public(key.public_key()).unwrap(),
        },
    ]
}

fn paths(criterion: &mut Criterion) {
    for bits in [1024, 2048] {
        let key = rustcrypto::generate(bits, &OsRandom).unwrap();
        for Backend { name, private, public } in backends(&key) {
            let ring = Keyring::builder().own_key(Arc::clone(&private)).peer_key(Arc::clone(&public)).build().unwrap();
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
            let sign = detached::sign(&*private, &body).unwrap();
            let verifier = detached::Verifier::new([public]).unwrap();
            group.bench_function("detached", |bencher| {
                bencher.iter(|| verifier.verify(black_box(&body), &sign).unwrap());
            });
            group.finish();
        }
    }
}

criterion_group!(benches, paths);
criterion_main!(benches);
