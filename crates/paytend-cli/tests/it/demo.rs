//! Tests for `paytend demo`.

use std::process::Stdio;

use serde_json::Value;

use crate::support::{command, run};

#[test]
fn every_demo_step_passes() {
    let ran = run(&["demo", "--json"], b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let steps: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(steps.iter().all(|step| step["ok"] == true), "{}", ran.stdout);
    let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "keys",
            "sandbox",
            "receiver",
            "setCallbackUrl",
            "verifyMobileNumber",
            "createCardholder",
            "getPartnerBalance",
            "topup",
            "getTopupResult",
            "getCardBalance",
            "getPartnerBalance",
            "topupAgain",
            "tampered",
            "deposit",
            "notification",
            "forgery",
            "done",
        ]
    );
    assert!(ran.stdout.lines().last().unwrap().starts_with(r#"{"step":"done","ok":true,"#), "{}", ran.stdout);
    // The step shows the encrypted document and the signed text.
    let topup = &steps[7];
    assert!(topup["request"]["bizData"].as_str().unwrap().len() > 50);
    assert!(topup["request"]["signature"].is_string() && topup["response"]["signature"].is_string());
    assert!(topup["sent"].as_str().unwrap().contains(r#""orderNo":"T-0001""#), "{topup}");
    assert!(!topup["request"].to_string().contains("T-0001"));
    assert_eq!(steps[14]["amount"], "1250.07 EUR");
}

#[test]
fn demo_output_has_no_colours_in_a_pipe() {
    let ran = run(&["demo"], b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("All 16 steps passed."), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\u{1b}'));
    assert_eq!(ran.stderr, "");
}

#[test]
fn closed_output_pipe_is_not_an_error() {
    let mut child = command().args(["demo"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}
