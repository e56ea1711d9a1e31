//! Tests for `paytend help`, `completions` and `man`.

use std::process::Stdio;

use crate::schema::checked;
use crate::support::{Keys, command, run};

/// Returns all commands, each with its subcommands.
pub(crate) fn commands() -> Vec<Vec<String>> {
    fn add(path: &[String], all: &mut Vec<Vec<String>>) {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let help = run(&[&words[..], &["-h"]].concat(), b"").stdout;
        all.push(path.to_owned());
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let names = listed.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
        let names = names.filter_map(|line| line.split(' ').next()).filter(|name| path.is_empty() || *name != "help");
        for name in names.map(str::to_owned).collect::<Vec<_>>() {
            add(&[path, &[name]].concat(), all);
        }
    }
    let mut all = Vec::new();
    add(&[], &mut all);
    all
}

/// A screen has 45 lines and 120 columns here.
#[test]
fn short_help_of_each_command_fits_on_one_screen() {
    let commands = commands();
    assert!(commands.len() > 30, "{commands:?}");
    for command in commands {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let help = run(&[&words[..], &["-h"]].concat(), b"").stdout;
        let lines: usize = help.lines().map(|line| line.chars().count().max(1).div_ceil(120)).sum();
        assert!(lines <= 45, "{words:?} has {lines} lines:\n{help}");
    }
}

#[test]
fn help_describes_commands_and_errors() {
    let all = run(&["help"], b"");
    assert_eq!((all.code, all.stdout), (0, run(&["--help"], b"").stdout));
    let one = run(&["help", "keys", "generate"], b"");
    assert!(one.code == 0 && one.stdout.contains("paytend keys generate"), "{} {}", one.stdout, one.stderr);
    let errors = run(&["help", "errors"], b"");
    assert!(errors.code == 0 && errors.stdout.contains("7  outcome unknown") && errors.stdout.contains("--resolve"));
    let json = checked("help-errors", &run(&["help", "errors", "--json"], b"").stdout);
    let codes: Vec<u64> = json.as_array().unwrap().iter().filter_map(|one| one["code"].as_u64()).collect();
    assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7, 8, 130]);
    for (args, part) in [(&["help", "cal"][..], "did you mean `call`?"), (&["help", "call", "--json"], "help errors")] {
        let ran = run(args, b"");
        assert!(ran.code == 2 && ran.stderr.contains(part), "{args:?}: {}", ran.stderr);
    }
}

/// Compares the error messages in `help errors` with the client's source.
#[test]
fn explained_error_messages_exist_in_the_client() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../paytend-client/src/error/display.rs");
    let source = std::fs::read_to_string(source).unwrap();
    let json = checked("help-errors", &run(&["help", "errors", "--json"], b"").stdout);
    let mut count = 0;
    for kind in json.as_array().unwrap().iter().flat_map(|one| one["kinds"].as_array().unwrap()) {
        for part in kind["message"].as_str().unwrap().split("; ") {
            assert!(source.contains(part), "{part}");
        }
        count += 1;
    }
    // The count is one higher than the number of messages, because one message is explained under two exit codes.
    assert_eq!(count, source.matches("ErrorKind::").count() - 2 + 1);
}

#[test]
fn completion_scripts_contain_commands_and_options() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = run(&["completions", shell], b"");
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        // Only the bash and zsh scripts contain values such as the names of operations. The fish script calls the
        // command for them, and the other scripts offer no values.
        let values = ["getPartnerBalance", "deadline_seconds"].into_iter().filter(|_| ["bash", "zsh"].contains(&shell));
        for part in ["dry-run", "scenario"].into_iter().chain(values) {
            assert!(ran.stdout.contains(part), "{shell}: {part}");
        }
    }
    assert_eq!(run(&["completions", "tcsh"], b"").code, 2);
}

#[test]
fn manual_pages_are_written_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let page = run(&["man"], b"");
    assert!(page.code == 0 && page.stdout.contains(".TH paytend 1"), "{}", page.stdout);
    assert_eq!(run(&["man", "--out", folder.path().to_str().unwrap()], b"").code, 0);
    let names: Vec<String> =
        commands().iter().map(|path| [&["paytend".to_owned()][..], path].concat().join("-")).collect();
    for name in &names {
        let page = std::fs::read_to_string(folder.path().join(format!("{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{name}: {}", page.lines().nth(2).unwrap_or_default());
    }
    let unwritable = run(&["man", "--out", "/dev/null/man"], b"");
    assert!(unwritable.code == 3 && unwritable.stderr.contains("/dev/null/man"), "{}", unwritable.stderr);
}

#[test]
fn closed_pipe_is_not_an_error() {
    let (keys, folder) = (Keys::new(), tempfile::tempdir().unwrap());
    let (public, out) = (keys.arg("payby.pub"), folder.path().join("new"));
    for args in [
        &["completions", "bash"][..],
        &["help", "errors"],
        &["help", "errors", "--json"],
        &["man"],
        &["endpoints"],
        &["endpoints", "--json"],
        &["endpoints", "topup"],
        &["help", "call"],
        &["trigger", "--list"],
        &["sandbox", "fault", "kinds"],
        &["sandbox", "scenario", "list", "--json"],
        &["scenario", "topup-lost-response"],
        &["config", "path"],
        &["keys", "inspect", &public],
        &["keys", "generate", "--bits", "1024", "--out", out.to_str().unwrap()],
        &["complete-values", "--", "paytend", "call", ""],
    ] {
        let mut child = command().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{args:?}");
    }
}
