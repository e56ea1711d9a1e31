//! Tests for `paytend listen`, `trigger` and `events`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use http::StatusCode;
use serde_json::Value;

use crate::inbox_service::{Workplace, runtime};
use crate::schema::checked;
use crate::support::{RunOutput, command, run, set_mode};

const EVENTS: &[(&str, &str)] = &[
    ("baas.account-opening", "/paytend/baas"),
    ("baas.fund-deposit", "/paytend/baas"),
    ("baas.user-status-change", "/paytend/baas"),
    ("baas.payment-failure", "/paytend/baas"),
    ("baas.user-upgrade", "/paytend/baas"),
    ("baas.transfer-order", "/paytend/baas"),
    ("issuing.card-transaction", "/paytend/issuing"),
    ("issuing.cardholder-audit", "/paytend/issuing"),
    ("issuing.apply-card-result", "/paytend/issuing"),
    ("payby.transfer-to-bank", "/payby"),
    ("payermax.balance-change", "/payermax"),
];

/// A running command that prints lines of JSON, and is killed on drop.
pub(crate) struct Lines {
    pub(crate) process: Child,
    pub(crate) lines: Arc<Mutex<Vec<String>>>,
}

impl Lines {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::of(command().args(args))
    }

    pub(crate) fn of(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let (stdout, lines) = (process.stdout.take().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let to = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                to.lock().unwrap().push(line);
            }
        });
        Self { process, lines }
    }

    /// Waits until at least `count` lines are printed, and returns all lines.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<String> {
        let start = Instant::now();
        loop {
            let lines = self.lines.lock().unwrap().clone();
            if lines.len() >= count {
                return lines;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "{lines:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A running `paytend listen`.
struct Listener {
    lines: Lines,
    url: String,
    keys: String,
}

impl Listener {
    fn start(place: &Workplace, args: &[&str]) -> Self {
        let keys = place.path("keys").to_str().unwrap().to_owned();
        let lines = Lines::start(&[&["listen", "--keys", &keys], args].concat());
        let ready: Value = serde_json::from_str(&lines.wait_for(1)[0]).unwrap();
        assert_eq!(ready["routes"]["/payermax"], "payermax");
        Self { lines, url: ready["url"].as_str().unwrap().to_owned(), keys }
    }

    fn trigger(&self, event: &str, args: &[&str]) -> RunOutput {
        let path = EVENTS.iter().find(|(name, _)| *name == event).unwrap().1;
        let url = format!("{}{path}", self.url);
        run(&[&["trigger", event, "--to", &url, "--keys", &self.keys], args].concat(), b"")
    }

    /// Waits until `count` lines follow the ready line, and returns all lines after the ready line.
    fn printed(&self, count: usize) -> Vec<Value> {
        self.lines.wait_for(count + 1).iter().skip(1).map(|line| checked("listen", line)).collect()
    }
}

#[test]
fn each_event_is_received_and_acknowledged() {
    let place = Workplace::new();
    let listener = Listener::start(&place, &[]);
    for (count, (event, _)) in EVENTS.iter().enumerate() {
        let sent = listener.trigger(event, &["--json"]);
        assert_eq!(sent.code, 0, "{event}: {} {}", sent.stdout, sent.stderr);
        let sent = checked("trigger", &sent.stdout);
        let received = listener.printed(count + 1)[count].clone();
        assert_eq!((&sent["acknowledged"], &received["status"]), (&true.into(), &200.into()));
        let kind = event.split_once('.').unwrap().1;
        assert_eq!((&received["event"], &received["kind"]), (&"received".into(), &kind.into()));
        assert_eq!(received["id"], sent["id"], "{event}");
        let amount = match *event {
            "baas.fund-deposit" | "baas.transfer-order" => Value::from("1250.07"),
            "issuing.card-transaction" => "12.50".into(),
            "payby.transfer-to-bank" => "100.25".into(),
            "payermax.balance-change" => "448.13".into(),
            _ => Value::Null,
        };
        assert_eq!(received["amount"], amount, "{received}");
    }
    let listed = run(&["trigger", "--list", "--json"], b"").stdout;
    let names: Vec<Value> = listed.lines().map(|line| checked("trigger-list", line)["event"].clone()).collect();
    assert_eq!(names, EVENTS.iter().map(|(name, _)| Value::from(*name)).collect::<Vec<_>>());
}

#[test]
fn trigger_sets_fields_and_repeats_notifications() {
    let place = Workplace::new();
    let listener = Listener::start(&place, &["--only", "fund-deposit"]);
    let set = ["--set", "amount=12.340", "--set", "transactionId=T-17", "--times", "2"];
    let sent = listener.trigger("baas.fund-deposit", &set);
    assert_eq!((sent.code, sent.stdout.lines().count()), (0, 2), "{}", sent.stderr);
    assert!(sent.stdout.contains("baas.fund-deposit  T-17  → 200, acknowledged"), "{}", sent.stdout);
    // Notifications of other kinds are acknowledged, but not printed.
    assert_eq!(listener.trigger("baas.user-upgrade", &[]).code, 0);
    let sent = listener.trigger("baas.fund-deposit", &["--duplicate", "--json"]);
    let sent: Vec<Value> = sent.stdout.lines().map(|line| checked("trigger", line)).collect();
    assert_eq!((&sent[0]["id"], &sent[1]["duplicate"]), (&sent[1]["id"], &true.into()));
    let printed = listener.printed(4);
    assert_eq!(printed.len(), 4);
    assert_eq!((&printed[0]["id"], &printed[0]["amount"]), (&"T-17".into(), &"12.340".into()));
    let duplicates: Vec<&Value> = printed.iter().map(|line| &line["duplicate"]).collect();
    assert_eq!(duplicates, [false, false, false, true]);
}

#[test]
fn corrupt_notifications_are_refused_and_explained() {
    let place = Workplace::new();
    let listener = Listener::start(&place, &[]);
    let mut count = 0;
    for event in ["baas.fund-deposit", "payby.transfer-to-bank", "payermax.balance-change"] {
        for how in ["signature", "content", "key", "truncate", "whitespace"] {
            let sent = listener.trigger(event, &["--corrupt", how, "--json"]);
            if (event, how) == ("baas.fund-deposit", "whitespace") {
                assert!(sent.code == 2 && sent.stderr.contains("PayBy and PayerMax"), "{}", sent.stderr);
                continue;
            }
            assert_eq!(sent.code, 0, "{event} {how}: {} {}", sent.stdout, sent.stderr);
            assert_eq!(checked("trigger", &sent.stdout)["acknowledged"], false);
            count += 1;
            let refused = listener.printed(count)[count - 1].clone();
            assert_eq!((&refused["event"], &refused["status"]), (&"refused".into(), &400.into()), "{refused}");
            let findings = refused["findings"].to_string();
            assert!(findings.len() > 10, "{event} {how}: {refused}");
            let expected = if how == "whitespace" { "whitespace" } else { "" };
            assert!(findings.contains(expected), "{event} {how}: {findings}");
        }
    }
}

/// Starts a server that responds to every request with the given status and body, and returns its URL.
async fn server(status: StatusCode, body: &'static str) -> String {
    let app = Router::new().route("/", post(move || async move { (status, body) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

#[test]
fn exit_code_of_trigger_depends_on_the_acknowledgement() {
    let place = Workplace::new();
    let keys = place.path("keys").to_str().unwrap().to_owned();
    let runtime = runtime();
    let acknowledges = runtime.block_on(server(StatusCode::OK, "{ \"status\": \"00\", \"msg\": \"success\" }"));
    let fails = runtime.block_on(server(StatusCode::OK, "OK"));
    let trigger = |args: &[&str]| run(&[&["trigger", "baas.fund-deposit", "--keys", &keys], args].concat(), b"");
    for (args, code, part) in [
        (&["--to", &*acknowledges][..], 0, ""),
        (&["--to", &fails], 6, "did not acknowledge 1"),
        (&["--to", &acknowledges, "--corrupt", "content", "--times", "2"], 1, "acknowledged 2 corrupt"),
        (&["--to", &fails, "--corrupt", "content"], 0, ""),
        (&["--to", "http://127.0.0.1:1/"], 5, "cannot connect"),
        (&["--to", &acknowledges, "--set", "amuont=1"], 2, "did you mean `amount`?"),
        (&["--to", "nowhere"], 2, "--to"),
        (&[], 2, "--to"),
    ] {
        let ran = trigger(args);
        assert!(ran.code == code && ran.stderr.contains(part), "{args:?}: {} {}", ran.code, ran.stderr);
    }
    // Error messages do not contain credentials and tokens from the URL.
    let ran = trigger(&["--to", "http://user:CANARY@127.0.0.1:1/hook?token=CANARY"]);
    assert!(ran.code == 5 && ran.stderr.contains("127.0.0.1:1/hook"), "{}", ran.stderr);
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("CANARY"), "{}", ran.stderr);
    // If the output is a closed pipe, the notifications are still sent, and the exit code still reports the result.
    for (url, code) in [(&acknowledges, 0), (&fails, 6)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let args = ["trigger", "baas.fund-deposit", "--keys", &keys, "--to", url, "--times", "2"];
        let ran = command().args(args).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let stderr = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(code), "{stderr}");
        assert!(code == 0 || stderr.contains("did not acknowledge 2"), "{stderr}");
    }
    let empty = tempfile::tempdir().unwrap();
    let args = ["trigger", "payby.transfer-to-bank", "--to", &acknowledges, "--keys", empty.path().to_str().unwrap()];
    let ran = run(&args, b"");
    assert!(ran.code == 3 && ran.stderr.contains("payby-private.pem"), "{}", ran.stderr);
}

#[test]
fn listener_forwards_notifications_and_continues_after_a_failure() {
    let place = Workplace::new();
    let secret = place.path("secret");
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    set_mode(&secret, 0o600);
    let (statuses, bodies) = (Arc::new(Mutex::new(vec![StatusCode::BAD_GATEWAY])), Arc::new(Mutex::new(Vec::new())));
    let (answers, received) = (statuses.clone(), bodies.clone());
    let app = Router::new().route(
        "/",
        post(move |body: String| async move {
            received.lock().unwrap().push(body);
            answers.lock().unwrap().pop().unwrap_or(StatusCode::NO_CONTENT)
        }),
    );
    let runtime = runtime();
    let service = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}/", service.local_addr().unwrap());
    runtime.spawn(async move { axum::serve(service, app).await });
    let forward = ["--forward-to", &url, "--forward-secret-file", secret.to_str().unwrap(), "--only", "fund-deposit"];
    let listener = Listener::start(&place, &forward);
    assert_eq!(listener.trigger("baas.user-upgrade", &[]).code, 0);
    assert_eq!(listener.trigger("baas.fund-deposit", &["--set", "orderNo=F-1"]).code, 0);
    let printed = listener.printed(3);
    let events: Vec<&str> = printed.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["received", "forward_failed", "forwarded"], "{printed:?}");
    assert!(printed[1]["reason"].as_str().unwrap().contains("502"), "{}", printed[1]);
    let bodies = bodies.lock().unwrap();
    assert!(bodies.len() == 2 && bodies.iter().all(|body| body.contains("\"orderNo\":\"F-1\"")), "{bodies:?}");
}

#[test]
fn stored_notifications_can_be_listed_shown_followed_and_resent() {
    let place = Workplace::new();
    let file = place.path("kept.db").to_str().unwrap().to_owned();
    let listener = Listener::start(&place, &["--inbox", &file]);
    for number in ["T-1", "T-2"] {
        let set = format!("transactionId={number}");
        assert_eq!(listener.trigger("baas.fund-deposit", &["--set", &set, "--set", "amount=1.10"]).code, 0);
    }
    assert_eq!(listener.trigger("payby.transfer-to-bank", &[]).code, 0);
    let list = |args: &[&str]| {
        let ran = run(&[&["events", "list", "--inbox", &file, "--json"], args].concat(), b"");
        ran.stdout.lines().map(|line| checked("events", line)).collect::<Vec<_>>()
    };
    assert_eq!(list(&[]).len(), 3);
    let deposits = list(&["--kind", "fund-deposit"]);
    assert_eq!((deposits.len(), &deposits[1]["business_id"]), (2, &"T-2".into()));
    let store = format!("sqlite:{file}");
    assert_eq!(run(&["events", "list", "--store", &store], b"").stdout.lines().count(), 3);

    let show = run(&["events", "show", "1", "--inbox", &file, "--json"], b"");
    assert_eq!(checked("events", &show.stdout)["content"]["transactionId"], "T-1");
    assert!(show.stdout.contains("\"amount\":1.10"), "{}", show.stdout);

    let tail = Lines::start(&["events", "tail", "--inbox", &file, "--json"]);
    // `tail` prints only notifications that arrive after it has started, so notifications are sent until one is
    // printed.
    let start = Instant::now();
    while tail.lines.lock().unwrap().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60));
        assert_eq!(listener.trigger("baas.user-upgrade", &[]).code, 0);
    }
    assert_eq!(checked("events", &tail.wait_for(1)[0])["kind"], "user-upgrade");

    let before = list(&[]).len();
    let url = format!("{}/paytend/baas", listener.url);
    let resend = ["events", "resend", "1", "--inbox", &file, "--keys", &listener.keys, "--json"];
    let resent = run(&[&resend[..], &["--to", &url]].concat(), b"");
    assert_eq!(resent.code, 0, "{}", resent.stderr);
    assert_eq!(checked("events-resend", &resent.stdout)["acknowledged"], true);
    // The resent notification is a duplicate. The store updates the number of duplicates about a second later.
    let start = Instant::now();
    while list(&[])[0]["sightings"] == 0 {
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!((list(&[]).len(), &list(&[])[0]["sightings"]), (before, &1.into()));
    let unacknowledged = run(&[&resend[..], &["--to", &format!("{}/payby", listener.url)]].concat(), b"");
    assert_eq!(unacknowledged.code, 6, "{}", unacknowledged.stderr);
    for (args, code) in
        [(&["events", "show", "99", "--inbox", &file][..], 1), (&["events", "list", "--inbox", "/no/file"], 3)]
    {
        let ran = run(args, b"");
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
    }
    let both = run(&["events", "list", "--inbox", &file, "--store", &store], b"");
    assert_eq!(both.code, 2);
}

#[test]
fn invalid_options_of_listen_are_refused() {
    let place = Workplace::new();
    let keys = place.path("keys").to_str().unwrap().to_owned();
    let empty = tempfile::tempdir().unwrap();
    for (args, code, part) in [
        (&["--keys", &*keys, "--only", "fund-deposits"][..], 2, "did you mean `fund-deposit`?"),
        (&["--keys", empty.path().to_str().unwrap()], 3, "no keys"),
        (&["--keys", &keys, "--forward-to", "http://127.0.0.1:1"], 2, "--forward-secret-file"),
        (&[], 3, "--keys"),
    ] {
        let ran = run(&[&["listen"], args].concat(), b"");
        assert!(ran.code == code && ran.stderr.contains(part), "{args:?}: {} {}", ran.code, ran.stderr);
    }
}

#[cfg(unix)]
#[test]
fn listener_stops_after_a_signal_or_a_closed_pipe() {
    use rustix::process::{Pid, Signal, kill_process};
    let place = Workplace::new();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 0)] {
        let mut listener = Listener::start(&place, &[]);
        kill_process(Pid::from_child(&listener.lines.process), signal).unwrap();
        assert_eq!(listener.lines.process.wait().unwrap().code(), Some(code));
    }
    let keys = place.path("keys").to_str().unwrap().to_owned();
    let mut process = command().args(["listen", "--keys", &keys]).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(process.stdout.take().unwrap());
    let mut ready = String::new();
    stdout.read_line(&mut ready).unwrap();
    drop(stdout);
    let ready: Value = serde_json::from_str(&ready).unwrap();
    let url = format!("{}/payby", ready["url"].as_str().unwrap());
    // The command notices the closed pipe when it prints a line. Several lines can be needed, because a process started
    // by another test can briefly hold the pipe open.
    let start = Instant::now();
    let status = loop {
        if let Some(status) = process.try_wait().unwrap() {
            break status;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "the command has not ended");
        run(&["trigger", "payby.transfer-to-bank", "--to", &url, "--keys", &keys], b"");
    };
    assert_eq!(status.code(), Some(0));
}

#[cfg(unix)]
#[test]
fn listener_prints_its_urls_and_coloured_lines_on_a_terminal() {
    use crate::pty::Terminal;
    let place = Workplace::new();
    let keys = place.path("keys").to_str().unwrap().to_owned();
    let terminal = Terminal::start(command().args(["listen", "--keys", &keys]));
    terminal.expect("Ctrl-C stops the command.");
    let shown = terminal.shown();
    let url = shown.split_whitespace().find(|word| word.ends_with("/paytend/baas")).expect(&shown).to_owned();
    assert!(url.starts_with("http://127.0.0.1:"), "{shown}");
    let set = ["--set", "transactionId=T-17"];
    let args = ["trigger", "baas.fund-deposit", "--to", &url, "--keys", &keys];
    assert_eq!(run(&[&args[..], &set].concat(), b"").code, 0);
    terminal.expect("fund-deposit        T-17  1250.07 EUR  → \u{1b}[32m200");
}
