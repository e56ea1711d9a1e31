//! Tests for bodies whose members were sorted by a program.

use paytend_webhook::explain::Trace;

use super::*;

const ROOT: &str = r#""code":"APPLY_SUCCESS","msg":"Žalias","version":"1.0","keyVersion":"1","appId":"2222","#;
const REST: &str = r#""merchantNo":"P01","notifyTime":"2022-12-12T09:26:57.628Z","notifyType":"EXCHANGE","#;
const DATA: &str =
    r#"{"amount":{"currency":"MYR","value":"448.13"},"counterparty":{"identifyId":"P0","identifyName":"A"},"#;
const FEE: &str = r#""direction":"DECREASE","relatedTradeNo":"2022","fee":{"value":"1.00","currency":"MYR"}"#;

fn explained(body: &str, received: &str) -> Explanation {
    explain(Provider::PayerMax, &signed("payby", body.as_bytes()), received.as_bytes(), &detached_keys())
}

/// Returns the body with its members sorted.
fn sorted(body: &str) -> String {
    fn sort(value: &serde_json::Value) -> String {
        match value {
            serde_json::Value::Object(members) => {
                let mut members: Vec<(&String, &serde_json::Value)> = members.iter().collect();
                members.sort_by_key(|(name, _)| *name);
                let members = members.into_iter().map(|(name, value)| format!("{:?}:{}", name, sort(value)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
            other => other.to_string(),
        }
    }
    sort(&serde_json::from_str(body).unwrap())
}

#[test]
fn sorted_members_are_restored() {
    let bodies = [
        format!("{{{ROOT}{REST}\"data\":{DATA}{FEE}}}}}"),
        format!("{{{ROOT}{REST}\"data\":{DATA}{FEE}}},\"traceId\":1.50}}"),
        format!("{{\"traceId\":1.50,{ROOT}{REST}\"data\":{DATA}{FEE}}}}}"),
        format!("{{{ROOT}\"traceId\":1.50,{REST}\"data\":{DATA}{FEE}}}}}"),
        format!("{{{ROOT}{REST}\"data\":{DATA}\"channel\":1.50,{FEE}}}}}"),
        format!("{{\"data\":{DATA}{FEE}}},{ROOT}{REST}\"traceId\":1.50}}"),
        format!("{{{ROOT}\"zone\":\"b\",{REST}\"data\":{DATA}{FEE}}},\"traceId\":1.50}}"),
    ];
    for body in bodies {
        let received = sorted(&body);
        let escaped = received.replace('Ž', "\\u017d");
        let spaced = received.replace("\":", "\": ").replace(",\"", ", \"");
        let mut cases = vec![
            (received, vec![Change::Order]),
            (escaped, vec![Change::Order, Change::Escapes]),
            (spaced, vec![Change::WhiteSpace, Change::Order]),
        ];
        if body.contains("1.50") {
            cases[0].1.push(Change::Numbers);
            cases.truncate(1);
        }
        for (received, expected) in cases {
            let explanation = explained(&body, &received);
            let [Finding::Text { changes, .. }] = explanation.findings() else { panic!("{received}: {explanation}") };
            assert_eq!(*changes, expected.into_iter().map(TextChange::Bytes).collect::<Vec<_>>(), "{received}");
            assert_eq!(explanation.signed_text(), Some(body.as_bytes()));
        }
    }
}

#[test]
fn member_order_and_removed_nulls_are_restored_together() {
    let body = format!("{{{ROOT}{REST}\"data\":{DATA}\"exchange\":null,{FEE}}}}}").replace("\"exchange\":null,", "");
    let with_null = body.replace(",\"fee\":", ",\"exchange\":null,\"fee\":");
    let explanation = explained(&with_null, &sorted(&body));
    let [Finding::Text { changes, .. }] = explanation.findings() else { panic!("{explanation}") };
    let expected = [Change::MembersDropped, Change::Order].map(TextChange::Bytes);
    assert!(changes.iter().all(|change| expected.contains(change)), "{explanation}");
    assert_eq!(explanation.signed_text(), Some(with_null.as_bytes()));
}

/// Sorting is reported as a possibility if the signed member order cannot be restored.
#[test]
fn member_order_that_cannot_be_restored_is_reported() {
    let names = ["q", "w", "e", "r", "t", "y", "u", "i", "o", "p", "a", "s"];
    let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":\"{name}\"")).collect();
    let body = format!("{{{}}}", members.join(","));
    for (received, trace) in [(sorted(&body), Trace::Sorted), (format!("\u{feff}{}", sorted(&body)), Trace::Sorted)] {
        let explanation = explained(&body, &received);
        assert!(explanation.findings().contains(&Finding::Trace(trace)), "{explanation}");
        assert!(explanation.to_string().contains("alphabetical order"), "{explanation}");
        assert!(explanation.fixes().contains(&"verify the raw bytes as received, before JSON is parsed"));
    }
}
