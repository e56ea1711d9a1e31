//! Tests for the completion scripts in real shells.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::pty::Terminal;
use crate::support::{command, finish, run};

/// Command lines, each with the words that the shell offers in place of the last word.
const CASES: &[(&str, &[&str])] = &[
    ("paytend call issuing.top", &["issuing.topup"]),
    ("paytend call topup -f ord", &["orderNo="]),
    ("paytend call issuing.topup --yes --field amo", &["amount="]),
    ("paytend call createCardholder -f eeaAddress.post", &["eeaAddress.postcode="]),
    ("paytend call getPartnerBalance --profile st", &["staging"]),
    ("paytend listen --profile ", &["default", "staging"]),
    ("paytend endpoints baas.getUserF", &["baas.getUserFees"]),
    ("paytend trigger payermax.", &["payermax.balance-change"]),
    ("paytend trigger payermax.balance-change --set data.am", &["data.amount.currency=", "data.amount.value="]),
    ("paytend events list --kind fund", &["fund-deposit"]),
    ("paytend listen --only card", &["card-transaction", "cardholder-audit"]),
    ("paytend sandbox scenario run topup", &["topup-lost-response"]),
    ("paytend outbox list --operation issuing.topu", &["issuing.topup"]),
    ("paytend config set dead", &["deadline_seconds"]),
];

/// Command lines whose last word contains `:` or `=`. bash splits such words there, so only the part after the
/// separator is replaced.
const SEPARATED: &[(&str, &[&str])] = &[
    ("paytend sandbox fault set topu", &["topup:"]),
    ("paytend sandbox fault set topup:reset", &["resetBefore", "resetAfter"]),
    ("paytend sandbox fault set topup:late", &["latency:", "late:"]),
    ("paytend sandbox --keys k --fault topup:hang:n", &["next"]),
    ("paytend sandbox fault set topup:latency:90s:", &["next", "times=", "percent="]),
    ("paytend listen --profile=def", &["default"]),
    ("paytend call topup --field=curr", &["currency="]),
];

/// A directory with the command, a file with profiles, and the script of a shell.
struct Place(tempfile::TempDir);

impl Place {
    fn new(shell: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_paytend"), folder.path().join("paytend")).unwrap();
        let profiles = "[profiles.default]\npartner_id = \"1\"\n[profiles.staging]\npartner_id = \"2\"\n";
        std::fs::write(folder.path().join("config.toml"), profiles).unwrap();
        let script = run(&["completions", shell], b"");
        assert_eq!(script.code, 0, "{}", script.stderr);
        std::fs::write(folder.path().join("script"), script.stdout).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Sets the environment in which the shell finds the command and the profiles.
    fn prepare<'c>(&self, shell: &'c mut Command) -> &'c mut Command {
        let path = format!("{}:{}", self.0.path().display(), std::env::var("PATH").unwrap());
        shell.env("PATH", path).env("PAYTEND_CONFIG", self.path("config.toml")).env_remove("PAYTEND_PROFILE")
    }

    /// Runs the shell with these arguments, and returns the lines that it prints.
    fn lines(&self, shell: &str, args: &[&str]) -> Vec<String> {
        let ran = finish(self.prepare(Command::new(shell).args(args)), b"");
        assert_eq!((ran.code, &*ran.stderr), (0, ""), "{args:?}");
        ran.stdout.lines().map(str::to_owned).filter(|line| !line.is_empty()).collect()
    }
}

/// Returns whether a shell is installed. Without it, a test is skipped, unless `PAYTEND_NOTHING_SKIPPED` is set.
fn is_installed(shell: &str) -> bool {
    let version = Command::new(shell).arg("--version").stdout(Stdio::null()).status();
    let is_installed = version.is_ok_and(|status| status.success());
    assert!(is_installed || std::env::var_os("PAYTEND_NOTHING_SKIPPED").is_none(), "{shell} is not installed");
    is_installed
}

#[test]
fn bash_completes_values_of_commands_and_options() {
    let place = Place::new("bash");
    let script = place.path("script");
    for (line, expected) in CASES.iter().chain(SEPARATED).chain(&[("paytend cal", &["call"][..])]) {
        let words: Vec<String> = line.split(' ').map(|word| format!("'{word}'")).collect();
        let last = words.len() - 1;
        let program = format!(
            "source {script}; COMP_WORDBREAKS=$' \\t\\n\"\\'><=;|&(:'; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; \
             COMP_WORDS=({}); COMP_CWORD={last}; _paytend_values paytend {} {}; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.join(" "),
            words[last],
            words[last - 1],
        );
        assert_eq!(place.lines("bash", &["--norc", "-c", &program]), *expected, "{line}");
    }
}

#[test]
fn bash_completes_at_its_prompt() {
    let place = Place::new("bash");
    let mut shell = Command::new("bash");
    place.prepare(shell.args(["--norc", "--noprofile", "-i"]).env("PS1", "prompt> ").env("INPUTRC", "/dev/null"));
    let mut terminal = Terminal::start(&mut shell);
    terminal.expect("prompt> ");
    terminal.type_line(&format!("source {}; echo load''ed", place.path("script")));
    terminal.expect("loaded");
    terminal.type_text("paytend call topup -f ord\t");
    terminal.expect("-f orderNo=");
    // No space is added after a field, so that its value can be typed.
    terminal.type_text("T-1 --profile sta\t");
    terminal.expect("orderNo=T-1 --profile staging ");
    terminal.type_line("\u{15}exit");
    assert_eq!(terminal.wait(), Some(0));
}

#[test]
fn fish_completes_values_of_commands_and_options() {
    if !is_installed("fish") {
        return;
    }
    let place = Place::new("fish");
    for (line, expected) in CASES {
        let program = format!("source {}; complete -C '{line}'", place.path("script"));
        let lines = place.lines("fish", &["--no-config", "-c", &program]);
        let values: BTreeSet<&str> = lines.iter().filter_map(|line| line.split('\t').next()).collect();
        assert_eq!(values, expected.iter().copied().collect(), "{line}");
    }
}

#[test]
fn zsh_completes_values_of_commands_and_options() {
    if !is_installed("zsh") {
        return;
    }
    let place = Place::new("zsh");
    // The names of settings come from the generated function, which needs zsh's completion system. This script replaces
    // that system with simple functions, so these cases are left out.
    for (line, expected) in CASES.iter().filter(|(line, _)| !line.contains("config set")) {
        let words: Vec<String> = line.split(' ').map(|word| format!("'{word}'")).collect();
        let program = format!(
            "compdef() {{}}; compadd() {{ while [[ $1 != -- ]]; do shift; done; shift; print -l -- \"$@\" }}; \
             source {}; words=({}); CURRENT={}; _paytend_values",
            place.path("script"),
            words.join(" "),
            words.len()
        );
        assert_eq!(place.lines("zsh", &["-f", "-c", &program]), *expected, "{line}");
    }
    // The completion system loads the script as the function `_paytend`.
    let program = format!(
        "mkdir {0}/functions; cp {0}/script {0}/functions/_paytend; fpath=({0}/functions $fpath); \
         autoload -Uz compinit; compinit -D -u; print -- $_comps[paytend]",
        Path::new(&place.path("")).display()
    );
    assert_eq!(place.lines("zsh", &["-f", "-c", &program]), ["_paytend"]);
}

/// `complete-values` prints neither values nor errors, because errors would disturb the command line.
#[test]
fn nothing_is_completed_for_unknown_positions_or_invalid_files() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("config.toml");
    std::fs::write(&broken, "not TOML").unwrap();
    for words in [
        &["paytend"][..],
        &[],
        &["paytend", "call", "--profile", ""],
        &["paytend", "call", "nothing", "-f", ""],
        &["paytend", "call", "/a/path", "-f", ""],
        &["paytend", "nothing", ""],
        &["paytend", "call", "topup", "--no-such-option="],
        &["paytend", "trigger", "nothing", "--set", "é"],
        &["paytend", "call", "--"],
        &["paytend", "keys", "inspect", ""],
    ] {
        let mut call = command();
        call.args(["complete-values", "--"]).args(words).env("PAYTEND_CONFIG", &broken);
        let ran = finish(&mut call, b"");
        assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (0, "", ""), "{words:?}");
    }
}
