//! Tests for the limits on the content and the cost of explanations.

use super::*;

#[test]
fn findings_do_not_show_message_content() {
    let mut sender = Sender::new();
    sender.content = br#"{"name":"CANARY"}"#.to_vec();
    sender.signed_content = Some(br#"{"name": "CANARY"}"#.to_vec());
    let explanation = explain_document(&sender.send_valid());
    let shown = format!("{explanation} {explanation:?} {:?}", known_keys());
    assert!(!shown.contains("CANARY") && !shown.contains(&STANDARD.encode([7; 16])), "{shown}");
    assert!(String::from_utf8_lossy(explanation.signed_text().unwrap()).contains("CANARY"));
}

/// Names come from the sender and are shown escaped, so that they cannot control a terminal.
#[test]
fn names_are_escaped_in_findings() {
    let good = String::from_utf8(Sender::new().send_valid()).unwrap();
    let added = good.replacen('{', r#"{"a\u001b[2J":"1","#, 1);
    let shown = explain_document(added.as_bytes()).to_string();
    assert!(shown.contains(r#""a\u{1b}[2J" was not signed"#), "{shown:?}");
    assert!(shown.contains(r#""a\u{1b}[2J" was not signed"#) && !shown.contains('\u{1b}'), "{shown}");
}

/// The receiver's size limit may be the only reason for a rejection.
#[test]
fn body_above_the_limit_is_authentic_but_too_large() {
    let body = format!("{{\"a\":\"{}\"}}", "x".repeat(70_000)).into_bytes();
    let explanation = explain(Provider::PayBy, &signed("payby", &body), &body, &detached_keys());
    assert_eq!(explanation.verdict(), Verdict::AuthenticBut(&[Finding::TooLarge { bytes: body.len(), limit: 65_536 }]));
    let generous = detached_keys().with_max_bytes(100_000);
    let explanation = explain(Provider::PayBy, &signed("payby", &body), &body, &generous);
    assert_eq!(explanation.verdict(), Verdict::Authentic);
    let large = Sender { content: body, ..Sender::new() }.send_valid();
    let explanation = explain_document(&large);
    assert!(matches!(explanation.findings()[0], Finding::Malformed(Malformed::TooLarge { .. })), "{explanation}");
    let generous = explain(Provider::Paytend, &HeaderMap::new(), &large, &known_keys().with_max_bytes(1 << 20));
    assert!(generous.authentic(), "{generous}");
}

/// A message from an unknown sender causes no search. A message from a known sender causes a bounded search.
#[test]
fn large_messages_are_explained_in_bounded_time() {
    let flat = format!("{{\"a\":[{}1]}}", "1,".repeat(30_000)).into_bytes();
    let deep = format!("{}{}1{}", "[".repeat(60), "1,".repeat(30_000), "]".repeat(60)).into_bytes();
    let start = std::time::Instant::now();
    for body in [&flat, &deep] {
        let explanation = explain(Provider::PayBy, &signed("stranger", body), body, &detached_keys());
        assert!(explanation.findings().contains(&Finding::SignedByUnknown));
    }
    let fields: Vec<String> = (0..1000).map(|n| format!("\"f{n}\":\"{n}\"")).collect();
    let document = format!("{{\"signature\":\"AAAA\",{}}}", fields.join(","));
    assert!(!explain_document(document.as_bytes()).authentic());
    // The limit is high, so that the test also passes on a busy machine.
    assert!(start.elapsed().as_secs() < 600, "{:?}", start.elapsed());

    for (body, limit) in [(vec![b' '; 4 << 20], 8 << 20), (deep, 1 << 20), (flat, 1 << 20)] {
        let explanation =
            explain(Provider::PayBy, &signed("payby", b"{}"), &body, &detached_keys().with_max_bytes(limit));
        assert!(matches!(explanation.findings()[0], Finding::TextUnknown | Finding::TextTooLarge), "{explanation}");
    }
    // Without a limit, this search would take days.
    assert!(start.elapsed().as_secs() < 1800, "{:?}", start.elapsed());
}
