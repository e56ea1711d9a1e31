//! Tests for `paytend doctor --callback`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;

use paytend_webhook::{Provider, Reply};
use serde_json::Value;

use crate::doctor::{Place, Running, doctor, plain_server};
use crate::schema::checked;
use crate::support::{command, finish};

/// Starts a server that answers every request with the acknowledgement that Paytend expects, and returns its URL.
fn acknowledging_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            stream.read_exact(&mut vec![0; length]).unwrap();
            let response = Provider::Paytend.respond(Reply::Accepted).to_http();
            let head =
                format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", response.body().len());
            stream.get_mut().write_all(&[head.as_bytes(), response.body()].concat()).unwrap();
        }
    });
    url
}

#[test]
fn doctor_reports_whether_a_receiver_refuses_forged_notifications() {
    let place = Place::new(&[]);
    let keys = place.keys("");
    let keys = keys.to_str().unwrap();
    let mut listener = command();
    listener.args(["listen", "--json", "--keys", keys]).stdout(Stdio::piped());
    let mut listener = Running(listener.spawn().unwrap());
    let mut ready = String::new();
    let mut stdout = BufReader::new(listener.0.stdout.take().unwrap());
    stdout.read_line(&mut ready).unwrap();
    let ready: Value = serde_json::from_str(&ready).unwrap();
    let url = format!("{}/paytend/baas", ready["url"].as_str().unwrap());
    let both = place.doctor(&["--callback", &url]);
    both.expect("callback", "ok", "acknowledged a test notification").expect("forgery", "ok", "refused");
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let received = checked("listen", &line);
    assert!(received["status"] == 200 && received["amount"].is_null(), "{received}");
    // The PayBy route refuses a Paytend notification.
    let wrong = format!("{}/payby", ready["url"].as_str().unwrap());
    place.doctor(&["--callback", &wrong]).expect("callback", "fail", "HTTP 4");
    let detached = ["--callback", &wrong, "--callback-route", "payby"];
    place.doctor(&detached).expect("callback", "ok", "acknowledged").expect("forgery", "ok", "refused");
    let other = format!("{}/payermax", ready["url"].as_str().unwrap());
    let detached = ["--callback", &other, "--callback-route", "payermax"];
    place.doctor(&detached).expect("callback", "ok", "acknowledged").expect("forgery", "ok", "refused");
    // This receiver acknowledges everything, including the forged notification.
    let careless = acknowledging_server();
    let careless = place.doctor(&["--callback", &careless]);
    careless.expect("callback", "ok", "acknowledged").expect("forgery", "fail", "unknown key");
    let nothing = format!("{}/nothing", ready["url"].as_str().unwrap());
    place.doctor(&["--callback", &nothing]).expect("forgery", "warn", "HTTP 404");
    let page = plain_server("HTTP/1.1 200 OK").replace("http://", "http://user:CANARY@");
    let page = place.doctor(&["--callback", &page]);
    page.expect("callback", "fail", "HTTP 200").expect("forgery", "warn", "HTTP 200");
    assert!(!page.json.to_string().contains("CANARY"), "{}", page.json);
    place.doctor(&["--callback", "http://127.0.0.1:1/"]).expect("callback", "fail", "cannot connect");
    // With a profile, only the forged notification is sent, because a test notification needs the provider's private
    // key.
    let config = place.folder.path().join("config.toml");
    let init = ["config", "init", "local", "--from-sandbox", keys];
    assert_eq!(finish(command().env("PAYTEND_CONFIG", &config).args(init), b"").code, 0);
    let mut profile = command();
    profile.env("PAYTEND_CONFIG", &config).args(["doctor", "--json", "--profile", "local", "--callback", &url]);
    let profile = doctor(&mut profile);
    assert!(!profile.expect("forgery", "ok", "refused").has("callback"), "{}", profile.json);
    // The directory must contain the provider's private key.
    let empty = tempfile::tempdir().unwrap();
    let empty = place.doctor(&["--callback", &url, "--callback-keys", empty.path().to_str().unwrap()]);
    empty.expect("callback", "fail", "paytend-private.pem");
}
