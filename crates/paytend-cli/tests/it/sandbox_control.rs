//! Tests for the subcommands of `paytend sandbox`, which control a running sandbox.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::running::RunningSandbox;
use crate::support::{RunOutput, command, finish, run};

/// A running sandbox with a frozen clock.
struct Controlled {
    sandbox: RunningSandbox,
    folder: tempfile::TempDir,
}

impl Controlled {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let arguments = ["--keys", keys.to_str().unwrap(), "--pace", "frozen", "--timing", "instant"];
        Self { sandbox: RunningSandbox::start(&arguments), folder }
    }

    fn keys(&self) -> String {
        self.folder.path().join("keys").to_str().unwrap().to_owned()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = command();
        command.arg("sandbox").args(args).args(["--keys", &self.keys()]);
        command
    }

    fn run(&self, args: &[&str]) -> RunOutput {
        finish(&mut self.command(args), b"")
    }

    fn json(&self, args: &[&str]) -> Value {
        let ran = self.run(&[args, &["--json"]].concat());
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap()
    }

    fn call(&self, args: &[&str]) -> RunOutput {
        run(&[&["call"], args, &["--keys", &self.keys()]].concat(), b"")
    }
}

#[test]
fn faults_can_be_set_listed_and_removed() {
    let controlled = Controlled::new();
    assert_eq!(controlled.run(&["fault", "list"]).stdout, "no faults\n");
    let set = controlled.run(&["fault", "set", "getPartnerBalance:html502:times=2"]);
    assert_eq!(set.stdout, "getPartnerBalance: html502, 100 %, 2 more times\n", "{}", set.stderr);
    controlled.run(&["fault", "set", "notify baas 2:late:60000:percent=50"]);
    let listed = controlled.json(&["fault", "list"]);
    assert_eq!(listed["faults"][1]["fault"]["millis"], 60_000);
    assert_eq!(controlled.call(&["getPartnerBalance", "--show", "wire"]).code, 7);
    assert_eq!(controlled.run(&["fault", "clear"]).stdout, "no faults\n");
    assert_eq!(controlled.call(&["getPartnerBalance"]).code, 0);
    let misspelled = controlled.run(&["fault", "set", "topup:resetAftr"]);
    assert!(misspelled.code == 2 && misspelled.stderr.contains("did you mean `resetAfter`?"), "{}", misspelled.stderr);
    let kinds = run(&["sandbox", "fault", "kinds"], b"").stdout;
    assert!(kinds.lines().count() == 17 && kinds.contains("resetAfter"), "{kinds}");
    let kinds = run(&["sandbox", "fault", "kinds", "--json"], b"").stdout;
    assert!(kinds.lines().all(|line| crate::schema::checked("fault-kinds", line)["effect"].is_string()));
}

/// `--keys` and `--url` take precedence over the variable, and an empty variable counts as not set.
#[test]
fn control_url_is_read_from_the_environment() {
    let controlled = Controlled::new();
    let url = controlled.sandbox.url("control_url");
    let with = |command: &mut Command, url: &str| finish(command.env("PAYTEND_CONTROL_URL", url), b"");
    let elsewhere = "http://127.0.0.1:1/_sandbox";
    for variable in [elsewhere, &url, ""] {
        let ran = with(&mut controlled.command(&["fault", "list"]), variable);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "no faults\n"), "{variable}: {}", ran.stderr);
        let ran = with(command().args(["control", "--url", &url, "state"]), variable);
        assert_eq!(ran.code, 0, "{variable}: {}", ran.stderr);
    }
    for args in [&["sandbox", "fault", "list"][..], &["control", "state"]] {
        assert_eq!(with(command().args(args), &url).code, 0, "{args:?}");
        assert_eq!(with(command().args(args), elsewhere).code, 5, "{args:?}");
        let empty = with(command().args(args), "");
        assert!(empty.code == 2 && empty.stderr.contains("PAYTEND_CONTROL_URL"), "{args:?}: {}", empty.stderr);
    }
    let both = with(&mut controlled.command(&["fault", "list", "--url", &url]), "");
    assert_eq!(both.code, 2);
}

/// A token is refused as an argument, because other users can read the arguments of a process.
#[test]
fn control_token_is_accepted_only_from_the_environment() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/_sandbox", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        head.join("\n")
    });
    let argument = run(&["control", "--url", &url, "--token", "CANARY", "state"], b"");
    assert!(argument.code == 2 && !argument.stderr.contains("CANARY"), "{}", argument.stderr);
    let control = ["control", "--url", &url, "state"];
    let ran = finish(command().args(control).env("PAYTEND_CONTROL_TOKEN", "CANARY"), b"");
    assert!(ran.code == 0 && ran.stdout == "{}\n", "{} {}", ran.stdout, ran.stderr);
    assert!(server.join().unwrap().to_lowercase().contains("authorization: bearer canary"));
}

#[test]
fn clock_can_be_advanced_frozen_and_accelerated() {
    let controlled = Controlled::new();
    let now = |value: Value| value["now"].as_i64().unwrap();
    let before = now(controlled.json(&["clock", "show"]));
    for (by, seconds) in [("90s", 90), ("15h", 54_000), ("3d", 259_200), ("1h30m", 5_400)] {
        let start = now(controlled.json(&["clock", "show"]));
        assert_eq!(now(controlled.json(&["clock", "advance", by])) - start, seconds * 1000, "{by}");
    }
    assert!(now(controlled.json(&["clock", "show"])) > before);
    assert_eq!(controlled.json(&["clock", "rate", "60"])["pace"]["accelerated"], 60);
    assert!(controlled.run(&["clock", "show"]).stdout.contains("pace 60 times real time"));
    assert_eq!(controlled.json(&["clock", "rate", "1"])["pace"], "real");
    assert_eq!(controlled.json(&["clock", "freeze"])["pace"], "frozen");
    for args in [&["clock", "advance", "soon"][..], &["clock", "advance", "0s"], &["clock", "rate", "0"]] {
        assert_eq!(controlled.run(args).code, 2, "{args:?}");
    }
}

#[test]
fn state_can_be_seeded_exported_and_imported() {
    let controlled = Controlled::new();
    let balance = || controlled.call(&["getPartnerBalance"]).stdout;
    let start = balance();
    let state = controlled.run(&["export"]);
    assert_eq!(controlled.run(&["seed", "--funds", "0.10"]).code, 0);
    assert!(start.contains("10000.00") && balance().contains("10000.10"), "{start} {}", balance());
    let file = controlled.folder.path().join("state.json");
    std::fs::write(&file, &state.stdout).unwrap();
    assert_eq!(controlled.run(&["import", file.to_str().unwrap()]).code, 0);
    assert_eq!(balance(), start);
    let broken = finish(&mut controlled.command(&["import", "-"]), b"{}");
    assert_eq!(broken.code, 6, "{}", broken.stderr);
    assert_eq!(controlled.run(&["seed", "--funds", "much"]).code, 2);
}

#[test]
fn callback_can_be_set_for_each_sender() {
    let controlled = Controlled::new();
    let senders = ["baas", "issuing", "payby", "payermax"];
    for sender in senders {
        let set = controlled.run(&["callback", sender, &format!("http://127.0.0.1:1/{sender}")]);
        assert_eq!((set.code, &*set.stdout), (0, ""), "{}", set.stderr);
    }
    let state = run(&["control", "--url", &controlled.sandbox.url("control_url"), "state"], b"").stdout;
    assert!(senders.iter().all(|sender| state.contains(&format!("127.0.0.1:1/{sender}"))), "{state}");
    assert_eq!(controlled.run(&["callback", "paypal", "http://127.0.0.1:1/"]).code, 2);
}

#[test]
fn triggered_events_are_executed_by_the_sandbox() {
    let controlled = Controlled::new();
    let keys = controlled.keys();
    let url = controlled.sandbox.url("control_url");
    let trigger = |args: &[&str]| run(&[&["trigger"], args, &["--sandbox", &url]].concat(), b"");
    let without_url = trigger(&["baas.fund-deposit"]);
    assert!(without_url.code == 6 && without_url.stderr.contains("paytend sandbox callback"), "{}", without_url.stderr);

    let mut listener = command();
    let mut listener = listener.args(["listen", "--keys", &keys]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(listener.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let receiver = next()["url"].as_str().unwrap().to_owned();
    assert_eq!(controlled.run(&["callback", "baas", &format!("{receiver}/paytend/baas")]).code, 0);
    let sent = trigger(&["baas.fund-deposit", "--set", "amount=12.340", "--json"]);
    assert_eq!(sent.code, 0, "{}", sent.stderr);
    let (sent, received) = (crate::schema::checked("trigger", &sent.stdout), next());
    assert_eq!((&sent["id"], &received["amount"]), (&received["id"], &"12.340".into()));
    let payby = format!("{receiver}/payby");
    let sent = trigger(&["payby.transfer-to-bank", "--to", &payby, "--times", "2"]);
    assert_eq!((sent.code, sent.stdout.lines().count()), (0, 2), "{} {}", sent.stdout, sent.stderr);
    assert_eq!((&next()["kind"], &next()["kind"]), (&"transfer-to-bank".into(), &"transfer-to-bank".into()));
    for (args, code, part) in [
        (&["baas.fund-deposit", "--set", "amuont=1"][..], 2, "did you mean `amount`?"),
        (&["baas.fund-deposit", "--set", "amount=much"], 2, "a number was expected"),
        (&["payby.transfer-to-bank"], 6, "paytend sandbox callback"),
        (&["baas.fund-deposit", "--corrupt", "content"], 2, "--corrupt"),
    ] {
        let ran = trigger(args);
        assert!(ran.code == code && ran.stderr.contains(part), "{args:?}: {} {}", ran.code, ran.stderr);
    }
    let _ = listener.kill();
    let _ = listener.wait();
}

#[test]
fn log_entries_can_be_listed_shown_and_followed() {
    let controlled = Controlled::new();
    assert_eq!(controlled.call(&["getPartnerBalance"]).code, 0);
    let list = controlled.run(&["logs", "show"]).stdout;
    assert!(list.lines().count() == 1 && list.contains("getPartnerBalance") && list.contains("call"), "{list}");
    let entry = controlled.json(&["logs", "show", "1"]);
    assert!(entry["sent"]["wire"].as_str().unwrap().contains("bizData"), "{entry}");
    assert_eq!(controlled.run(&["logs", "show", "99"]).code, 6);
    let mut command = controlled.command(&["logs", "tail", "--json"]);
    let mut tail = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    // `tail` opens the stream before it prints the earlier entry. From here on, it misses no entries.
    assert_eq!(next()["id"], 1);
    for id in 2..5 {
        assert_eq!(controlled.call(&["getPartnerBalance"]).code, 0);
        assert_eq!(next()["id"], id);
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&tail), rustix::process::Signal::INT).unwrap();
    assert_eq!(tail.wait().unwrap().code(), Some(130));
}

#[test]
fn scenarios_can_be_run_and_invalid_options_are_refused() {
    assert_eq!(run(&["sandbox", "scenario", "list"], b"").stdout, run(&["scenario"], b"").stdout);
    let scenario = run(&["sandbox", "scenario", "run", "topup-lost-response"], b"");
    assert_eq!(scenario.code, 0, "{}", scenario.stderr);
    for (args, code, part) in [
        (&["sandbox", "fault", "list"][..], 2, "--keys DIR"),
        (&["sandbox", "fault", "list", "--url", "http://127.0.0.1:1/_sandbox"], 5, ""),
        (&["sandbox", "fault", "list", "--keys", "/no/such/directory"], 3, "configuration file"),
        (&["sandbox"], 2, "--keys"),
        (&["sandbox", "callback", "baas", "http://127.0.0.1:1", "--url", "http://127.0.0.1:1"], 5, ""),
    ] {
        let ran = run(args, b"");
        assert!(ran.code == code && ran.stderr.contains(part), "{args:?}: {} {}", ran.code, ran.stderr);
    }
}

#[test]
fn sandbox_prints_its_urls_and_an_example_on_a_terminal() {
    use crate::pty::Terminal;
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("my keys");
    let terminal = Terminal::start(command().args(["sandbox", "--keys", keys.to_str().unwrap()]));
    terminal.expect("Ctrl-C stops the sandbox.");
    let shown = terminal.shown();
    let next = format!("paytend call getPartnerBalance --keys '{}'", keys.display());
    assert!(shown.contains(&next) && shown.contains("/_sandbox/ui"), "{shown}");
    assert_eq!(run(&["call", "getPartnerBalance", "--keys", keys.to_str().unwrap()], b"").code, 0);
    let json = Terminal::start(command().args(["sandbox", "--keys", keys.to_str().unwrap(), "--json"]));
    json.expect("{\"ready\":true");
}
