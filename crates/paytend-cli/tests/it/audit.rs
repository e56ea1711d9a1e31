//! Tests that every operator action of `paytend inbox` and `paytend outbox` is in the audit log.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::help::commands;
use crate::inbox_service::{Workplace, runtime};
use crate::outbox::Place;
use crate::support::run;

/// The commands with their arguments and the recorded action, which is `None` for commands that only read. The commands
/// run in this sequence.
type Commands = [(&'static str, &'static [&'static str], Option<&'static str>)];

const INBOX: &Commands = &[
    ("serve", &["--help"], None),
    ("list", &[], None),
    ("show", &["1"], None),
    ("show", &["1", "--reveal"], Some("reveal")),
    ("bury", &["1", "--why", "a test"], Some("bury")),
    ("redrive", &["1"], Some("redrive")),
    ("redrive", &["--dead"], Some("redrive")),
    ("stats", &[], None),
    ("check", &[], None),
    ("audit", &[], None),
    ("backup", &["COPY"], Some("backup")),
    ("erase", &["--business-id", "F1"], Some("erase")),
    ("generate-key", &["--help"], None),
];

/// A reason with a control character that JSON does not have to escape.
const CONTROL: &str = "\u{9b}31m";

const OUTBOX: &Commands = &[
    ("list", &[], None),
    ("show", &["S-1"], None),
    ("show", &["S-1", "--reveal"], Some("show")),
    ("retry", &["S-1"], Some("retry")),
    ("decide", &["S-1", "--as", "executed", "--why", "a test"], Some("decide executed")),
    ("close", &["S-1", "--why", "a test"], Some("close")),
    ("decide", &["R-1", "--as", "not-executed", "--why", "a test"], Some("decide not-executed")),
    ("pause", &["topup", "--why", CONTROL], Some("pause /issuing/card/topup")),
    ("resume", &["topup"], Some("resume /issuing/card/topup")),
    ("stats", &[], None),
    ("check", &[], None),
    ("audit", &[], None),
    ("drop-content", &["--older-than", "90d"], Some("drop-content before ")),
    ("recover", &["--why", "a test"], Some("recover")),
    ("recover", &["--end", "--why", "a test"], Some("end recovery")),
];

/// A new command must be added to the table, with the action that it records.
#[test]
fn every_command_is_in_the_table() {
    let all: BTreeSet<String> = commands().iter().map(|words| words.join(" ")).collect();
    for (name, table) in [("inbox", INBOX), ("outbox", OUTBOX)] {
        let prefix = format!("{name} ");
        let known: BTreeSet<&str> = all.iter().filter_map(|words| words.strip_prefix(&prefix)).collect();
        assert_eq!(table.iter().map(|(command, ..)| *command).collect::<BTreeSet<_>>(), known);
    }
}

/// Runs the commands of a table, and compares the audit log after each of them with the expected action.
fn check(name: &str, store: &str, operator: &str, commands: &Commands, copy: &str) {
    let recorded = || -> Vec<Value> {
        let listed = run(&[name, "audit", "--json", "--store", store], b"");
        assert_eq!(listed.code, 0, "{}", listed.stderr);
        listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    for (command, arguments, action) in commands {
        let before = recorded().len();
        let arguments = arguments.iter().map(|argument| if *argument == "COPY" { copy } else { *argument });
        let arguments: Vec<&str> = [name, *command].into_iter().chain(arguments).chain(["--store", store]).collect();
        // The content of the test's orders cannot be read, but the attempt is recorded.
        let ran = run(&arguments, b"");
        assert!(ran.code == 0 || (name, *action) == ("outbox", Some("show")), "{arguments:?}: {}", ran.stderr);
        let after = recorded();
        let Some(action) = action else {
            assert_eq!(after.len(), before, "{arguments:?} is recorded");
            continue;
        };
        assert!(after.len() > before, "{arguments:?} is not recorded");
        assert!(after[0]["action"].as_str().unwrap().starts_with(action), "{arguments:?}: {}", after[0]);
        assert!(after[0][operator].as_str().unwrap().starts_with("uid "), "{}", after[0]);
    }
}

#[test]
fn every_action_on_notifications_is_recorded() {
    let place = Workplace::new();
    let service = place.start(&[]);
    let deposit = place.paytend("2", r#"{"orderNo":"F1","amount":25.00,"currency":"EUR"}"#);
    assert_eq!(runtime().block_on(service.post("/paytend/baas", deposit)), 200);
    drop(service);
    check("inbox", &place.store(), "operator", INBOX, place.path("copy.db").to_str().unwrap());
}

#[test]
fn every_action_on_orders_is_recorded() {
    let place = Place::new();
    check("outbox", &format!("sqlite:{}", place.path.display()), "who", OUTBOX, "");
    let of_order = ["outbox", "audit", "--order", "R-1", "--store", &format!("sqlite:{}", place.path.display())];
    let listed = run(&of_order, b"").stdout;
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines.len() == 1 && lines[0].contains("  decide not-executed  R-1  uid "), "{listed}");
    assert!(lines[0].ends_with("  a test"), "{listed}");
    let json = run(&["outbox", "audit", "--json", of_order[4], of_order[5]], b"").stdout;
    assert!(json.contains(r#""why":"\u009b31m""#) && !json.contains('\u{9b}'), "{json}");
    assert_eq!(run(&[&of_order[..], &["--since", "2200-01-01T00:00:00Z"]].concat(), b"").stdout, "");
}
