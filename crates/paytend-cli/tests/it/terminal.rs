//! Tests on a pseudo-terminal: progress, colours and prompts that are interrupted.

use std::process::Command;

use crate::call::Connected;
use crate::pty::Terminal;
use crate::running::RunningSandbox;
use crate::support::{Keys, command, finish, set_mode};

#[test]
fn progress_is_shown_only_on_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let keys = keys.to_str().unwrap();
    let _sandbox = RunningSandbox::start(&["--keys", keys, "--timing", "instant"]);
    let reconcile = |out: &str| {
        let mut command = command();
        command.args(["reconcile", "--from", "2026-11-27", "--to", "2026-11-27", "--keys", keys]);
        command.arg("--out").arg(folder.path().join(out));
        command
    };
    let mut terminal = Terminal::start(&mut reconcile("terminal"));
    terminal.expect(" of 3 lists, ");
    assert_eq!(terminal.wait(), Some(0), "{}", terminal.shown());
    terminal.expect("only provider");
    // Each update of the progress line, and its removal, clears the line with this escape sequence. After the last one,
    // there is only the report.
    let shown = terminal.shown();
    let (_, report) = shown.rsplit_once("\u{1b}[2K").unwrap();
    assert!(!report.contains("fetched") && report.contains("only provider"), "{shown}");
    let piped = finish(&mut reconcile("pipe"), b"");
    assert!(piped.code == 0 && !piped.stderr.contains("fetched"), "{}", piped.stderr);
}

/// Returns a `doctor` command with passing and failing checks: other users can access the profile's private key.
fn doctor(folder: &Keys) -> Command {
    let own = folder.arg("partner.pem");
    set_mode(&folder.path("partner.pem"), 0o644);
    let config = folder.path("config.toml");
    let (public, url) = (folder.arg("paytend.pub"), "http://127.0.0.1:1");
    let profile = format!("base_url = \"{url}\"\nprivate_key_file = \"{own}\"\npublic_key_file = \"{public}\"\n");
    std::fs::write(&config, format!("[profiles.one]\npartner_id = \"888666000100260\"\n{profile}")).unwrap();
    let mut command = command();
    command.env("PAYTEND_CONFIG", config).arg("doctor");
    command
}

#[test]
fn doctor_results_are_coloured_only_on_a_terminal() {
    let keys = Keys::new();
    for (name, value, coloured) in [("X", "", true), ("NO_COLOR", "1", false)] {
        let mut terminal = Terminal::start_with(&mut doctor(&keys), name, value);
        assert_eq!(terminal.wait(), Some(1), "{}", terminal.shown());
        terminal.expect("checks failed");
        let shown = terminal.shown();
        assert_eq!(shown.contains("\u{1b}[31mfail"), coloured, "{shown}");
        assert_eq!(shown.contains("\u{1b}[32mok"), coloured, "{shown}");
    }
    let piped = finish(&mut doctor(&keys), b"");
    assert!(piped.stdout.contains("fail  permissions") && !piped.stdout.contains('\u{1b}'), "{}", piped.stdout);
}

#[test]
fn nothing_is_sent_if_the_input_ends_at_a_prompt() {
    let connected = Connected::new();
    let fields = ["call", "topup", "-f", "cardId=1755902", "-f", "currency=EUR", "-f", "amount=1"];
    let mut terminal = Terminal::start(&mut connected.command(&fields));
    terminal.expect("orderNo (");
    // Ctrl-D ends the input.
    terminal.type_bytes(b"\x04");
    assert_eq!(terminal.wait(), Some(2), "{}", terminal.shown());
    terminal.expect("no answer");
    assert_eq!(connected.calls("/issuing/card/topup"), 0);
}
