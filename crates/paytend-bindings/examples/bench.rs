//! Measures how long it takes to open messages in Rust. Also creates the messages that every language's benchmark
//! opens.
//!
//! - `bench prepare FILE`: creates keys and messages, and writes them to FILE;
//! - `bench FILE`: reads the keys and messages from FILE, and lines of the form `ours BITS COUNT` from standard input.
//!   For each line, opens the message for the BITS-bit key COUNT times and prints the total duration in nanoseconds.

// The program panics on errors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use paytend_bindings::{Keyring, Kind, PrivateKey, PublicKey, generate, keyring, seal, write_private, write_public};
use paytend_crypto::Expected;
use serde_json::{Value, json};

const PARTNER_ID: &str = "888666000100260";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["prepare", file] => std::fs::write(file, prepare_jobs().to_string()).unwrap(),
        [file] => serve(&serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()),
        _ => panic!("usage: bench prepare FILE | bench FILE"),
    }
}

fn prepare_jobs() -> Value {
    let job = |bits: usize| {
        let [own, peer] = [(); 2].map(|()| generate(bits).unwrap());
        let text = |written: &[u8]| String::from_utf8(written.to_vec()).unwrap();
        let payload = json!({"tradeStatus": 2, "transactionId": "T4711", "remark": "x".repeat(348)}).to_string();
        let sender = keyring(&[&peer], &[own.public_key()]).unwrap();
        let fields = [("partnerId", PARTNER_ID), ("notifyType", "2")];
        json!({
            "private": text(&write_private(&own, "pkcs8-base64").unwrap()),
            "public": text(&write_public(peer.public_key(), "spki-base64").unwrap()),
            "document": seal(&sender, Kind::Notification, fields, Some(&payload), true).unwrap(),
            "payload": payload,
        })
    };
    json!({"1024": job(1024), "2048": job(2048)})
}

fn serve(jobs: &Value) {
    let rings: BTreeMap<&str, (Keyring, &str)> = ["1024", "2048"]
        .into_iter()
        .map(|bits| {
            let text = |name: &str| jobs[bits][name].as_str().unwrap();
            let own = PrivateKey::from_bytes(text("private")).unwrap();
            let ring = keyring(&[&own], &[&PublicKey::from_bytes(text("public")).unwrap()]).unwrap();
            let opened = ring.open(text("document").as_bytes(), &Expected::notification(PARTNER_ID)).unwrap();
            assert_eq!(opened.payload_text(), Some(text("payload")));
            (bits, (ring, text("document")))
        })
        .collect();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let [_, bits, count] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let (ring, document) = &rings[bits];
        let start = Instant::now();
        for _ in 0..count.parse::<u32>().unwrap() {
            let expected = Expected::notification(PARTNER_ID);
            black_box(ring.open(document.as_bytes(), &expected).unwrap().payload_bytes().to_owned());
        }
        println!("{}", start.elapsed().as_nanos());
    }
}
