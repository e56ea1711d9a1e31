//! Tests for `paytend demo`.

use std::process::Stdio;

use serde_json::Value;

use crate::support::{command, finish, run};

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
            "createIndividual",
            "uploadDocument",
            "uploadDocument",
            "individualQuestionnaire",
            "accountOpening",
            "createCardholder",
            "getSKUs",
            "applyCard",
            "getApplyCardResult",
            "getPartnerBalance",
            "topup",
            "resolved",
            "getTopupResult",
            "getCardBalance",
            "getPartnerBalance",
            "topupAgain",
            "deposit",
            "notification",
            "duplicate",
            "tampered",
            "forgery",
            "explain",
            "process",
            "killed",
            "recovered",
            "reconcile",
            "done",
        ]
    );
    assert!(ran.stdout.lines().last().unwrap().starts_with(r#"{"step":"done","ok":true,"#), "{}", ran.stdout);
    let step = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap();
    // This step shows the encrypted document and the signed text.
    let query = step("getTopupResult");
    assert!(query["request"]["bizData"].as_str().unwrap().len() >= 40);
    assert!(query["request"]["signature"].is_string() && query["response"]["signature"].is_string());
    assert!(query["sent"].as_str().unwrap().contains(r#""orderNo":"T-0001""#), "{query}");
    assert!(!query["request"].to_string().contains("T-0001"));
    assert!(step("topup")["sent"].as_str().unwrap().contains(r#""orderNo":"T-0001""#));
    assert_eq!(step("notification")["amount"], "1250.07 EUR");
    for name in ["resolved", "recovered"] {
        assert_eq!((&step(name)["state"], &step(name)["sends"]), (&"found".into(), &1.into()), "{}", step(name));
    }
    assert_eq!((&step("reconcile")["open"], &step("reconcile")["counts"]["matched"]), (&0.into(), &2.into()));
}

#[test]
fn demo_does_not_depend_on_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    // The sandbox refuses key directories with `live` in their path by default. The demo must work there too.
    let temporary = folder.path().join("live");
    std::fs::create_dir(&temporary).unwrap();
    let mut demo = command();
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        demo.env(name, "http://127.0.0.1:9");
    }
    demo.env("PAYTEND_STORE", "sqlite:/nonexistent/store.db").env("PAYTEND_PRIVATE_KEY", "x").env_remove("NO_PROXY");
    for name in ["TMPDIR", "TMP", "TEMP"] {
        demo.env(name, &temporary);
    }
    let ran = finish(demo.arg("demo"), b"");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let left: Vec<_> = std::fs::read_dir(&temporary).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn demo_output_has_no_colours_in_a_pipe() {
    let ran = run(&["demo"], b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("All 31 steps passed."), "{}", ran.stdout);
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 100), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\r'));
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

#[test]
#[cfg(unix)]
fn demo_shows_each_step_on_a_terminal_before_it_ends() {
    let mut terminal = crate::pty::Terminal::start(command().arg("demo"));
    terminal.expect("All 31 steps passed.");
    assert_eq!(terminal.wait(), Some(0));
    let shown = terminal.shown();
    assert!(shown.contains("  ..  A new process finds the order\r  \u{1b}[32mok\u{1b}[0m  A new process"), "{shown}");
}

#[test]
#[cfg(unix)]
fn interrupted_demo_leaves_no_files_or_processes_behind() {
    use std::io::{BufRead as _, BufReader};
    for step in ["sandbox", "process", "killed"] {
        let temporary = tempfile::tempdir().unwrap();
        let mut demo = command();
        demo.args(["demo", "--json"]).env("TMPDIR", temporary.path()).stdout(Stdio::piped());
        let mut demo = demo.spawn().unwrap();
        let lines = BufReader::new(demo.stdout.take().unwrap()).lines();
        let mut lines = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
        let reached = lines.by_ref().find(|line| line["step"] == step).unwrap();
        let pid = rustix::process::Pid::from_child(&demo);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        assert!(lines.all(|line| line["step"] != "done"), "{step}");
        assert_eq!(demo.wait().unwrap().code(), Some(130), "{step}");
        assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "{step}");
        if let Some(process) = reached["process"].as_i64() {
            let process = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
            assert!(rustix::process::test_kill_process(process).is_err(), "the order process is still running");
        }
    }
}
