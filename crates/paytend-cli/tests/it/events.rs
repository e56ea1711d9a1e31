//! Tests for `paytend events` and `paytend sandbox resend` on a sandbox's deliveries, and for `listen --profile`.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::listen::Lines;
use crate::pty::Terminal;
use crate::running::RunningSandbox;
use crate::schema::checked;
use crate::support::{Keys, RunOutput, command, finish, run};

/// A sandbox, and a listener whose keys are in a profile.
struct Place {
    sandbox: RunningSandbox,
    listener: Lines,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys").to_str().unwrap().to_owned();
        let sandbox = RunningSandbox::start(&["--keys", &keys, "--timing", "instant"]);
        let config = folder.path().join("config.toml");
        let init = ["config", "init", "local", "--from-sandbox", &keys];
        assert_eq!(finish(command().args(init).env("PAYTEND_CONFIG", &config), b"").code, 0);
        let mut listen = command();
        listen.args(["listen", "--profile", "local"]).env("PAYTEND_CONFIG", config);
        Self { sandbox, listener: Lines::of(&mut listen), folder }
    }

    fn keys(&self) -> String {
        self.folder.path().join("keys").to_str().unwrap().to_owned()
    }

    fn control_url(&self) -> String {
        self.sandbox.url("control_url")
    }

    /// Sets the callback URLs of all senders to the listener.
    fn connect(&self) {
        let ready = checked("listen-ready", &self.listener.wait_for(1)[0]);
        for (sender, path) in
            [("baas", "paytend/baas"), ("issuing", "paytend/issuing"), ("payby", "payby"), ("payermax", "payermax")]
        {
            let url = format!("{}/{path}", ready["url"].as_str().unwrap());
            let set = run(&["sandbox", "callback", sender, &url, "--url", &self.control_url()], b"");
            assert_eq!(set.code, 0, "{}", set.stderr);
        }
    }

    fn trigger(&self, event: &str) -> RunOutput {
        run(&["trigger", event, "--sandbox", &self.control_url()], b"")
    }

    fn events(&self, args: &[&str]) -> RunOutput {
        run(&[&["events"], args, &["--sandbox", &self.control_url(), "--json"]].concat(), b"")
    }
}

#[test]
fn sandbox_deliveries_can_be_listed_shown_and_resent() {
    let place = Place::new();
    // No callback URL is set yet, so this notification is not posted.
    assert_eq!(place.trigger("payby.transfer-to-bank").code, 6);
    place.connect();
    for event in ["baas.fund-deposit", "payby.transfer-to-bank", "payermax.balance-change"] {
        let sent = place.trigger(event);
        assert_eq!(sent.code, 0, "{event}: {}", sent.stderr);
    }
    let listed = place.events(&["list"]).stdout;
    let listed: Vec<Value> = listed.lines().map(|line| checked("events-sandbox", line)).collect();
    let states: Vec<&str> = listed.iter().map(|line| line["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["no_url", "acknowledged", "acknowledged", "acknowledged"]);
    assert_eq!((&listed[1]["route"], &listed[1]["notify_type"]), (&json!("paytend:baas"), &json!("2")));
    assert_eq!(place.events(&["list", "--kind", "transfer-to-bank"]).stdout.lines().count(), 2);
    let shown = checked("events-sandbox", &place.events(&["show", "2"]).stdout);
    assert_eq!(shown["content"]["currency"], "EUR");
    // The notifications are sent again in the specified order, even if one of them is not acknowledged.
    let resent = place.events(&["resend", "2", "1"]);
    let lines: Vec<Value> = resent.stdout.lines().map(|line| checked("events-resend", line)).collect();
    assert_eq!(
        lines,
        [json!({"id": 2, "status": 200, "acknowledged": true}), json!({"id": 1, "status": 200, "acknowledged": true})]
    );
    let elsewhere = place.events(&["resend", "3", "4", "--to", "http://127.0.0.1:1/"]);
    assert_eq!((elsewhere.code, elsewhere.stdout.lines().count()), (6, 2), "{}", elsewhere.stderr);
    assert!(elsewhere.stderr.contains("2 notifications"), "{}", elsewhere.stderr);
    // The listener received five notifications: three when the events were triggered, and two from resending. Only
    // delivery 2 was a duplicate, because delivery 1 had not been posted before.
    let received = place.listener.wait_for(6).iter().skip(1).map(|line| checked("listen", line)).collect::<Vec<_>>();
    assert_eq!(received.iter().filter(|line| line["duplicate"] == true).count(), 1, "{received:?}");

    let keys = place.keys();
    let resend = |args: &[&str]| run(&[&["sandbox", "resend"], args, &["--keys", &keys]].concat(), b"");
    let again = resend(&["2"]);
    assert_eq!((again.code, &*again.stdout), (0, "2  baas 2  → 200, acknowledged\n"), "{}", again.stderr);
    let failed = resend(&["2", "--to", "http://127.0.0.1:1/", "--json"]);
    assert_eq!((failed.code, checked("events-resend", &failed.stdout)["status"].clone()), (6, json!(0)));
    for (args, code, part) in
        [(&["9"][..], 6, "unknown delivery"), (&["2", "--to", "ftp://host/"], 6, "http or https"), (&["two"], 2, "two")]
    {
        let ran = resend(args);
        assert!(ran.code == code && ran.stderr.contains(part), "{args:?}: {} {}", ran.code, ran.stderr);
    }
    for args in [&["list", "--inbox", "x"][..], &["resend", "1", "--keys", &keys], &["resend"]] {
        assert_eq!(place.events(args).code, 2, "{args:?}");
    }
    let both = run(&["events", "resend", "1", "--inbox", "x"], b"");
    assert!(both.code == 2 && both.stderr.contains("--to"), "{}", both.stderr);
}

#[test]
fn tail_prints_new_deliveries_even_after_a_reset() {
    let place = Place::new();
    place.connect();
    assert_eq!(place.trigger("baas.fund-deposit").code, 0);
    let tail = Lines::start(&["events", "tail", "--sandbox", &place.control_url(), "--json"]);
    // `tail` prints only deliveries that are created after it has started. When this is the case is not known, so
    // deliveries are created until one is printed.
    let wait_for = |count: usize| {
        let start = Instant::now();
        while tail.lines.lock().unwrap().len() < count {
            assert!(start.elapsed() < Duration::from_secs(60), "{:?}", tail.lines.lock().unwrap());
            assert_eq!(place.trigger("payby.transfer-to-bank").code, 0);
        }
        tail.lines.lock().unwrap().clone()
    };
    let first = checked("events-sandbox", &wait_for(1)[0]);
    assert_eq!((&first["kind"], first["id"].as_u64() > Some(1)), (&json!("transfer-to-bank"), true));
    assert_eq!(run(&["control", "--url", &place.control_url(), "reset"], b"").code, 0);
    place.connect();
    let known = tail.lines.lock().unwrap().len();
    assert_eq!(checked("events-sandbox", &wait_for(known + 1)[known])["id"], 1);
}

/// Without these options, `listen` uses the default profile. Here, there is none.
#[test]
fn listen_without_keys_fails_and_names_the_options() {
    let ran = run(&["listen"], b"");
    assert!(ran.code == 3 && ran.stderr.contains("pass --profile NAME or --keys DIR"), "{}", ran.stderr);
    let mut unknown: Command = command();
    let ran = finish(unknown.args(["listen", "--profile", "none"]), b"");
    assert!(ran.code == 3 && ran.stderr.contains("no profile `none`"), "{}", ran.stderr);
    assert_eq!(run(&["listen", "--profile", "none", "--keys", "keys"], b"").code, 2);
}

/// Without a profile, environment variables are sufficient, as in other commands.
#[test]
fn listener_reads_its_keys_from_the_environment() {
    let keys = Keys::new();
    let mut listen = command();
    listen.arg("listen").env("PAYTEND_BASE_URL", "https://one.example");
    listen.env("PAYTEND_PARTNER_ID", paytend_vectors::PARTNER_ID);
    listen.env("PAYTEND_PRIVATE_KEY_FILE", keys.path("partner.pem"));
    listen.env("PAYTEND_PUBLIC_KEY_FILE", keys.path("paytend.pub"));
    let ready = checked("listen-ready", &Lines::of(&mut listen).wait_for(1)[0]);
    let routes = json!({"/paytend/baas": "paytend:baas", "/paytend/issuing": "paytend:issuing"});
    assert_eq!(ready["routes"], routes);
}

/// Starts a receiver that refuses notifications. It responds to a notification only when the returned sender sends a
/// message.
fn held_receiver() -> (String, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (release, released) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 8192]);
            if released.recv().is_err() {
                return;
            }
            let _ = stream.write_all(b"HTTP/1.1 500 Error\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        }
    });
    (url, release)
}

#[test]
fn progress_is_shown_only_on_a_terminal() {
    let place = Place::new();
    for _ in 0..2 {
        assert_eq!(place.trigger("payby.transfer-to-bank").code, 6);
    }
    let (url, release) = held_receiver();
    let control_url = place.control_url();
    let resend = ["events", "resend", "1", "2", "--sandbox", &control_url, "--to", &url];
    let mut terminal = Terminal::start(command().args(resend));
    terminal.expect("resent 0 of 2");
    release.send(()).unwrap();
    terminal.expect("resent 1 of 2");
    release.send(()).unwrap();
    assert_eq!(terminal.wait(), Some(6));
    terminal.expect("2 notifications");
    for _ in 0..2 {
        release.send(()).unwrap();
    }
    let piped = run(&resend, b"");
    assert_eq!((piped.code, piped.stderr.lines().count()), (6, 1), "{}", piped.stderr);
}
