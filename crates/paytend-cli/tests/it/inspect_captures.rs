//! Tests of `paytend inspect` with files that other programs have written during calls to a sandbox.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::schema::checked;
use crate::support::{command, finish, set_mode};

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/captures")
}

/// Returns the kind, the operation, the HTTP status and the verdict of each message in a file.
#[track_caller]
fn inspected(file: &str) -> Vec<(String, String, u64, String)> {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(captures().join("keys")).unwrap() {
        let path = entry.unwrap().path();
        let copy = folder.path().join(path.file_name().unwrap());
        std::fs::copy(&path, &copy).unwrap();
        // Private keys are refused if other users can read them.
        set_mode(&copy, 0o600);
    }
    let mut inspect = command();
    inspect.args(["inspect", "--json", "--keys"]).arg(folder.path()).arg(captures().join(file));
    let ran = finish(&mut inspect, b"");
    let shown: Vec<Value> = ran.stdout.lines().map(|line| checked("inspect", line)).collect();
    assert!(!shown.is_empty(), "{file}: {}", ran.stderr);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let described = shown.iter().map(|one| {
        let status = one["http_status"].as_u64().unwrap_or_default();
        (text(&one["kind"]), text(&one["operation"]), status, text(&one["verdict"]))
    });
    described.collect()
}

fn message(kind: &str, operation: &str, status: u64, verdict: &str) -> (String, String, u64, String) {
    (kind.to_owned(), operation.to_owned(), status, verdict.to_owned())
}

fn request() -> (String, String, u64, String) {
    message("Paytend request", "issuing.topup", 0, "authentic")
}

fn response() -> (String, String, u64, String) {
    message("Paytend response", "issuing.topup", 200, "authentic")
}

/// The request, its response, and two notifications.
fn all(payby_verdict: &str) -> Vec<(String, String, u64, String)> {
    let paytend = message("Paytend notification", "", 0, "authentic");
    vec![request(), response(), paytend, message("PayBy notification", "", 0, payby_verdict)]
}

#[test]
fn messages_are_found_in_a_har_file_of_mitmproxy() {
    assert_eq!(inspected("mitmproxy.har"), all("authentic"));
}

/// mitmproxy indents JSON on its console. The signature of a PayBy notification covers the original bytes, so it cannot
/// be verified.
#[test]
fn messages_are_found_in_the_console_output_of_mitmproxy() {
    assert_eq!(inspected("mitmproxy.txt"), all("not_authentic"));
}

#[test]
fn messages_are_found_in_tcpdump_packets() {
    assert_eq!(inspected("tcpdump-A.txt"), all("authentic"));
    assert_eq!(inspected("tcpdump-X.txt"), all("authentic"));
}

#[test]
fn messages_are_found_in_curl_traces() {
    assert_eq!(inspected("curl-trace.txt"), [request(), response()]);
    assert_eq!(inspected("curl-v.txt"), [response()]);
}

/// wget does not print the body of the request.
#[test]
fn response_is_found_in_the_debug_output_of_wget() {
    assert_eq!(inspected("wget.txt"), [response()]);
}

#[test]
fn messages_are_found_in_httpie_output_with_and_without_colours() {
    assert_eq!(inspected("httpie.txt"), [request(), response()]);
    assert_eq!(inspected("httpie-colour.txt"), [request(), response()]);
}
