//! Tests of the options that all commands have, and of the JSON output of `endpoints`, `explain` and `scenario`.

use crate::schema::checked;
use crate::support::{Keys, command, finish, run};

#[test]
fn color_option_overrides_no_color_and_the_default() {
    let escapes = |args: &[&str], name: &str, value: &str| {
        let ran = finish(command().env_remove("NO_COLOR").args(args).env(name, value), b"");
        ran.stdout.contains('\u{1b}') || ran.stderr.contains('\u{1b}')
    };
    let help = ["help", "errors"];
    assert!(!escapes(&help, "TERM", "xterm"), "a pipe");
    assert!(escapes(&["help", "errors", "--color", "always"], "TERM", "xterm"));
    assert!(escapes(&["--color", "always", "call", "toppup"], "TERM", "xterm"), "errors");
    assert!(!escapes(&["help", "errors", "--color", "never"], "TERM", "xterm"));
    assert_eq!(run(&["help", "errors", "--color", "sometimes"], b"").code, 2);
    // `--color` also applies to usage errors and to the short help. After `--`, it is not an option.
    assert!(escapes(&["--color", "always", "nothing"], "TERM", "xterm"));
    assert!(escapes(&["call", "--color=always", "-h"], "TERM", "xterm"));
    assert!(!escapes(&["call", "-h", "--", "--color", "always"], "TERM", "xterm"));
    #[cfg(unix)]
    for (name, value, args, colored) in [
        ("X", "", &help[..], true),
        ("NO_COLOR", "1", &help, false),
        ("X", "", &["help", "errors", "--color", "never"], false),
        ("NO_COLOR", "1", &["help", "errors", "--color", "always"], true),
        ("X", "", &["-h"], true),
        ("X", "", &["-h", "--color", "never"], false),
    ] {
        use crate::pty::Terminal;
        let mut terminal = Terminal::start_with(command().args(args), name, value);
        assert_eq!(terminal.wait(), Some(0));
        terminal.expect("130");
        assert_eq!(terminal.shown().contains("\u{1b}[1m"), colored, "{name}={value} {args:?}");
    }
}

/// Logs are written to standard error and contain no message contents.
#[test]
fn verbose_option_writes_logs_without_secrets() {
    let args = ["call", "getCardBalance", "-f", "cardId=CANARY", "--base-url", "http://127.0.0.1:1", "--keys"];
    let keys = Keys::new();
    let folder = keys.path("");
    for (from, to) in [("partner.pem", "partner-private.pem"), ("paytend.pub", "paytend-public.b64")] {
        std::fs::rename(keys.path(from), keys.path(to)).unwrap();
    }
    std::fs::write(keys.path("partner-id"), "888666000100260").unwrap();
    let args = [&args[..], &[folder.to_str().unwrap()]].concat();
    let quiet = run(&args, b"");
    assert!(quiet.code == 5 && quiet.stderr.lines().count() == 1, "{}", quiet.stderr);
    let verbose = run(&[&args[..], &["-vvv"]].concat(), b"");
    let filtered = finish(command().args(&args).env("RUST_LOG", "paytend_client=debug"), b"");
    for ran in [verbose, filtered] {
        assert!(ran.stderr.contains("paytend_client") && ran.stderr.contains("attempt"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("CANARY") && ran.stdout.is_empty(), "{}", ran.stderr);
    }
    let other = finish(command().args(&args).env("RUST_LOG", "hyper=error"), b"");
    assert_eq!(other.stderr.lines().count(), 1, "{}", other.stderr);
    let invalid = finish(command().args(&args).env("RUST_LOG", "paytend_client=loud"), b"");
    assert!(invalid.stderr.contains("RUST_LOG is ignored"), "{}", invalid.stderr);
}

#[test]
fn json_output_of_endpoints_explain_and_scenario_matches_its_schema() {
    let lines = run(&["endpoints", "--json"], b"").stdout;
    assert_eq!(lines.lines().inspect(|line| drop(checked("endpoints", line))).count(), 37);
    let keys = Keys::new();
    let public = keys.arg("payby.pub");
    let explained = run(&["explain", "--provider", "payby", "--public-key", &public, "--json", "--sign", ""], b"{}");
    assert_eq!(checked("explain", &explained.stdout)["verdict"], "not_authentic");
    let listed = run(&["sandbox", "scenario", "list", "--json"], b"").stdout;
    assert_eq!(listed.lines().inspect(|line| drop(checked("scenario-list", line))).count(), 6);
    let ran = run(&["scenario", "topup-lost-response", "--json"], b"");
    let ran = checked("scenario-run", &ran.stdout);
    assert!(ran["passed"] == true && ran["steps"].as_array().unwrap().len() > 1, "{ran}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("failing.toml");
    std::fs::write(&file, "name = \"mine\"\n[[step]]\nfunds = true\nexpect = { EUR = \"1.00\" }\n").unwrap();
    let failed = run(&["sandbox", "scenario", "run", "--json", file.to_str().unwrap()], b"");
    let report = checked("scenario-run", &failed.stdout);
    assert!(failed.code == 1 && report["passed"] == false && report["error"].is_string(), "{report}");
    // Commands whose output is always JSON also accept `--json`.
    assert_eq!(
        run(&["keys", "inspect", &public, "--json"], b"").stdout,
        run(&["keys", "inspect", &public], b"").stdout
    );
}

/// Each command line contains an option that would have no effect with the other options.
#[test]
fn options_without_effect_are_refused() {
    let url = "http://127.0.0.1:1/_sandbox";
    for args in [
        &["listen", "--keys", "keys", "--forward-secret-file", "secret"][..],
        &["config", "init", "one", "--from-sandbox", "keys", "--passphrase-file", "phrase"],
        &["config", "secret", "--remove", "--passphrase-file", "phrase"],
        &["inspect", "-", "--keys", "keys", "--base-url", url],
        &["trigger", "baas.fund-deposit", "--sandbox", url, "--danger-any-permissions"],
        &["events", "resend", "1", "--sandbox", url, "--store-key", "key"],
        &["events", "resend", "1", "--sandbox", url, "--danger-any-permissions"],
        &["events", "show", "1", "--sandbox", url, "--store-key", "key"],
    ] {
        let ran = run(args, b"");
        let refused = ["cannot be used with", "required arguments", "unexpected argument"];
        assert!(ran.code == 2 && refused.iter().any(|part| ran.stderr.contains(part)), "{args:?}: {}", ran.stderr);
    }
}
