//! Tests for how `paytend listen` stops, and for its warnings about notifications that are lost or not forwarded.

use std::io::{BufRead, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use http::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::inbox_service::{Workplace, client, post as post_request, runtime};
use crate::schema::checked;
use crate::support::{command, run, set_mode};

/// A running `paytend listen`, which is killed on drop.
struct Running {
    process: Option<Child>,
    stdout: Box<dyn BufRead + Send>,
    url: String,
}

impl Running {
    fn start(args: &[&str]) -> Self {
        let mut listen = command();
        listen.arg("listen").args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = listen.spawn().unwrap();
        let stdout = process.stdout.take().unwrap();
        Self::of(process, Box::new(BufReader::new(stdout)))
    }

    /// Starts the command with a socket as its standard output. Also returns a function that fills the socket. Writes
    /// of the command then fail, or block if its argument is true.
    fn start_on_socket(args: &[&str]) -> (Self, impl FnMut(bool) + use<>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let mut filler = theirs.try_clone().unwrap();
        let mut listen = command();
        listen.arg("listen").args(args).stdout(Stdio::from(OwnedFd::from(theirs))).stderr(Stdio::piped());
        let running = Self::of(listen.spawn().unwrap(), Box::new(BufReader::new(ours)));
        let fill = move |then_block: bool| {
            while filler.write(&[b'\n'; 4096]).is_ok() {}
            filler.set_nonblocking(!then_block).unwrap();
        };
        (running, fill)
    }

    fn of(process: Child, mut stdout: Box<dyn BufRead + Send>) -> Self {
        let mut ready = String::new();
        stdout.read_line(&mut ready).unwrap();
        let url = checked("listen-ready", &ready)["url"].as_str().unwrap().to_owned();
        Self { process: Some(process), stdout, url }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.process.as_ref().unwrap()), signal).unwrap();
    }

    /// Waits until the command has ended, and returns its exit code and standard error.
    fn wait(mut self) -> (Option<i32>, String) {
        let ended = self.process.take().unwrap().wait_with_output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    }

    fn stop(self) -> (Option<i32>, String) {
        self.signal(Signal::INT);
        self.wait()
    }

    /// Returns the next printed line.
    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        checked("listen", &line)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// The keys, and a secret that signs forwarded notifications.
struct Place(Workplace);

impl Place {
    fn new() -> Self {
        let place = Workplace::new();
        let secret = place.path("secret");
        std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        set_mode(&secret, 0o600);
        Self(place)
    }

    fn path(&self, name: &str) -> String {
        self.0.path(name).to_str().unwrap().to_owned()
    }

    fn listen(&self, args: &[&str]) -> Running {
        Running::start(&[&["--keys", &self.path("keys")], args].concat())
    }

    fn forward(&self, to: &str, args: &[&str]) -> Running {
        Running::start(&[&self.forward_args(to).each_ref().map(String::as_str), args].concat())
    }

    fn forward_args(&self, to: &str) -> [String; 6] {
        let [keys, secret] = ["keys", "secret"].map(|name| self.path(name));
        ["--keys", &keys, "--forward-to", to, "--forward-secret-file", &secret].map(str::to_owned)
    }

    fn trigger(&self, listener: &Running, event: &str) {
        let url = format!("{}/paytend/baas", listener.url);
        let sent = run(&["trigger", event, "--to", &url, "--keys", &self.path("keys")], b"");
        assert_eq!(sent.code, 0, "{}", sent.stderr);
    }

    /// Posts notifications whose signatures belong to different bodies. Searching for the change takes long, so several
    /// refusals have to wait.
    fn post_changed(&self, listener: &Running) {
        let url = format!("{}/payby", listener.url);
        runtime().block_on(async {
            let (client, mut posts) = (client(), tokio::task::JoinSet::new());
            for number in 0..COUNT {
                let mut request = self.0.signed("payby", format!(r#"{{"notify_id":"{number}"}}"#));
                *request.body_mut() = format!(r#"{{"notify_id":"{}","memo":"changed"}}"#, number + COUNT).into();
                let (client, url) = (client.clone(), url.clone());
                posts.spawn(async move { post_request(&client, &url, request).await });
            }
            assert_eq!(posts.join_all().await, [400; COUNT]);
        });
    }
}

/// The number of notifications in tests of refusals.
const COUNT: usize = 8;

/// A service that counts requests and responds with a status.
fn service(runtime: &tokio::runtime::Runtime, status: StatusCode) -> (String, Arc<Mutex<usize>>) {
    let count = Arc::new(Mutex::new(0));
    let counted = count.clone();
    let app = Router::new().route(
        "/",
        post(move || async move {
            *counted.lock().unwrap() += 1;
            status
        }),
    );
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    runtime.spawn(async move { axum::serve(listener, app).await });
    (url, count)
}

fn wait_until(what: &str, is_true: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn notifications_that_are_not_forwarded_are_reported_at_the_end() {
    let (place, runtime) = (Place::new(), runtime());
    let (failing, _) = service(&runtime, StatusCode::BAD_GATEWAY);
    let in_memory = place.forward(&failing, &[]);
    place.trigger(&in_memory, "baas.fund-deposit");
    place.trigger(&in_memory, "baas.user-upgrade");
    let (code, stderr) = in_memory.stop();
    assert!(code == Some(130) && stderr.contains("are lost now: 2. Pass --inbox FILE"), "{code:?} {stderr}");
    // With `--only`, the other notification does not count, because it would never be forwarded.
    let only = place.forward(&failing, &["--only", "fund-deposit"]);
    place.trigger(&only, "baas.fund-deposit");
    place.trigger(&only, "baas.user-upgrade");
    let (_, stderr) = only.stop();
    assert!(stderr.contains("are lost now: 1."), "{stderr}");

    let file = place.path("kept.db");
    let stored = place.forward(&failing, &["--inbox", &file]);
    place.trigger(&stored, "baas.fund-deposit");
    place.trigger(&stored, "baas.user-upgrade");
    let (code, stderr) = stored.stop();
    assert!(code == Some(130) && stderr.contains(&format!("not forwarded: 2. {file} keeps them")), "{code:?} {stderr}");
    // A later run forwards both notifications, so it has nothing to report when it stops.
    let (working, count) = service(&runtime, StatusCode::NO_CONTENT);
    let later = place.forward(&working, &["--inbox", &file]);
    wait_until("the notifications are forwarded", || *count.lock().unwrap() == 2);
    let (code, stderr) = later.stop();
    assert_eq!((code, &*stderr), (Some(130), ""));
}

/// The notifications that `--only` leaves out would stay in the file, but a later run would not forward them.
#[test]
fn only_cannot_be_used_with_inbox_and_forward_to() {
    let place = Place::new();
    let [keys, secret, file] = ["keys", "secret", "kept.db"].map(|name| place.path(name));
    let args = ["listen", "--keys", &keys, "--forward-to", "http://127.0.0.1:1/", "--forward-secret-file", &secret];
    // The output is a closed pipe, so that the command ends even if it wrongly accepts the options.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut listen = command();
    listen.args(args).args(["--inbox", &file, "--only", "fund-deposit"]).stdout(writer).stderr(Stdio::piped());
    let ran = listen.output().unwrap();
    let stderr = String::from_utf8(ran.stderr).unwrap();
    assert!(ran.status.code() == Some(2) && stderr.contains("--only cannot be used with --inbox"), "{stderr}");
    assert!(!std::path::Path::new(&file).exists());
}

/// The service to which a notification is forwarded never responds, so the command waits for it after the first signal.
#[test]
fn second_interrupt_ends_the_command_immediately() {
    let place = Place::new();
    let (url, accept) = silent_receiver();
    let listener = place.forward(&url, &[]);
    place.trigger(&listener, "baas.fund-deposit");
    let _held = accept.recv_timeout(Duration::from_secs(60)).unwrap();
    listener.signal(Signal::INT);
    assert_ends_after_interrupt(listener);
}

/// After the output has failed, the command also waits for the receiver. The first interrupt then ends it.
#[test]
fn interrupt_after_failed_output_ends_the_command_immediately() {
    let place = Place::new();
    let (url, accept) = silent_receiver();
    let args = place.forward_args(&url);
    let (listener, mut fill) = Running::start_on_socket(&args.each_ref().map(String::as_str));
    place.trigger(&listener, "baas.fund-deposit");
    let _held = accept.recv_timeout(Duration::from_secs(60)).unwrap();
    fill(false);
    place.trigger(&listener, "baas.user-upgrade");
    assert_ends_after_interrupt(listener);
}

/// The output is full and is not read, so the explained refusals cannot be printed.
#[test]
fn interrupts_end_the_command_while_its_output_is_blocked() {
    let place = Place::new();
    let (listener, mut fill) = Running::start_on_socket(&["--keys", &place.path("keys")]);
    fill(true);
    place.post_changed(&listener);
    listener.signal(Signal::INT);
    assert_ends_after_interrupt(listener);
}

/// A request to terminate, without an interrupt, also ends the command while its output is blocked.
#[test]
fn termination_ends_the_command_while_its_output_is_blocked() {
    let place = Place::new();
    let (listener, mut fill) = Running::start_on_socket(&["--keys", &place.path("keys")]);
    fill(true);
    place.post_changed(&listener);
    listener.signal(Signal::TERM);
    assert_eq!(ends(listener), (Some(0), String::new()));
}

/// Returns the URL of a receiver that does not respond, and the connections to it.
fn silent_receiver() -> (String, mpsc::Receiver<std::io::Result<TcpStream>>) {
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", receiver.local_addr().unwrap());
    let (accepted, accept) = mpsc::channel();
    std::thread::spawn(move || receiver.incoming().for_each(|stream| drop(accepted.send(stream))));
    (url, accept)
}

/// Waits until the command has stopped listening, interrupts it, and checks that it ends soon.
fn assert_ends_after_interrupt(listener: Running) {
    let address = listener.url.trim_start_matches("http://").to_owned();
    wait_until("the command stops listening", || TcpStream::connect(&address).is_err());
    listener.signal(Signal::INT);
    // Without this signal, the command waits for 30 s.
    assert_eq!(ends(listener), (Some(130), String::new()));
}

/// Waits at most 20 s until the command has ended, and returns its exit code and standard error.
fn ends(listener: Running) -> (Option<i32>, String) {
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || ended.send(listener.wait()));
    end.recv_timeout(Duration::from_secs(20)).expect("the command has not ended")
}

/// Only a closed pipe is not a failure. Here, the output is a full socket, and writing to it fails like writing to a
/// full disk.
#[test]
fn listen_fails_if_its_output_cannot_be_written() {
    let place = Place::new();
    let (listener, mut fill) = Running::start_on_socket(&["--keys", &place.path("keys")]);
    fill(false);
    place.trigger(&listener, "baas.fund-deposit");
    let (code, stderr) = listener.wait();
    assert!(code == Some(1) && stderr.contains("cannot write its output"), "{code:?} {stderr}");
}

#[test]
fn listen_warns_if_real_keys_are_used_without_a_store() {
    let place = Place::new();
    let warned = "these keys are not known to be a sandbox's";
    let (_, stderr) = place.listen(&[]).stop();
    assert!(!stderr.contains(warned), "{stderr}");
    for provider in ["paytend", "payby", "payermax"] {
        std::fs::remove_file(place.path(&format!("keys/{provider}-private.pem"))).unwrap();
    }
    let (_, stderr) = place.listen(&[]).stop();
    assert!(stderr.contains(warned) && stderr.contains("--inbox FILE"), "{stderr}");
    let (_, stderr) = place.listen(&["--inbox", &place.path("kept.db")]).stop();
    assert!(!stderr.contains(warned), "{stderr}");
    // The profile's URL is not that of a sandbox.
    let [config, own, public] =
        ["config.toml", "keys/partner-private.pem", "keys/paytend-public.b64"].map(|name| place.path(name));
    let profile = format!("base_url = \"https://paytend.invalid\"\nprivate_key_file = \"{own}\"\n");
    let profile =
        format!("{profile}public_key_file = \"{public}\"\npartner_id = \"{}\"\n", paytend_vectors::PARTNER_ID);
    std::fs::write(&config, format!("[profiles.one]\n{profile}")).unwrap();
    let mut listen = command();
    listen.args(["listen", "--profile", "one"]).env("PAYTEND_CONFIG", config);
    // The output is a closed pipe, so that the command ends when it prints its first line.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = listen.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert!(stderr.contains(warned), "{stderr}");
}

#[test]
fn simultaneous_refusals_are_all_explained() {
    let place = Place::new();
    let mut listener = place.listen(&[]);
    place.post_changed(&listener);
    for _ in 0..COUNT {
        let refused = listener.line();
        assert_eq!(refused["event"], "refused");
        assert!(!refused["findings"].as_array().unwrap().is_empty(), "{refused}");
    }
}

/// When the command stops, refusals that wait for their explanation are printed without it.
#[test]
fn refusals_are_printed_before_the_command_ends() {
    let place = Place::new();
    let mut listener = place.listen(&[]);
    place.post_changed(&listener);
    listener.signal(Signal::INT);
    for _ in 0..COUNT {
        assert_eq!(listener.line()["event"], "refused");
    }
    assert_eq!(listener.wait(), (Some(130), String::new()));
}
