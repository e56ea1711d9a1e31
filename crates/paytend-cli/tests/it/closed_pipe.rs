//! Tests that commands report their results in the exit code even if their output is a closed pipe.

use std::process::{Command, Stdio};

use crate::inbox_service::{Workplace, runtime};
use crate::outbox::Place;
use crate::support::{Keys, command, finish, run};

/// Runs a command whose standard output is a closed pipe, and returns its exit code and standard error.
fn into_closed_pipe(command: &mut Command, stdin: &[u8]) -> (i32, String) {
    let file = tempfile::tempdir().unwrap();
    let input = file.path().join("stdin");
    std::fs::write(&input, stdin).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdin(std::fs::File::open(input).unwrap()).stdout(writer).stderr(Stdio::piped());
    let ran = command.output().unwrap();
    (ran.status.code().unwrap(), String::from_utf8(ran.stderr).unwrap())
}

/// Runs a command with and without `--json`, and checks its exit code and standard error.
fn in_both_forms(args: &[&str], stdin: &[u8], expected: (i32, &str)) {
    for form in [&[][..], &["--json"]] {
        let (code, stderr) = into_closed_pipe(command().args(args).args(form), stdin);
        assert!(code == expected.0 && stderr.contains(expected.1), "{args:?} {form:?}: {code} {stderr}");
    }
}

#[test]
fn explain_keeps_its_exit_code_when_the_pipe_is_closed() {
    let keys = Keys::new();
    let case = paytend_vectors::detached().into_iter().find(|case| case.key == "payby" && case.valid).unwrap();
    let public = keys.arg("payby.pub");
    let args = ["explain", "--provider", "payby", "--public-key", &public, "--sign", &case.sign];
    in_both_forms(&args, &[&case.body()[..], b"x"].concat(), (4, "the message is not authentic"));
    in_both_forms(&args, &case.body(), (0, ""));
}

#[test]
fn failed_scenario_is_reported_when_the_pipe_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let failing = folder.path().join("failing.toml");
    std::fs::write(&failing, "name = \"mine\"\n[[step]]\nfunds = true\nexpect = { EUR = \"1.00\" }\n").unwrap();
    let failing = failing.to_str().unwrap();
    in_both_forms(&["scenario", failing], b"", (1, failing));
    // The second scenario still runs, although the result of the first cannot be printed.
    in_both_forms(&["sandbox", "scenario", "run", "topup-lost-response", failing], b"", (1, failing));
    let stdin = std::fs::read(failing).unwrap();
    let ran = finish(command().args(["scenario", "-"]), &stdin);
    assert!(ran.code == 1 && ran.stdout.starts_with("mine"), "{} {}", ran.stdout, ran.stderr);
}

#[test]
fn store_problems_are_reported_when_the_pipe_is_closed() {
    let place = Place::new();
    place.lose_key();
    let store = format!("sqlite:{}", place.path.display());
    in_both_forms(&["outbox", "check", "--store", &store], b"", (1, "the check found 1 problem"));

    let place = Workplace::new();
    let service = place.start(&[]);
    let deposit = r#"{"orderNo":"F1","amount":25.00,"currency":"EUR"}"#;
    assert_eq!(runtime().block_on(service.post("/paytend/baas", place.paytend("2", deposit))), 200);
    let store = place.store();
    for form in [&[][..], &["--json"]] {
        assert_eq!(run(&["inbox", "bury", "1", "--why", "a test", "--store", &store], b"").code, 0);
        let mut redrive = command();
        redrive.args(["inbox", "redrive", "1", "9", "--store", &store]).args(form);
        let (code, stderr) = into_closed_pipe(&mut redrive, b"");
        assert!(code == 1 && stderr.contains("1 of 2 notifications were dead letters"), "{code} {stderr}");
    }
}
