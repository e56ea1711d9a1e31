//! Tests for `paytend explain`.

use serde_json::Value;

use crate::support::{Keys, command, finish, run};

fn detached(name: &str) -> paytend_vectors::DetachedCase {
    paytend_vectors::detached().into_iter().find(|case| case.key == name && case.valid).unwrap()
}

#[test]
fn every_vector_has_the_expected_verdict() {
    let keys = Keys::new();
    for case in paytend_vectors::detached() {
        let (public, sign) = (keys.arg(&format!("{}.pub", case.key)), case.sign.clone());
        let args = ["explain", "--provider", &case.key, "--public-key", &public, "--sign", &sign, "--json"];
        let ran = run(&args, &case.body());
        assert_eq!(ran.code, if case.valid { 0 } else { 4 }, "{}: {}", case.name, ran.stderr);
        let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(shown["authentic"], case.valid, "{}", case.name);
        assert_eq!(shown["findings"].as_array().unwrap().is_empty(), case.valid, "{}", case.name);
    }
    for case in paytend_vectors::envelope() {
        let (own, peer) = (keys.arg(&format!("{}.pem", case.receiver)), keys.arg(&format!("{}.pub", case.sender)));
        let kind = match case.payload_field.as_str() {
            "bizData" => "request",
            "respData" => "response",
            _ => "notification",
        };
        let mut args = vec!["explain", "--kind", kind, "--private-key", &own, "--public-key", &peer, "--show-texts"];
        if !case.sign_payload {
            args.push("--unsigned-payload");
        }
        let ran = run(&args, case.wire.as_bytes());
        assert_eq!(ran.code, 0, "{}: {} {}", case.name, ran.stdout, ran.stderr);
        let canonical = Value::from(case.canonical);
        let expected = format!("The message is authentic.\nexpected text: {canonical}\nsigned text: {canonical}\n");
        assert_eq!(ran.stdout, expected, "{}", case.name);
    }
}

#[test]
fn explain_reports_a_changed_body_and_a_wrong_key() {
    let keys = Keys::new();
    let case = detached("payby");
    let public = keys.arg("payby.pub");
    let sign = |more: &[&str], body: &[u8]| {
        let args = [&["explain", "--provider", "payby", "--public-key", &public, "--sign", &case.sign], more].concat();
        run(&args, body)
    };
    let ran = sign(&[], &[&case.body()[..], b"\n"].concat());
    assert_eq!(ran.code, 4);
    assert!(ran.stdout.contains("leading or trailing whitespace"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("signed text:"), "{}", ran.stdout);
    assert!(ran.stderr.contains("not authentic"), "{}", ran.stderr);

    // The key in the environment variable cannot decrypt the message, but the key in `--other-private-key` can.
    let case = paytend_vectors::envelope().into_iter().find(|case| case.payload_field == "content").unwrap();
    let (other, peer) = (keys.arg(&format!("{}.pem", case.receiver)), keys.arg(&format!("{}.pub", case.sender)));
    let args = ["explain", "--other-private-key", &other, "--public-key", &peer];
    let wrong_key = &paytend_vectors::keys()["stranger"].private;
    let ran = finish(command().args(args).env("PAYTEND_PRIVATE_KEY", wrong_key), case.wire.as_bytes());
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stdout.contains(&format!("encrypted for {other:?}")), "{}", ran.stdout);
}

#[test]
fn contradictory_options_exit_with_2() {
    let keys = Keys::new();
    let (public, private) = (keys.arg("payby.pub"), keys.arg("partner.pem"));
    for (args, part) in [
        (&["--public-key", &public][..], "--private-key"),
        (&["--public-key", &public, "--private-key", &private, "--sign", "x"], "--sign"),
        (&["--provider", "payby", "--public-key", &public, "--unsigned-payload"], "--unsigned-payload"),
        (&["--provider", "payby", "--public-key", &public, "--kind", "request"], "--kind"),
        (
            &["--provider", "payby", "--public-key", &public, "--sign", "sign: \"\""],
            "--sign: the pasted sign header is empty",
        ),
        (&["--provider", "payby", "--public-key", &public, "--sign", "sign: \u{1}"], "not base64"),
        (&["--provider", "payby"], "--public-key"),
    ] {
        let ran = run(&[&["explain"], args].concat(), b"{}");
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stdout);
        assert!(ran.stderr.contains(part), "{args:?}: {}", ran.stderr);
    }
    let ran = run(&["explain", "--provider", "payby", "--public-key", "/nowhere/key.pub"], b"{}");
    assert_eq!(ran.code, 3, "{}", ran.stderr);
}

#[test]
fn pasted_sign_header_is_accepted() {
    let keys = Keys::new();
    let case = detached("payby");
    let public = keys.arg("payby.pub");
    let (first, second) = case.sign.split_at(76);
    for pasted in [
        format!("{}\n", case.sign),
        format!("\"{}\"", case.sign),
        format!("sign: {}\r\n", case.sign),
        format!("Sign={}", case.sign),
        format!("-H 'SIGN: {}'", case.sign),
        format!("\"sign\": \"{}\",", case.sign.replace('/', "\\/")),
        format!("{first}\n  {second}"),
        format!("{first}\\\n{second}"),
        format!("{first} {second}"),
    ] {
        let args = ["explain", "--provider", "payby", "--public-key", &public, &format!("--sign={pasted}"), "--json"];
        let ran = run(&args, &case.body());
        let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!((ran.code, &shown["verdict"]), (0, &"authentic".into()), "{pasted:?}: {}", ran.stdout);
    }
}

#[test]
fn authentic_message_with_findings_exits_with_0() {
    let keys = Keys::new();
    let case = detached("payby");
    let public = keys.arg("payby.pub");
    let unpadded = case.sign.trim_end_matches('=');
    let args = ["explain", "--provider", "payby", "--public-key", &public, "--sign", unpadded];
    let ran = run(&args, &case.body());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("The message is authentic, but:\n- sign is base64, but"), "{}", ran.stdout);
    let ran = run(&[&args[..], &["--json"]].concat(), &case.body());
    let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&shown["verdict"], &shown["authentic"]), (&"authentic_but".into(), &true.into()));
    assert_eq!(shown["findings"].as_array().unwrap().len(), 1);
}

#[test]
fn possible_causes_are_listed_separately_from_findings() {
    let keys = Keys::new();
    let case = detached("payby");
    let public = keys.arg("payby.pub");
    let args = ["explain", "--provider", "payby", "--public-key", &public, "--sign", &case.sign, "--json"];
    let ran = run(&args, b"{\"memo\":\"?\"");
    let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &shown["verdict"]), (4, &"not_authentic".into()));
    let possible = shown["possible"].to_string();
    assert!(possible.contains("cut off") && !shown["findings"].to_string().contains("may have been"), "{shown}");
    assert!(!shown["fixes"].as_array().unwrap().is_empty());
}
