//! Random notifications altered by one or two random programs. Almost all are explained, and none wrongly.

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

/// The outcome of a chain of alterations.
#[derive(Debug)]
enum Outcome {
    /// The signed text was found, and only the applied changes are reported.
    Explained,
    /// The change cannot be undone, and the loss is reported.
    Named,
    /// The alterations changed nothing.
    Unchanged,
    /// The text was not found, or the loss was not reported.
    Unexplained(String),
    /// Changes were reported that were not applied.
    Wrong(String),
}

/// Returns the name of a change without its content.
fn name(change: &Change) -> String {
    let name = match change {
        Change::Wrapped(wrapping) => format!("{wrapping:?}"),
        other => format!("{other:?}"),
    };
    name.split(['(', ' ']).next().unwrap().to_owned()
}

fn judge(body: &[u8], held: &[u8], done: &[&Alteration], explanation: &Explanation) -> Outcome {
    let story = || {
        let names: Vec<&str> = done.iter().map(|alteration| alteration.name).collect();
        let (body, held) = (String::from_utf8_lossy(body), String::from_utf8_lossy(held));
        format!("{names:?}\n signed {body:?}\n held   {held:?}\n {explanation}")
    };
    if explanation.authentic() != (body == held) {
        return Outcome::Wrong(story());
    }
    if explanation.authentic() {
        return Outcome::Unchanged;
    }
    let text = explanation.findings().iter().find_map(|finding| match finding {
        Finding::Text { changes, .. } => Some(changes),
        _ => None,
    });
    if let Some(changes) = text {
        let allowed = |name: &str| done.iter().any(|alteration| alteration.changes.contains(&name));
        let right = changes.iter().all(|change| matches!(change, TextChange::Bytes(change) if allowed(&name(change))));
        let good = right && !changes.is_empty() && explanation.signed_text() == Some(body);
        return if good { Outcome::Explained } else { Outcome::Wrong(story()) };
    }
    let lost: Vec<&str> = done.iter().flat_map(|alteration| alteration.lost).copied().collect();
    let names = explanation.findings().iter().map(|finding| match finding {
        Finding::Trace(trace) => format!("{trace:?}"),
        other => format!("{other:?}"),
    });
    if names.into_iter().any(|name| lost.iter().any(|lost| name.starts_with(lost))) {
        return Outcome::Named;
    }
    Outcome::Unexplained(story())
}

fn chain(seed: u64, keys: &KnownKeys, sign: &dyn Fn(&[u8]) -> HeaderMap) -> Outcome {
    let random = Seeded::with(seed);
    let body = messages::any(&random);
    let mut held = body.clone();
    let mut done = Vec::new();
    for _ in 0..=random.below(2) {
        loop {
            let alteration = &ALTERATIONS[random.below(ALTERATIONS.len())];
            if let Some(altered) = (alteration.alter)(&held, &random) {
                held = altered;
                done.push(alteration);
                break;
            }
        }
    }
    let explanation = explain(Provider::PayBy, &sign(&body), &held, keys);
    judge(&body, &held, &done, &explanation)
}

#[test]
fn random_chains_are_explained_and_none_wrongly() {
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
        let mut fates = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= CHAINS {
                return fates;
            }
            let start = std::time::Instant::now();
            let fate = chain(first.wrapping_add(at as u64), &keys, &sign);
            fates.push((fate, start.elapsed()));
        }
    };
    let fates: Vec<_> = std::thread::scope(|scope| {
        let threads = [scope.spawn(run), scope.spawn(run)];
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut unexplained, mut wrong) = (Vec::new(), Vec::new());
    for (fate, _) in &fates {
        *counts
            .entry(match fate {
                Outcome::Explained => "explained",
                Outcome::Named => "named",
                Outcome::Unchanged => "unchanged",
                Outcome::Unexplained(_) => "unexplained",
                Outcome::Wrong(_) => "wrong",
            })
            .or_default() += 1;
        match fate {
            Outcome::Unexplained(story) => unexplained.push(story),
            Outcome::Wrong(story) => wrong.push(story),
            _ => {}
        }
    }
    let longest = fates.iter().map(|(_, time)| *time).max();
    println!("{counts:?}, longest {longest:?}");
    for story in wrong.iter().chain(&unexplained) {
        println!("{story}\n");
    }
    assert!(wrong.is_empty(), "{} explained wrongly", wrong.len());
    assert!(unexplained.len() * 100 <= CHAINS, "{} unexplained", unexplained.len());
}
