//! Tests for `paytend doctor`: each failed check reports the actual cause.

use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use paytend_crypto::rustcrypto;
use paytend_vectors::Seeded;
use serde_json::Value;

use crate::running::RunningSandbox;
use crate::schema::checked;
use crate::support::{command, finish, set_mode};

/// A running sandbox and its key directory.
pub(crate) struct Place {
    sandbox: RunningSandbox,
    pub(crate) folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let args = [&["--keys", keys.to_str().unwrap(), "--timing", "instant"], args].concat();
        Self { sandbox: RunningSandbox::start(&args), folder }
    }

    pub(crate) fn keys(&self, file: &str) -> PathBuf {
        self.folder.path().join("keys").join(file)
    }

    pub(crate) fn doctor(&self, args: &[&str]) -> Report {
        doctor(&mut self.command(args))
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = command();
        command.args(["doctor", "--json", "--keys", self.keys("").to_str().unwrap()]).args(args);
        command
    }

    /// Adds or replaces a setting in the sandbox's profile.
    pub(crate) fn set(&self, line: &str) {
        let path = self.keys("paytend.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let name = line.split(' ').next().unwrap();
        let kept = text.lines().filter(|line| !line.starts_with(&format!("{name} ")));
        let text: Vec<&str> = kept.chain([line]).collect();
        std::fs::write(path, text.join("\n")).unwrap();
    }
}

/// The result of `doctor --json`.
pub(crate) struct Report {
    code: i32,
    pub(crate) json: Value,
}

pub(crate) fn doctor(command: &mut Command) -> Report {
    let ran = finish(command, b"");
    Report { code: ran.code, json: checked("doctor", &ran.stdout) }
}

impl Report {
    /// Asserts that a check has this status and that its message contains this text.
    #[track_caller]
    pub(crate) fn expect(&self, name: &str, status: &str, part: &str) -> &Self {
        let check = self.json["checks"].as_array().unwrap().iter().find(|check| check["name"] == name);
        let check = check.unwrap_or_else(|| panic!("no check {name}: {}", self.json));
        let message = check["message"].as_str().unwrap();
        assert!(check["status"] == status && message.contains(part), "{name} {status} {part}: {}", self.json);
        assert_eq!(check["next"].is_null(), status == "ok", "{check}");
        let failed = self.json["checks"].as_array().unwrap().iter().any(|check| check["status"] == "fail");
        assert_eq!((self.code, &self.json["ok"]), (i32::from(failed), &(!failed).into()), "{}", self.json);
        self
    }

    /// Returns the next step of a check.
    pub(crate) fn next(&self, name: &str) -> String {
        let check = self.json["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap();
        check["next"].as_str().unwrap().to_owned()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.json["checks"].as_array().unwrap().iter().any(|check| check["name"] == name)
    }
}

#[test]
fn all_checks_pass_against_a_sandbox() {
    let place = Place::new(&["--bits", "2048"]);
    let report = place.doctor(&[]);
    assert_eq!(report.code, 0, "{}", report.json);
    for name in ["settings", "private key", "permissions", "public key", "partner ID", "key pair", "other side"] {
        report.expect(name, "ok", "");
    }
    report.expect("private key", "ok", "2048 bits").expect("connection", "ok", "HTTP 405");
    report.expect("clock", "ok", "agrees").expect("signed query", "ok", "both sides have the right keys");
    assert!(!report.has("certificate") && !report.has("proxy") && !report.has("callback") && !report.has("store"));
    // The text output has a line for each check, and shows a next step only for problems.
    let mut text = command();
    let ran = finish(text.args(["doctor", "--keys", place.keys("").to_str().unwrap()]), b"");
    assert_eq!((ran.code, ran.stdout.matches("next:").count()), (0, 0), "{}", ran.stdout);
    assert_eq!(ran.stdout.lines().count(), report.json["checks"].as_array().unwrap().len());
    // A profile and the environment can also select a connection.
    let config = place.folder.path().join("config.toml");
    let keys = place.keys("");
    let init = ["config", "init", "local", "--from-sandbox", keys.to_str().unwrap()];
    assert_eq!(finish(command().env("PAYTEND_CONFIG", &config).args(init), b"").code, 0);
    let mut by_profile = command();
    by_profile.env("PAYTEND_CONFIG", &config).args(["doctor", "--json", "--profile", "local"]);
    assert_eq!(doctor(&mut by_profile).code, 0);
    let changed = doctor(by_profile.env("PAYTEND_BASE_URL", "http://127.0.0.1:1"));
    changed.expect("settings", "ok", "changed by PAYTEND_BASE_URL").expect("connection", "fail", "TCP");
    doctor(command().args(["doctor", "--json"])).expect("settings", "fail", "no connection is configured");
}

#[test]
fn keys_from_the_wrong_side_and_small_keys_are_reported() {
    let place = Place::new(&[]);
    // A sandbox's keys have a size of 1024 bits.
    place.doctor(&[]).expect("private key", "warn", "1024 bits").expect("public key", "warn", "1024 bits");
    place.set("public_key_file = \"partner-public.b64\"");
    let swapped = place.doctor(&[]);
    swapped.expect("other side", "fail", "your own private key").expect("signed query", "warn", "not sent");
    place.set("public_key_file = \"partner-private.pem\"");
    place.doctor(&[]).expect("public key", "fail", "private");
    place.set("public_key_file = \"payby-public.b64\"");
    place.doctor(&[]).expect("other side", "ok", "").expect("signed query", "fail", "cannot read");
    place.set("public_key_file = \"paytend-public.b64\"");
    let url = place.sandbox.url("control_url");
    let fault = ["control", "--url", &url, "fault", "getPartnerBalance:wrongKey:next"];
    assert_eq!(finish(command().args(fault), b"").code, 0);
    place.doctor(&[]).expect("signed query", "fail", "may not be Paytend's").expect("key pair", "ok", "");
    // Replaces the private key, so that the public key file next to it no longer matches.
    let random = Seeded::new();
    let other = rustcrypto::generate(1024, &random).unwrap().to_pkcs8_pem().unwrap();
    std::fs::write(place.keys("partner-private.pem"), other.as_bytes()).unwrap();
    place.doctor(&[]).expect("key pair", "fail", "does not belong to the private key");
    std::fs::remove_file(place.keys("partner-public.b64")).unwrap();
    let unknown = place.doctor(&[]);
    unknown.expect("signed query", "fail", "another public key of yours");
    place.set("private_key_file = \"absent.pem\"");
    place.doctor(&[]).expect("private key", "fail", "absent.pem");
    place.set("partner_id = \"12345\"");
    place.doctor(&[]).expect("partner ID", "warn", "12345");
}

#[cfg(unix)]
#[test]
fn secret_files_that_other_users_can_read_are_reported() {
    let place = Place::new(&[]);
    set_mode(&place.keys("partner-private.pem"), 0o644);
    let report = place.doctor(&[]);
    report.expect("permissions", "fail", "accessible to other users").expect("connection", "ok", "");
    // The command that `doctor` suggests solves the problem.
    let fixed = Command::new("sh").args(["-c", &report.next("permissions")]).status().unwrap();
    assert!(fixed.success());
    assert_eq!(place.doctor(&[]).code, 0);
    set_mode(&place.keys("partner-private.pem"), 0o640);
    place.set("danger_any_permissions = true");
    place.doctor(&[]).expect("permissions", "warn", "danger_any_permissions").expect("signed query", "ok", "");
}

#[test]
fn unreachable_servers_are_reported() {
    let place = Place::new(&[]);
    let closed = place.doctor(&["--base-url", "http://127.0.0.1:1"]);
    closed.expect("connection", "fail", "TCP").expect("signed query", "warn", "no connection");
    // This host name never resolves, even without a name server.
    let unknown = place.doctor(&["--base-url", "https://paytend.invalid"]);
    unknown.expect("DNS", "fail", "paytend.invalid");
    assert!(!unknown.has("connection"));
    place.doctor(&["--base-url", "http://paytend.example"]).expect("base URL", "fail", "plain HTTP");
    place.doctor(&["--base-url", "no URL"]).expect("base URL", "fail", "not a valid URL");
    // This server closes each connection without a response.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().for_each(drop));
    place.doctor(&["--base-url", &url]).expect("connection", "fail", "");
    // This server is not a Paytend API.
    let url = plain_server("HTTP/1.1 502 Bad Gateway");
    let other = place.doctor(&["--base-url", &url]);
    other.expect("connection", "warn", "HTTP 502").expect("signed query", "fail", "");
}

#[test]
fn clock_difference_is_reported() {
    for (millis, status, part) in
        [(-3_600_000i64, "fail", "behind"), (3_600_000, "fail", "ahead of"), (60_000, "warn", "ahead of")]
    {
        let place = Place::new(&["--fault", &format!("*:clockSkew:{millis}")]);
        place.doctor(&[]).expect("clock", status, part);
    }
}

/// Starts a server that sends this status line to every request. Returns its URL.
pub(crate) fn plain_server(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = answer(&mut stream.unwrap(), status);
        }
    });
    url
}

/// Reads the head of a request, and sends a response without a body.
pub(crate) fn answer(stream: &mut (impl std::io::Read + std::io::Write), status: &str) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
        // A TLS handshake begins with the byte 22 and contains no empty line, so the response is sent immediately.
        if head == [22] {
            break;
        }
    }
    stream.write_all(format!("{status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").as_bytes())?;
    stream.flush()
}

#[test]
fn proxy_that_refuses_a_connection_is_reported_without_its_password() {
    let place = Place::new(&[]);
    let api = ["--base-url", "https://paytend.invalid"];
    for (status, part) in [
        ("HTTP/1.1 403 Forbidden", "did not open a tunnel"),
        ("HTTP/1.1 407 Proxy Authentication Required", "authentication required"),
    ] {
        let proxy = plain_server(status).replace("http://", "http://user:CANARY@");
        let report = doctor(place.command(&api).env("HTTPS_PROXY", &proxy));
        report.expect("proxy", "fail", part).expect("proxy", "fail", "HTTPS_PROXY");
        assert!(!report.json.to_string().contains("CANARY"), "{}", report.json);
    }
    let closed = doctor(place.command(&api).env("all_proxy", "socks5h://user:CANARY@127.0.0.1:1"));
    closed.expect("proxy", "fail", "socks5h://127.0.0.1:1");
    assert!(!closed.json.to_string().contains("CANARY"), "{}", closed.json);
    let local_dns = doctor(place.command(&api).env("all_proxy", "socks5://127.0.0.1:1"));
    local_dns.expect("DNS", "fail", "no such host");
    let unknown = doctor(place.command(&api).env("all_proxy", "http://proxy.invalid:1"));
    unknown.expect("proxy", "fail", "http://proxy.invalid:1");
    let invalid = doctor(place.command(&api).env("HTTPS_PROXY", "http://CANARY proxy"));
    invalid.expect("base URL", "fail", "HTTPS_PROXY");
    assert!(!invalid.json.to_string().contains("CANARY"), "{}", invalid.json);
    // Plain HTTP connections to this machine bypass the proxy.
    let local = doctor(place.command(&[]).env("HTTPS_PROXY", "http://127.0.0.1:1"));
    assert_eq!(local.code, 0, "{}", local.json);
}

/// A process that is killed on drop.
pub(crate) struct Running(pub(crate) std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn doctor_reports_stores_that_cannot_be_used() {
    let place = Place::new(&[]);
    let file = place.folder.path().join("inbox.db");
    let store = format!("sqlite:{}", file.display());
    place.doctor(&["--store", &store]).expect("store", "fail", "inbox.db");
    assert!(!file.exists(), "the check must not create a store");
    created(&store, &place.keys(""));
    let good = place.doctor(&["--store", &store]);
    good.expect("store", "ok", "synchronous").expect("store key", "ok", "");
    std::fs::remove_file(format!("{}.key", file.display())).unwrap();
    place.doctor(&["--store", &store]).expect("store key", "warn", "does not exist");
    // Overwrites a part of the store file.
    let mut bytes = std::fs::read(&file).unwrap();
    let random = Seeded::new();
    let start = 100 + usize::try_from(random.next() % 900).unwrap();
    bytes[start..4096].fill(0xff);
    std::fs::write(&file, bytes).unwrap();
    place.doctor(&["--store", &store]).expect("store", "fail", "inbox.db");
    doctor(place.command(&[]).env("PAYTEND_STORE", "postgres://user:CANARY@127.0.0.1:1/db")).expect(
        "store",
        "fail",
        "postgres://127.0.0.1:1/db",
    );
}

/// Creates a store by starting `paytend inbox serve` and stopping it.
fn created(store: &str, keys: &Path) {
    let mut service = command();
    service.args(["inbox", "serve", "--store", store, "--keys", keys.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let mut service = Running(service.stdout(std::process::Stdio::piped()).spawn().unwrap());
    let mut ready = [0; 1];
    service.0.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
}

#[test]
fn exit_code_reports_the_result_even_if_the_output_cannot_be_written() {
    let place = Place::new(&[]);
    let run = |args: &[&str], broken: bool| {
        let mut command = place.command(args);
        let output = if broken { closed_pipe() } else { std::process::Stdio::null() };
        command.stdout(output).stderr(std::process::Stdio::null()).status().unwrap().code()
    };
    assert_eq!(run(&[], true), Some(0));
    assert_eq!(run(&["--base-url", "http://127.0.0.1:1"], true), Some(1));
    assert_eq!(run(&["--base-url", "http://127.0.0.1:1"], false), Some(1));
}

/// Returns the write end of a pipe that nothing reads.
fn closed_pipe() -> std::process::Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}
