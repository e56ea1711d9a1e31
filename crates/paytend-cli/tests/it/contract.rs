//! Tests for the interface that scripts rely on: arguments, output and exit codes.

use serde_json::Value;

use crate::support::{Keys, RunOutput, command, finish, run, set_mode};

const PARTNER_ID: &str = paytend_vectors::PARTNER_ID;

fn kind(payload_field: &str) -> &'static str {
    match payload_field {
        "bizData" => "request",
        "respData" => "response",
        _ => "notification",
    }
}

fn seal(keys: &Keys, side: &str, kind: &str, own: &str, peer: &str, fields: &str, payload: Option<&str>) -> RunOutput {
    let (own, peer) = (keys.arg(&format!("{own}.pem")), keys.arg(&format!("{peer}.pub")));
    let mut args =
        vec!["seal", "--as", side, "--kind", kind, "--private-key", &own, "--public-key", &peer, "--fields", fields];
    if payload.is_some() {
        args.extend(["--payload", "-"]);
    }
    run(&args, payload.unwrap_or_default().as_bytes())
}

fn open(keys: &Keys, side: &str, kind: &str, own: &str, peer: &str, more: &[&str], document: &[u8]) -> RunOutput {
    let (own, peer) = (keys.arg(&format!("{own}.pem")), keys.arg(&format!("{peer}.pub")));
    let mut args = vec!["open", "--as", side, "--kind", kind, "--private-key", &own, "--public-key", &peer];
    args.extend(more);
    run(&args, document)
}

#[test]
fn every_envelope_vector_can_be_opened() {
    let keys = Keys::new();
    for case in paytend_vectors::envelope() {
        let kind = kind(&case.payload_field);
        let side = if kind == "request" { "paytend" } else { "partner" };
        let mut more = if kind == "response" { vec![] } else { vec!["--partner-id", PARTNER_ID] };
        if !case.sign_payload {
            more.push("--unsigned-payload");
        }
        let ran = open(&keys, side, kind, &case.receiver, &case.sender, &more, case.wire.as_bytes());
        assert_eq!(ran.code, 0, "{}: {}", case.name, ran.stderr);
        let opened: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(opened["payload_text"], case.payload, "{}", case.name);
        assert_eq!(opened["canonical"], case.canonical, "{}", case.name);
        match case.payload.as_str() {
            "" => assert!(opened["payload"].is_null(), "{}", case.name),
            text => assert_eq!(opened["payload"], serde_json::from_str::<Value>(text).unwrap(), "{}", case.name),
        }
        // The payload is embedded unchanged, so numbers are printed exactly as received.
        assert!(ran.stdout.contains(case.payload.trim()), "{}", case.name);
    }
}

#[test]
fn opening_an_invalid_vector_exits_with_4() {
    let keys = Keys::new();
    for case in paytend_vectors::refuse() {
        let kind = kind(&case.payload_field);
        let more: &[&str] = if kind == "response" { &[] } else { &["--partner-id", PARTNER_ID] };
        let ran = open(&keys, "partner", kind, "partner", "paytend", more, &case.document);
        assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{}: {}", case.name, ran.stderr);
        assert!(ran.stderr.starts_with("error: ") && ran.stderr.lines().count() == 1, "{}: {}", case.name, ran.stderr);
    }
}

#[test]
fn sealed_message_can_be_opened_by_the_other_side() {
    let keys = Keys::new();
    let payload = r#"{"amount":0.020,"name":"žąsis"}"#;
    for (side, kind, own, peer, fields) in [
        ("partner", "request", "partner", "paytend", r#"{"partnerId":"888666000100260"}"#),
        ("paytend", "response", "paytend", "partner", r#"{"respCode":"00","respMsg":"a & b"}"#),
        (
            "paytend",
            "notification",
            "paytend",
            "partner",
            r#"{"partnerId":"888666000100260","notifyType":"2","traceId":"x"}"#,
        ),
    ] {
        let sealed = seal(&keys, side, kind, own, peer, fields, Some(payload));
        assert_eq!(sealed.code, 0, "{}", sealed.stderr);
        let other = if side == "partner" { "paytend" } else { "partner" };
        let opened = open(&keys, other, kind, peer, own, &[], sealed.stdout.as_bytes());
        assert_eq!(opened.code, 0, "{}", opened.stderr);
        let opened: Value = serde_json::from_str(&opened.stdout).unwrap();
        assert_eq!(opened["payload_text"], payload);
        assert_eq!(opened["fields"]["signType"], "RSA");
        for (name, value) in serde_json::from_str::<serde_json::Map<_, _>>(fields).unwrap() {
            assert_eq!(opened["fields"][name], value);
        }
        if kind == "request" {
            assert_eq!(opened["fields"]["requestId"].as_str().unwrap().len(), 32);
        }
    }
    // Seals a message without a payload, then a message whose payload is read from a file.
    let sealed = seal(&keys, "paytend", "response", "paytend", "partner", r#"{"respCode":"00"}"#, None);
    let opened = open(&keys, "partner", "response", "partner", "paytend", &[], sealed.stdout.as_bytes());
    let opened: Value = serde_json::from_str(&opened.stdout).unwrap();
    assert_eq!((&opened["payload"], &opened["payload_text"]), (&Value::Null, &"".into()));
    std::fs::write(keys.path("payload.json"), payload).unwrap();
    let (own, peer, file) = (keys.arg("partner.pem"), keys.arg("paytend.pub"), keys.arg("payload.json"));
    let args = ["seal", "--as", "partner", "--kind", "request", "--private-key", &own, "--public-key", &peer];
    let rest = ["--fields", r#"{"partnerId":"1"}"#, "--payload", &file, "--unsigned-payload"];
    let sealed = run(&[&args[..], &rest].concat(), b"");
    let refused = open(&keys, "paytend", "request", "paytend", "partner", &[], sealed.stdout.as_bytes());
    assert_eq!(refused.code, 4);
    let opened =
        open(&keys, "paytend", "request", "paytend", "partner", &["--unsigned-payload"], sealed.stdout.as_bytes());
    assert_eq!(opened.code, 0, "{}", opened.stderr);
}

#[test]
fn detached_signatures_are_verified() {
    let keys = Keys::new();
    for case in paytend_vectors::detached() {
        let public = keys.arg(&format!("{}.pub", case.key));
        let args = ["verify", "--provider", &case.key, "--public-key", &public, "--sign", &case.sign];
        let ran = run(&args, &case.body());
        assert_eq!(ran.code, if case.valid { 0 } else { 4 }, "{}: {}", case.name, ran.stderr);
        if case.valid {
            let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
            assert_eq!((&shown["valid"], &shown["provider"]), (&true.into(), &case.key.as_str().into()));
        }
    }
}

#[test]
fn generated_keys_can_be_inspected_and_are_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("new/keys");
    let generate = |bits: &str| run(&["keys", "generate", "--bits", bits, "--out", out.to_str().unwrap()], b"");
    assert_eq!(generate("512").code, 2);
    assert_eq!(generate("many").code, 2);
    let made = generate("1024");
    assert_eq!(made.code, 0, "{}", made.stderr);
    let private = std::fs::read_to_string(out.join("private.pem")).unwrap();
    assert!(private.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(std::fs::read_to_string(out.join("public.pem")).unwrap().starts_with("-----BEGIN PUBLIC KEY-----\n"));
    assert!(std::fs::read_to_string(out.join("public.b64")).unwrap().starts_with("MIGf"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(out.join("private.pem")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = generate("1024");
    assert_eq!(again.code, 3);
    assert_eq!(std::fs::read_to_string(out.join("private.pem")).unwrap(), private);

    let inspect = |file: &str| {
        let ran = run(&["keys", "inspect", out.join(file).to_str().unwrap()], b"");
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(!ran.stdout.contains("BEGIN"));
        serde_json::from_str::<Value>(&ran.stdout).unwrap()
    };
    let inspected = ["private.pem", "public.pem", "public.b64"].map(inspect);
    for (key, kind) in inspected.iter().zip(["private", "public", "public"]) {
        assert_eq!((&key["kind"], &key["bits"], &key["strength"]), (&kind.into(), &1024.into(), &"legacy".into()));
        assert_eq!(key["fingerprint"], serde_json::from_str::<Value>(&made.stdout).unwrap()["fingerprint"]);
    }
    assert_eq!(run(&["keys", "inspect", "/nowhere/key.pem"], b"").code, 3);
    std::fs::write(out.join("rubbish"), "rubbish").unwrap();
    assert_eq!(run(&["keys", "inspect", out.join("rubbish").to_str().unwrap()], b"").code, 3);
}

#[test]
fn private_keys_are_read_from_protected_files_or_the_environment() {
    let keys = Keys::new();
    let fields = r#"{"respCode":"00"}"#;
    let peer = keys.arg("partner.pub");
    let without = ["seal", "--as", "paytend", "--kind", "response", "--public-key", &peer, "--fields", fields];
    assert_eq!(run(&without, b"").code, 2);
    let text = std::fs::read_to_string(keys.path("paytend.pem")).unwrap();
    let from_environment = finish(command().args(without).env("PAYTEND_PRIVATE_KEY", text), b"");
    assert_eq!(from_environment.code, 0, "{}", from_environment.stderr);
    let wrong = finish(command().args(without).env("PAYTEND_PRIVATE_KEY", "CANARY"), b"");
    assert_eq!(wrong.code, 3);
    assert!(!wrong.stderr.contains("CANARY"), "{}", wrong.stderr);

    if cfg!(unix) {
        set_mode(&keys.path("paytend.pem"), 0o644);
        let open_to_all = seal(&keys, "paytend", "response", "paytend", "partner", fields, None);
        assert_eq!(open_to_all.code, 3);
        assert!(open_to_all.stderr.contains("chmod 600"), "{}", open_to_all.stderr);
        let own = keys.arg("paytend.pem");
        let accepted = [&without[..], &["--private-key", &own, "--danger-any-permissions"]].concat();
        assert_eq!(run(&accepted, b"").code, 0);
        // The environment variable has the same effect in every command that reads a private key.
        let opens = ["seal", "--as", "paytend", "--kind", "response", "--public-key", &peer, "--fields", fields];
        let opens = [&opens[..], &["--private-key", &own]].concat();
        let explains = ["explain", "--public-key", &peer, "--private-key", &own];
        let other =
            ["explain", "--public-key", &peer, "--private-key", &keys.arg("partner.pem"), "--other-private-key", &own];
        // Exit code 4 means that the keys were accepted, because the input is not a message.
        for (command_line, code) in [(&opens[..], 0), (&explains[..], 4), (&other[..], 4)] {
            let refused = run(command_line, b"{}");
            assert_eq!(refused.code, 3, "{command_line:?}: {}", refused.stderr);
            assert!(refused.stderr.contains("PAYTEND_DANGER_ANY_PERMISSIONS=1"), "{}", refused.stderr);
            let accepted = finish(command().args(command_line).env("PAYTEND_DANGER_ANY_PERMISSIONS", "1"), b"{}");
            assert_eq!(accepted.code, code, "{command_line:?}: {}", accepted.stderr);
            let accepted = run(&[command_line, &["--danger-any-permissions"]].concat(), b"{}");
            assert_eq!(accepted.code, code, "{command_line:?}: {}", accepted.stderr);
            let off = finish(command().args(command_line).env("PAYTEND_DANGER_ANY_PERMISSIONS", "0"), b"{}");
            assert_eq!(off.code, 3, "{command_line:?}");
        }
    }
    // The file that is passed to `--private-key` contains a public key.
    let swapped = ["seal", "--as", "paytend", "--kind", "response", "--private-key", &peer, "--public-key", &peer];
    let ran = run(&[&swapped[..], &["--fields", fields, "--danger-any-permissions"]].concat(), b"");
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("private key was expected"), "{}", ran.stderr);
}

#[test]
fn usage_errors_exit_with_2() {
    let keys = Keys::new();
    for (side, kind, fields, payload) in [
        ("partner", "response", r#"{"respCode":"00"}"#, None),
        ("paytend", "request", r#"{"partnerId":"1"}"#, None),
        ("paytend", "response", "not json", None),
        ("paytend", "response", r#"{"respCode":0}"#, None),
        ("paytend", "response", r#"{"respMsg":"no code"}"#, None),
        ("paytend", "response", r#"{"respCode":"0&a=b"}"#, None),
        ("paytend", "response", r#"{"respCode":"00","signature":"x"}"#, None),
        ("paytend", "response", r#"{"respCode":"00"}"#, Some("[1]")),
    ] {
        let ran = seal(&keys, side, kind, "paytend", "partner", fields, payload);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{kind} {fields}: {}", ran.stderr);
    }
    assert_eq!(open(&keys, "paytend", "response", "paytend", "partner", &[], b"{}").code, 2);
    assert_eq!(open(&keys, "partner", "response", "partner", "paytend", &["--partner-id", "1"], b"{}").code, 2);
    assert_eq!(run(&["nothing"], b"").code, 2);
    assert_eq!(run(&["verify", "--provider", "stripe"], b"").code, 2);
    let help = run(&["--help"], b"");
    assert_eq!(help.code, 0);
    assert!(help.stdout.contains("4 not authentic"), "{}", help.stdout);
}

#[test]
fn unsigned_error_response_exits_with_4_and_shows_its_code() {
    let keys = Keys::new();
    let document = br#"{"respCode":"9001","respMsg":"CANARY"}"#;
    let ran = open(&keys, "partner", "response", "partner", "paytend", &[], document);
    assert_eq!(ran.code, 4);
    assert!(ran.stderr.contains("9001") && !ran.stderr.contains("CANARY"), "{}", ran.stderr);
}

#[test]
fn endpoints_command_shows_the_source_and_fields_of_each_operation() {
    let ran = run(&["endpoints", "--json"], b"");
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let find = |name: &str| lines.iter().find(|line| line["name"] == name).unwrap();
    assert_eq!(find("topup")["provenance"]["path"], "observed");
    assert_eq!(find("setCallbackUrl")["provenance"]["path"], "inferred");
    let table = run(&["endpoints"], b"");
    assert_eq!(table.stdout.lines().count(), lines.len());
    assert_eq!(lines.len(), 37);

    // The output for one operation shows the source and the rules of each field.
    let topup = run(&["endpoints", "topup"], b"");
    assert!(
        topup.stdout.contains("it must be above zero") && topup.stdout.contains("Topup_BizData"),
        "{}",
        topup.stdout
    );
    let status = topup.stdout.lines().find(|line| line.trim().starts_with("status")).unwrap();
    assert!(status.contains("inferred"), "{status}");
    let upload = run(&["endpoints", "baas.uploadDocument", "--json"], b"");
    let upload: Value = serde_json::from_str(&upload.stdout).unwrap();
    assert_eq!((&upload["payload"], &upload["maxFileBytes"]), (&"unsigned".into(), &2_097_152.into()));
    for (name, reason) in [("getCities", "both products"), ("nothing", "no operation")] {
        let ran = run(&["endpoints", name], b"");
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    }
}

#[test]
fn seal_checks_payload_against_operation() {
    let keys = Keys::new();
    let (own, peer) = (keys.arg("partner.pem"), keys.arg("paytend.pub"));
    let check = |payload: &str, more: &[&str]| {
        let mut args =
            vec!["seal", "--as", "partner", "--kind", "request", "--private-key", &own, "--public-key", &peer];
        args.extend(["--fields", r#"{"partnerId":"888666000100260"}"#, "--payload", "-", "--operation", "topup"]);
        args.extend(more);
        run(&args, payload.as_bytes())
    };
    let good = check(r#"{"cardId":"1","orderNo":"T","amount":"1.10","currency":"EUR"}"#, &["--strict"]);
    assert_eq!((good.code, good.stderr.as_str()), (0, ""));
    let doubtful = r#"{"cardId":"1","orderNo":"T","amount":"0.00","currency":"EUR"}"#;
    let ran = check(doubtful, &[]);
    let warning = "warning: `amount` should be above zero; found a string of 4 characters\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (0, warning));
    assert!(ran.stdout.contains("bizData"));
    let ran = check(doubtful, &["--strict"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert_eq!(ran.stderr, format!("error: invalid topup request: {}", &warning["warning: ".len()..]));
    let ran = check(r#"{"cardId":"1","amount":"1.10","currency":"EUR","order_no":"SECRET"}"#, &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("`orderNo` is missing") && !ran.stderr.contains("SECRET"), "{}", ran.stderr);
}

#[test]
fn seal_replaces_empty_request_id_and_refuses_overlong_request_id() {
    let keys = Keys::new();
    let (own, peer) = (keys.arg("partner.pem"), keys.arg("paytend.pub"));
    let sealed = |id: &str| {
        let fields = format!(r#"{{"partnerId":"888666000100260","requestId":"{id}"}}"#);
        run(
            &[
                "seal",
                "--as",
                "partner",
                "--kind",
                "request",
                "--private-key",
                &own,
                "--public-key",
                &peer,
                "--fields",
                &fields,
            ],
            b"",
        )
    };
    let document: Value = serde_json::from_str(&sealed("").stdout).unwrap();
    assert_eq!(document["requestId"].as_str().unwrap().len(), 32);
    let refused = sealed(&"7".repeat(33));
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""));
    assert!(refused.stderr.contains("`requestId` has 33 characters; the maximum is 32"), "{}", refused.stderr);
}
