//! Tests for `paytend call` and `paytend pages`, with a sandbox.

use std::io::Read as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::running::RunningSandbox;
use crate::schema::checked;
use crate::support::{RunOutput, command, finish};

/// A running sandbox, and the directory that contains its keys.
pub(crate) struct Connected {
    pub(crate) sandbox: RunningSandbox,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) const TOPUP: [&str; 5] = ["topup", "-f", "cardId=1755902", "-f", "currency=EUR"];

impl Connected {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let sandbox = RunningSandbox::start(&["--keys", keys.to_str().unwrap(), "--timing", "instant"]);
        Self { sandbox, folder }
    }

    fn keys(&self) -> String {
        self.folder.path().join("keys").to_str().unwrap().to_owned()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = command();
        command.args(args).args(["--keys", &self.keys()]);
        command
    }

    fn call(&self, args: &[&str]) -> RunOutput {
        finish(&mut self.command(&[&["call"][..], args].concat()), b"")
    }

    pub(crate) fn topup(&self, order: &str, args: &[&str]) -> RunOutput {
        let order = format!("orderNo={order}");
        self.call(&[&TOPUP[..], &["-f", &order, "-f", "amount=25.50"], args].concat())
    }

    /// Returns the command that sends a topup with `--resolve` and `--json`.
    pub(crate) fn resolving(&self, order: &str) -> Command {
        let order = format!("orderNo={order}");
        let fields = ["-f", &order, "-f", "amount=25.50", "--resolve", "--json"];
        self.command(&[&["call"], &TOPUP[..], &fields].concat())
    }

    pub(crate) fn fault(&self, fault: &str) {
        let url = self.sandbox.url("control_url");
        let ran = finish(command().args(["control", "--url", &url, "fault", fault]), b"");
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }

    /// Returns the number of calls to a path in the sandbox's log.
    pub(crate) fn calls(&self, path: &str) -> usize {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = format!("{}/log", self.sandbox.url("control_url"));
        let text = runtime.block_on(async {
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            http.get(url).send().await.unwrap().text().await.unwrap()
        });
        text.matches(&format!("\"path\":\"{path}\"")).count()
    }
}

#[test]
fn data_is_printed_and_the_exit_code_reports_the_outcome() {
    let connected = Connected::new();
    let balance = connected.call(&["getPartnerBalance"]);
    assert_eq!(balance.code, 0, "{}", balance.stderr);
    assert!(
        balance.stdout.contains("\"10000.00\"") && balance.stderr.is_empty(),
        "{} {}",
        balance.stdout,
        balance.stderr
    );
    let topup = connected.topup("T-1", &["--json"]);
    let report = checked("call", &topup.stdout);
    assert_eq!((topup.code, &report["outcome"], &report["resp_code"]), (0, &"succeeded".into(), &"00".into()));
    assert_eq!((&report["operation"], &report["data"]["orderNo"]), (&"issuing.topup".into(), &"T-1".into()));
    // The order number is already used, so this topup is rejected. The JSON output has the same members as after a
    // success.
    let rejected = connected.topup("T-1", &["--json"]);
    let report = checked("call", &rejected.stdout);
    assert_eq!((rejected.code, &report["outcome"], &report["data"]), (6, &"rejected".into(), &Value::Null));
    let code = report["resp_code"].as_str().unwrap();
    assert!(rejected.stderr.contains("rejected by Paytend") && rejected.stderr.contains(code), "{}", rejected.stderr);
    let unreachable = connected.call(&["getPartnerBalance", "--json", "--base-url", "http://127.0.0.1:1"]);
    assert_eq!((unreachable.code, &checked("call", &unreachable.stdout)["outcome"]), (5, &"not_sent".into()));
    connected.fault("topup:unsignedSuccess:next");
    let unsigned = connected.topup("T-2", &["--json"]);
    assert_eq!((unsigned.code, &checked("call", &unsigned.stdout)["outcome"]), (7, &"unknown".into()));
    assert!(unsigned.stderr.contains("paytend call getTopupResult -f orderNo=T-2"), "{}", unsigned.stderr);
}

#[test]
fn data_is_read_from_files_options_or_standard_input() {
    let connected = Connected::new();
    let dry = |args: &[&str], stdin: &[u8]| {
        let mut command = connected.command(&[&["call", "topup", "--dry-run", "--json"][..], args].concat());
        let ran = finish(&mut command, stdin);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        checked("call-dry-run", &ran.stdout);
        ran.stdout
    };
    let json = r#"{"cardId":"1","orderNo":"A","amount":"1.500","currency":"EUR","new":1.10}"#;
    let payload = |shown: &str, json: &str| shown.contains(&format!("\"payload\":{json},"));
    assert!(payload(&dry(&["--data", json], b""), json));
    assert!(payload(&dry(&["--data", "-"], json.as_bytes()), json));
    let file = connected.folder.path().join("topup.json");
    std::fs::write(&file, json).unwrap();
    let changed = dry(&["--data", &format!("@{}", file.display()), "-f", "amount=2.00", "-f", "deep.x=y"], b"");
    let expected = json.replace("1.500", "2.00").replace("1.10}", r#"1.10,"deep":{"x":"y"}}"#);
    assert!(payload(&changed, &expected), "{changed}");
    assert_eq!(connected.calls("/issuing/card/topup"), 0);
    let text = connected.topup("A", &["--dry-run", "--show", "wire"]);
    assert!(text.stdout.contains("\"amount\":\"25.50\"") && text.stdout.contains("\"bizData\""), "{}", text.stdout);
    assert!(text.stderr.contains("/issuing/card/topup (not sent)"), "{}", text.stderr);
    let upload = ["uploadDocument", "-f", "holderId=H1", "-f", "fileType=3", "-f", "suffix=.jpeg", "--dry-run"];
    let upload = connected.call(
        &[&["issuing.uploadDocument"], &upload[1..], &["--file", &format!("fileContent={}", file.display())]].concat(),
    );
    assert_eq!(upload.code, 0, "{}", upload.stderr);
    assert!(upload.stdout.contains("\"fileContent\":\"ey"), "{}", upload.stdout);
    // `-` selects standard input. Only one option can use it.
    let from_stdin = |args: &[&str]| {
        let fields =
            ["issuing.uploadDocument", "-f", "holderId=H1", "-f", "fileType=3", "-f", "suffix=.jpeg", "--dry-run"];
        finish(&mut connected.command(&[&["call"], &fields[..], args].concat()), json.as_bytes())
    };
    let piped = from_stdin(&["--file", "fileContent=-"]);
    assert_eq!((piped.code, &piped.stdout), (0, &upload.stdout), "{}", piped.stderr);
    let twice = from_stdin(&["--data", "-", "--file", "fileContent=-"]);
    assert!(twice.code == 2 && twice.stderr.contains("both --data and --file"), "{} {}", twice.code, twice.stderr);
}

#[test]
fn invalid_input_is_reported_before_anything_is_sent() {
    let connected = Connected::new();
    for (args, code, part) in [
        (&["toppup"][..], 2, "did you mean `issuing.topup`?"),
        (&["getCities"], 2, "baas.NAME"),
        (&["topup", "-f", "cardId=1", "-f", "amount=1", "-f", "currency=EUR"], 2, "`orderNo` is missing"),
        (&["topup", "-f", "orderNum=1", "-f", "cardId=1", "-f", "amount=1"], 2, "did you mean `orderNo`?"),
        (&["topup", "-f", "orderNo"], 2, "FIELD=VALUE"),
        (&["topup", "--data", "[1]"], 2, "not a JSON object"),
        (&["topup", "--data", r#"{"a":1,"a":2}"#], 2, "occurs twice"),
        (&["topup", "--data", "@/no/such/file"], 3, "/no/such/file"),
        (&["issuing.uploadDocument", "--file", "fileContent=/no/such/file"], 3, "/no/such/file"),
        (&["getCardBalance", "-f", "cardId=1", "--resolve"], 2, "topup and applyCard"),
        (&["getCardBalance", "-f", "cardId=1", "--deadline", "0s"], 2, "longer than zero"),
        (&["getCardBalance", "-f", "cardId=1", "--deadline", "soon"], 2, "1h30m"),
    ] {
        let ran = connected.call(args);
        assert!(ran.code == code && ran.stderr.contains(part), "{args:?}: {} {}", ran.code, ran.stderr);
        assert_eq!(ran.stdout, "");
    }
    // Warnings do not prevent the call.
    let warned = connected.call(&["getPartnerBalance", "-f", "extra=1", "--dry-run"]);
    assert!(warned.code == 0 && warned.stderr.contains("`extra` is not a known field"), "{}", warned.stderr);
    assert_eq!(connected.calls("/issuing/card/topup"), 0);
}

#[test]
fn mutation_outside_a_sandbox_needs_a_confirmation() {
    let connected = Connected::new();
    // This host does not exist, so nothing can be sent.
    let elsewhere = ["--base-url", "https://paytend.invalid", "--deadline", "20s"];
    let refused = connected.topup("T-1", &elsewhere);
    assert!(refused.code == 2 && refused.stderr.contains("pass --yes"), "{} {}", refused.code, refused.stderr);
    let confirmed = connected.topup("T-1", &[&elsewhere[..], &["--yes"]].concat());
    assert_eq!(confirmed.code, 5, "{}", confirmed.stderr);
    // This server is on this machine but does not identify itself as a sandbox, so it could be a tunnel to production.
    let tunnel = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", tunnel.local_addr().unwrap());
    std::thread::spawn(move || tunnel.incoming().for_each(answer_as_api));
    let refused = connected.topup("T-1", &["--base-url", &url]);
    assert!(refused.code == 2 && refused.stderr.contains("does not identify itself"), "{}", refused.stderr);
    assert_eq!(connected.topup("T-1", &["--base-url", &url, "--yes"]).code, 7);
    // Queries and dry runs need no confirmation.
    let query = connected.call(&[&["getPartnerBalance"], &elsewhere[..]].concat());
    assert_eq!(query.code, 5, "{}", query.stderr);
    assert_eq!(connected.topup("T-1", &[&elsewhere[..], &["--dry-run"]].concat()).code, 0);
}

/// Responds like Paytend's API, which has no control interface, so the server cannot be mistaken for a sandbox.
fn answer_as_api(stream: std::io::Result<std::net::TcpStream>) {
    let mut stream = stream.unwrap();
    let mut request = [0; 16 << 10];
    let _ = stream.read(&mut request);
    let body = r#"{"respCode":"S404","respMsg":"not found"}"#;
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    let _ = std::io::Write::write_all(&mut stream, format!("{head}{body}").as_bytes());
}

#[test]
fn order_is_queried_after_a_lost_response() {
    let connected = Connected::new();
    connected.fault("topup:resetAfter:next");
    let resolved = connected.topup("T-1", &["--resolve", "--json"]);
    let report = checked("call", &resolved.stdout);
    assert_eq!((resolved.code, &report["outcome"], &report["state"]), (0, &"succeeded".into(), &"succeeded".into()));
    assert_eq!(report["data"]["orderNo"], "T-1");
    assert_eq!(connected.calls("/issuing/card/topup"), 1);
    // Without --resolve, the outcome is unknown.
    connected.fault("topup:resetAfter:next");
    let lost = connected.topup("T-2", &["--json"]);
    assert_eq!((lost.code, &checked("call", &lost.stdout)["outcome"]), (7, &"unknown".into()));
    assert!(lost.stderr.contains("may have been carried out"), "{}", lost.stderr);
    assert_eq!(connected.calls("/issuing/card/topup"), 2);
}

#[test]
fn show_wire_prints_the_messages_and_sends_one_request() {
    let connected = Connected::new();
    connected.fault("getCardBalance:html502:next");
    let query = ["getCardBalance", "-f", "cardId=1755902", "--show", "wire"];
    let failed = connected.call(&query);
    assert!(failed.code == 7 && failed.stderr.contains("< HTTP 502"), "{} {}", failed.code, failed.stderr);
    assert_eq!(connected.calls("/issuing/card/getCardBalance"), 1);
    let shown = connected.call(&query);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stderr.contains("> {\"") && shown.stderr.contains("bizData") && shown.stderr.contains("< HTTP 200"));
    // The wire format is encrypted.
    assert!(!shown.stderr.contains("1755902") && shown.stdout.contains("balance"), "{}", shown.stderr);
}

#[test]
fn call_fails_when_its_deadline_expires() {
    let connected = Connected::new();
    connected.fault("topup:hang");
    let late = connected.topup("T-1", &["--deadline", "300ms", "--json"]);
    assert_eq!((late.code, &checked("call", &late.stdout)["outcome"]), (7, &"unknown".into()), "{}", late.stderr);
}

#[cfg(unix)]
#[test]
fn interrupted_call_reports_its_outcome() {
    use rustix::process::{Pid, Signal, kill_process};
    let connected = Connected::new();
    connected.fault("topup:hang");
    let fields = ["-f", "orderNo=T-1", "-f", "amount=1", "--show", "wire", "--json", "--deadline", "10m"];
    let mut command = connected.command(&[&["call"], &TOPUP[..], &fields].concat());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = std::time::Instant::now();
    while connected.calls("/issuing/card/topup") == 0 {
        assert!(start.elapsed().as_secs() < 60, "the sandbox has not received the call");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let (mut stdout, mut stderr) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), &checked("call", &stdout)["outcome"]), (Some(130), &"unknown".into()));
    assert!(stderr.contains("the request may have been carried out") && stderr.contains("getTopupResult"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn missing_fields_and_confirmations_are_asked_for_on_a_terminal() {
    use crate::pty::Terminal;
    let connected = Connected::new();
    let mut terminal = Terminal::start(&mut connected.command(&[&["call"], &TOPUP[..]].concat()));
    terminal.expect("orderNo (");
    terminal.type_line("T-1");
    terminal.expect("amount (");
    terminal.type_line("12.50");
    assert_eq!(terminal.wait(), Some(0), "{}", terminal.shown());
    terminal.expect("\"orderNo\": \"T-1\"");
    let fields = ["-f", "orderNo=T-2", "-f", "amount=1", "--base-url", "https://paytend.invalid"];
    let mut terminal = Terminal::start(&mut connected.command(&[&["call"], &TOPUP[..], &fields].concat()));
    terminal.expect("Send issuing.topup to https://paytend.invalid as partner");
    terminal.type_line("n");
    assert_eq!(terminal.wait(), Some(2), "{}", terminal.shown());
    terminal.expect("nothing was sent");
}

#[test]
fn items_of_all_pages_are_printed_one_per_line() {
    let connected = Connected::new();
    let pages = |args: &[&str]| finish(&mut connected.command(&[&["pages"], args].concat()), b"");
    let query = ["issuing.getCities", "--data", r#"{"countryCode":"LT","start":0,"maxResult":1}"#];
    let all = pages(&query);
    assert_eq!(all.code, 0, "{}", all.stderr);
    assert!(all.stdout.lines().count() > 1, "{}", all.stdout);
    assert!(all.stdout.lines().all(|line| serde_json::from_str::<Value>(line).unwrap().is_object()));
    let first = pages(&[&query[..], &["--limit", "1"]].concat());
    assert_eq!(first.stdout.lines().collect::<Vec<_>>(), all.stdout.lines().take(1).collect::<Vec<_>>());
    let wrong = pages(&["topup"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("issuing.getCardTransactions"), "{}", wrong.stderr);
}
