//! Pairs of signed and received text, with the expected findings from a table.

use super::*;
use serde::Deserialize;

/// A row of `tests/data/explain/pairs.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    name: String,
    signed: Option<String>,
    signed_base64: Option<String>,
    held: Option<String>,
    held_base64: Option<String>,
    /// The names of all expected changes or other findings. A leading `?` marks a possibility; other possibilities may
    /// be reported too. A leading `but` means that the message is authentic.
    expected: Vec<String>,
}

fn bytes(text: Option<&String>, base64: Option<&String>) -> Vec<u8> {
    match (text, base64) {
        (Some(text), None) => text.clone().into_bytes(),
        (None, Some(base64)) => STANDARD.decode(base64).unwrap(),
        _ => panic!("expected either text or base64"),
    }
}

fn pairs() -> Vec<Pair> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/explain/pairs.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Returns the findings in the notation of the table.
fn found(explanation: &Explanation) -> Vec<String> {
    let mut names = Vec::new();
    for finding in explanation.findings() {
        match finding {
            Finding::Text { changes, .. } => names.extend(changes.iter().map(|change| match change {
                TextChange::Bytes(change) => format!("{change:?}"),
                other => format!("{other:?}"),
            })),
            Finding::TextUnknown | Finding::TextTooLarge => {}
            Finding::Trace(trace) => {
                let name = format!("{trace:?}");
                names.push(format!("?{}", name.split('(').next().unwrap()));
            }
            other => {
                let name = format!("{other:?}");
                let name = if explanation.authentic() { name.split(' ').next().unwrap().to_owned() } else { name };
                names.push(if explanation.authentic() { format!("but {name}") } else { name });
            }
        }
    }
    names
}

#[test]
fn each_pair_has_the_expected_findings() {
    let mut wrong = Vec::new();
    let pairs = pairs();
    for pair in &pairs {
        let signed_body = bytes(pair.signed.as_ref(), pair.signed_base64.as_ref());
        let held = bytes(pair.held.as_ref(), pair.held_base64.as_ref());
        let headers = signed("payby", &signed_body);
        let start = std::time::Instant::now();
        let explanation = explain(Provider::PayBy, &headers, &held, &detached_keys());
        let mut found = found(&explanation);
        let proven = !pair.expected.is_empty() && pair.expected.iter().all(|name| !name.starts_with('?'));
        if !proven {
            // Other possibilities may be reported, but no other proven findings.
            found.retain(|name| !name.starts_with('?') || pair.expected.contains(name));
        } else if matches!(explanation.verdict(), Verdict::NotAuthentic(_)) && pair.expected[0].starts_with("NotJson") {
            found.retain(|name| !name.starts_with('?'));
        } else {
            let same = explanation.signed_text() == Some(&signed_body[..]);
            found.extend((!same).then(|| "nothing found".to_owned()));
        }
        let mut expected = pair.expected.clone();
        found.sort();
        expected.sort();
        println!("{}: {found:?} {:?}", pair.name, start.elapsed());
        if found != expected {
            wrong.push(format!("{}: {found:?} for {expected:?}", pair.name));
        }
    }
    assert!(pairs.len() > 20 && wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), pairs.len());
}
