//! Tests that the exit code of `paytend call` always reports the outcome.

#[cfg(unix)]
use std::io::Read as _;
use std::process::{Command, Stdio};

#[cfg(unix)]
use serde_json::Value;

use crate::call::Connected;
#[cfg(unix)]
use crate::call::TOPUP;
use crate::schema::checked;

/// Starts a topup, interrupts it as soon as `is_time` returns true, and returns its JSON and its standard error.
#[cfg(unix)]
fn interrupted(connected: &Connected, args: &[&str], is_time: impl Fn() -> bool) -> (Value, String) {
    use rustix::process::{Pid, Signal, kill_process};
    let fields = ["-f", "orderNo=T-1", "-f", "amount=1", "--json", "--deadline", "10m"];
    let mut command = connected.command(&[&["call"], &TOPUP[..], &fields, args].concat());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = std::time::Instant::now();
    while !is_time() {
        assert!(start.elapsed().as_secs() < 60, "the condition for the interruption was not met in time");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let (mut stdout, mut stderr) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{stderr}");
    (checked("call", &stdout), stderr)
}

/// The command is interrupted while it is querying the order. The topup itself was sent before, so its outcome is
/// unknown.
#[cfg(unix)]
#[test]
fn interruption_after_a_lost_response_is_not_reported_as_unsent() {
    let connected = Connected::new();
    connected.fault("topup:resetAfter:next");
    connected.fault("getTopupResult:hang");
    let queried = || connected.calls("/issuing/card/getTopupResult") > 0;
    let (report, stderr) = interrupted(&connected, &["--resolve"], queried);
    assert_eq!(report["outcome"], "unknown");
    assert!(stderr.contains("may have been carried out") && !stderr.contains("nothing was sent"), "{stderr}");
    assert!(stderr.contains("paytend call getTopupResult -f orderNo=T-1"), "{stderr}");
}

/// The command is interrupted during the TLS handshake, which the server never completes, so nothing was sent.
#[cfg(unix)]
#[test]
fn request_interrupted_before_sending_is_reported_as_unsent() {
    let connected = Connected::new();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", server.local_addr().unwrap().port());
    server.set_nonblocking(true).unwrap();
    let accepted = std::cell::RefCell::new(Vec::new());
    let is_connected = || {
        accepted.borrow_mut().extend(server.accept());
        !accepted.borrow().is_empty()
    };
    let (report, stderr) = interrupted(&connected, &["--base-url", &url, "--yes"], is_connected);
    assert_eq!(report["outcome"], "not_sent");
    assert!(stderr.contains("nothing was sent") && !stderr.contains("may have been"), "{stderr}");
}

#[test]
fn exit_code_with_resolve_reports_the_state_of_the_order() {
    let connected = Connected::new();
    assert_eq!(connected.topup("T-1", &[]).code, 0);
    // The second topup is rejected, because its order number is already used. The query cannot confirm this, because
    // its response is signed with a wrong key. The outcome is therefore unknown.
    connected.fault("getTopupResult:wrongKey");
    let unconfirmed = connected.topup("T-1", &["--resolve", "--json"]);
    let report = checked("call", &unconfirmed.stdout);
    assert_eq!((unconfirmed.code, &report["outcome"]), (7, &"unknown".into()), "{}", unconfirmed.stderr);
    assert!(unconfirmed.stderr.contains("paytend call getTopupResult"), "{}", unconfirmed.stderr);
    // The order exists, and its status means that it has failed.
    let profile = connected.folder.path().join("keys/paytend.toml");
    let text = std::fs::read_to_string(&profile).unwrap();
    let known = r#"processing = ["1"], succeeded = ["2"], failed = ["3"]"#;
    assert!(text.contains(known), "{text}");
    for (number, states, code, outcome, state) in [
        ("P-1", r#"processing = ["2"]"#, 0, "succeeded", "processing"),
        ("U-1", r#"processing = ["1"]"#, 0, "succeeded", "unknown"),
        ("T-2", r#"processing = ["1"], succeeded = ["3"], failed = ["2"]"#, 6, "rejected", "failed"),
    ] {
        std::fs::write(&profile, text.replace(known, states)).unwrap();
        let resolved = connected.topup(number, &["--resolve", "--json"]);
        let report = checked("call", &resolved.stdout);
        assert_eq!((resolved.code, &report["outcome"]), (code, &outcome.into()), "{number}: {}", resolved.stderr);
        assert_eq!(report["state"], state, "{number}");
        assert_eq!(resolved.stderr.contains("the order exists and has failed"), code == 6, "{}", resolved.stderr);
    }
    // The exit code still reports the outcome if the output is a closed pipe or a full device.
    let number = std::cell::Cell::new(3);
    let new_order = || {
        number.set(number.get() + 1);
        connected.resolving(&format!("T-{}", number.get()))
    };
    let used_order = || connected.resolving("T-1");
    for (commands, code) in [(outputs(new_order), 6), (outputs(used_order), 7)] {
        for mut command in commands {
            let ran = command.stderr(Stdio::piped()).output().unwrap();
            assert_eq!(ran.status.code(), Some(code), "{}", String::from_utf8_lossy(&ran.stderr));
        }
    }
}

#[test]
fn outcome_is_reported_even_if_the_output_cannot_be_written() {
    let connected = Connected::new();
    let call = |args: &[&str]| connected.command(&[&["call"], args].concat());
    // The three calls end with a rejection, a network error, and an unknown outcome.
    let rejected = ["getCardBalance", "-f", "cardId=none"];
    let unreachable = ["getPartnerBalance", "--base-url", "http://127.0.0.1:1"];
    connected.fault("getCardTransactions:wrongKey");
    let unknown = ["getCardTransactions", "-f", "cardId=1755902", "-f", "start=0"];
    for (args, code) in [(&rejected[..], 6), (&unreachable, 5), (&unknown, 7)] {
        for mut command in outputs(|| call(&[args, &["--json"]].concat())) {
            let ran = command.stderr(Stdio::piped()).output().unwrap();
            assert_eq!(ran.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&ran.stderr));
        }
    }
    // If the data of a successful request cannot be written, the command fails, and the error says that the request
    // succeeded.
    let codes = outputs(|| call(&["getPartnerBalance"])).into_iter().map(|mut command| {
        let ran = command.stderr(Stdio::piped()).output().unwrap();
        (ran.status.code().unwrap(), String::from_utf8(ran.stderr).unwrap())
    });
    let codes: Vec<(i32, String)> = codes.collect();
    assert_eq!(codes[0], (0, String::new()), "a closed pipe");
    assert!(codes.get(1).is_none_or(|(code, text)| *code == 1 && text.contains("the request succeeded")), "{codes:?}");
}

/// Returns one command for each kind of output that cannot be written: a closed pipe, and a full device if the system
/// has one.
fn outputs(command: impl Fn() -> Command) -> Vec<Command> {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut commands = vec![command()];
    commands[0].stdout(writer);
    if let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") {
        let mut command = command();
        command.stdout(full);
        commands.push(command);
    }
    commands
}
