//! `paytend explain`.

use serde_json::Value;

use crate::support::{Keys, command, finish, run};

fn detached(name: &str) -> paytend_vectors::DetachedCase {
    paytend_vectors::detached().into_iter().find(|case| case.key == name && case.valid).unwrap()
}

#[test]
fn every_vector_is_explained_as_it_is() {
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
fn what_happened_to_a_message_is_said() {
    let keys = Keys::new();
    let case = detached("payby");
    let public = keys.arg("payby.pub");
    let sign = |more: &[&str], body: &[u8]| {
        let args = [&["explain", "--provider", "payby", "--public-key", &public, "--sign", &case.sign], more].concat();
        run(&args, body)
    };
    let ran = sign(&[], &[&case.body()[..], b"\n"].concat());
    assert_eq!(ran.code, 4);
    assert!(ran.stdout.contains("white space here after the last character"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("signed text:"), "{}", ran.stdout);
    assert!(ran.stderr.contains("not authentic"), "{}", ran.stderr);

    // A message of Paytend's that is for the other environment's key, which is at hand; ours is in the environment.
    let case = paytend_vectors::envelope().into_iter().find(|case| case.payload_field == "content").unwrap();
    let (other, peer) = (keys.arg(&format!("{}.pem", case.receiver)), keys.arg(&format!("{}.pub", case.sender)));
    let args = ["explain", "--other-private-key", &other, "--public-key", &peer];
    let stranger = &paytend_vectors::keys()["stranger"].private;
    let ran = finish(command().args(args).env("PAYTEND_PRIVATE_KEY", stranger), case.wire.as_bytes());
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stdout.contains(&format!("encrypted for {other:?}")), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_meant_is_a_wrong_usage() {
    let keys = Keys::new();
    let (public, private) = (keys.arg("payby.pub"), keys.arg("partner.pem"));
    for (args, part) in [
        (&["--public-key", &public][..], "--private-key"),
        (&["--public-key", &public, "--private-key", &private, "--sign", "x"], "--sign"),
        (&["--provider", "payby", "--public-key", &public, "--unsigned-payload"], "--unsigned-payload"),
        (&["--provider", "payby", "--public-key", &public, "--kind", "request"], "--kind"),
        (&["--provider", "payby", "--public-key", &public, "--sign", "a\nb"], "line's end"),
        (&["--provider", "payby"], "--public-key"),
    ] {
        let ran = run(&[&["explain"], args].concat(), b"{}");
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stdout);
        assert!(ran.stderr.contains(part), "{args:?}: {}", ran.stderr);
    }
    let ran = run(&["explain", "--provider", "payby", "--public-key", "/nowhere/key.pub"], b"{}");
    assert_eq!(ran.code, 3, "{}", ran.stderr);
}
