//! Random notifications, each changed by a chain of one or two random alterations. Almost all chains must be explained,
//! and none of them incorrectly.

mod alterations;
mod json;
mod messages;
mod programs;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use paytend_vectors::Seeded;

use super::*;
use alterations::{ALTERATIONS, Alteration};

const CHAINS: usize = 1_000;

/// The outcome of explaining a chain of alterations.
#[derive(Debug)]
enum Outcome {
    /// The signed text was found, and only the applied changes are reported.
    Explained,
    /// A change cannot be undone, but a sign of it in the text is reported.
    Named,
    /// The alterations changed nothing.
    Unchanged,
    /// The signed text was not found, and no sign of a change was reported.
    Unexplained(String),
    /// Changes were reported that were not applied.
    Wrong(String),
}

/// Returns a change's name, without its parameters.
fn name(change: &Change) -> String {
    let name = match change {
        Change::Wrapped(wrapping) => format!("{wrapping:?}"),
        other => format!("{other:?}"),
    };
    name.split(['(', ' ']).next().unwrap().to_owned()
}

fn classify(body: &[u8], received: &[u8], applied: &[&Alteration], explanation: &Explanation) -> Outcome {
    let report = || {
        let names: Vec<&str> = applied.iter().map(|alteration| alteration.name).collect();
        let (body, received) = (String::from_utf8_lossy(body), String::from_utf8_lossy(received));
        format!("{names:?}\n signed   {body:?}\n received {received:?}\n {explanation}")
    };
    if explanation.authentic() != (body == received) {
        return Outcome::Wrong(report());
    }
    if explanation.authentic() {
        return Outcome::Unchanged;
    }
    let text = explanation.findings().iter().find_map(|finding| match finding {
        Finding::Text { changes, .. } => Some(changes),
        _ => None,
    });
    if let Some(changes) = text {
        let allowed = |name: &str| applied.iter().any(|alteration| alteration.changes.contains(&name));
        let right = changes.iter().all(|change| matches!(change, TextChange::Bytes(change) if allowed(&name(change))));
        let good = right && !changes.is_empty() && explanation.signed_text() == Some(body);
        return if good { Outcome::Explained } else { Outcome::Wrong(report()) };
    }
    let lost: Vec<&str> = applied.iter().flat_map(|alteration| alteration.lost).copied().collect();
    let names = explanation.findings().iter().map(|finding| match finding {
        Finding::Trace(trace) => format!("{trace:?}"),
        other => format!("{other:?}"),
    });
    if names.into_iter().any(|name| lost.iter().any(|lost| name.starts_with(lost))) {
        return Outcome::Named;
    }
    Outcome::Unexplained(report())
}

fn chain(seed: u64, keys: &KnownKeys, sign: &dyn Fn(&[u8]) -> HeaderMap) -> Outcome {
    let random = Seeded::with(seed);
    let body = messages::any(&random);
    let mut received = body.clone();
    let mut applied = Vec::new();
    for _ in 0..=random.below(2) {
        loop {
            let alteration = &ALTERATIONS[random.below(ALTERATIONS.len())];
            if let Some(altered) = (alteration.alter)(&received, &random) {
                received = altered;
                applied.push(alteration);
                break;
            }
        }
    }
    let explanation = explain(Provider::PayBy, &sign(&body), &received, keys);
    classify(&body, &received, &applied, &explanation)
}

#[test]
fn random_chains_of_alterations_are_explained_correctly() {
    let random = Seeded::with_default(15);
    let first = random.next();
    let key = key("paytend");
    let keys = KnownKeys::new().sender("PayBy", key.public_key().spki_der()).unwrap();
    let next = AtomicUsize::new(0);
    let run = || {
        let private = rustcrypto::private(&key).unwrap();
        let sign = |body: &[u8]| {
            let sign = paytend_crypto::detached::sign(&*private, body).unwrap();
            HeaderMap::from_iter([("sign".parse().unwrap(), HeaderValue::from_str(&sign).unwrap())])
        };
        let mut outcomes = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= CHAINS {
                return outcomes;
            }
            let start = std::time::Instant::now();
            let outcome = chain(first.wrapping_add(at as u64), &keys, &sign);
            outcomes.push((outcome, start.elapsed()));
        }
    };
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let threads = [scope.spawn(run), scope.spawn(run)];
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut unexplained, mut wrong) = (Vec::new(), Vec::new());
    for (outcome, _) in &outcomes {
        *counts
            .entry(match outcome {
                Outcome::Explained => "explained",
                Outcome::Named => "named",
                Outcome::Unchanged => "unchanged",
                Outcome::Unexplained(_) => "unexplained",
                Outcome::Wrong(_) => "wrong",
            })
            .or_default() += 1;
        match outcome {
            Outcome::Unexplained(report) => unexplained.push(report),
            Outcome::Wrong(report) => wrong.push(report),
            _ => {}
        }
    }
    let longest = outcomes.iter().map(|(_, time)| *time).max();
    println!("{counts:?}, longest {longest:?}");
    for report in wrong.iter().chain(&unexplained) {
        println!("{report}\n");
    }
    assert!(wrong.is_empty(), "{} chains explained incorrectly", wrong.len());
    assert!(unexplained.len() * 100 <= CHAINS, "{} unexplained", unexplained.len());
}
