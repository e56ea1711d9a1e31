//! Tests that the README lists all commands and exit codes.

use std::collections::BTreeSet;

use crate::support::run;

/// Returns the subcommands that `--help` lists.
fn subcommands(command: &[&str]) -> BTreeSet<String> {
    let ran = run(&[command, &["--help"]].concat(), b"");
    let listed = ran.stdout.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // The continuation lines of a description are indented more than the names.
    let names = listed.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    names.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn readme_lists_every_command() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let rows: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("| `paytend ")).collect();
    let listed: BTreeSet<String> =
        rows.iter().filter_map(|row| row.split([' ', '`']).next()).map(str::to_owned).collect();
    let commands = subcommands(&[]);
    assert!(commands.len() >= 10, "{commands:?}");
    assert_eq!(listed, commands);
    // Each subcommand must appear in the row of its parent command.
    for command in ["config", "events", "keys", "control", "inbox", "outbox", "sandbox"] {
        let row: String = rows.iter().filter(|row| row.split(' ').next() == Some(command)).copied().collect();
        let names = subcommands(&[command]);
        assert!(!names.is_empty());
        for name in names {
            assert!(row.contains(&format!("`{name}`")) || row.contains(&format!("{command} {name} ")), "{name}: {row}");
        }
    }
}

#[test]
fn readme_lists_every_exit_code() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let help = run(&["--help"], b"").stdout;
    let codes = help.lines().find_map(|line| line.strip_prefix("Exit codes: ")).unwrap();
    for (code, meaning) in codes.split(", ").map(|code| code.split_once(' ').unwrap()) {
        assert!(readme.contains(&format!("| {code} | {meaning} |")), "{code} {meaning}");
    }
}
