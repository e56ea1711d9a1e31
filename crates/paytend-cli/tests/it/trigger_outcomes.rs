//! Tests for the exit codes of `paytend trigger` and `events resend`: a notification may have been processed after its
//! response was lost, and several notifications can have different outcomes.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::Value;

use crate::inbox_service::Workplace;
use crate::listen::Lines;
use crate::schema::checked;
use crate::support::{RunOutput, run};

/// Starts a server that passes each connection to a function, and returns its URL. When the function returns false, the
/// server responds with `{}` and refuses all later connections.
fn server(mut handle: impl FnMut(TcpStream) -> bool + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut listener = Some(listener);
        while let Some((stream, _)) = listener.as_ref().and_then(|listener| listener.accept().ok()) {
            let mut first = [0];
            let _ = stream.peek(&mut first);
            // The listener is closed before the response, so that the client cannot connect again afterwards.
            if !handle(stream.try_clone().unwrap()) {
                listener = None;
                respond(stream);
            }
        }
    });
    url
}

/// Reads a request, and returns once its body has arrived.
fn read(stream: &mut TcpStream) {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut buffer).unwrap();
        if count == 0 {
            return;
        }
        request.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .to_lowercase()
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().unwrap().trim().parse::<usize>().unwrap());
        if body.len() >= length {
            return;
        }
    }
}

/// Responds with status 200 and a body that is not an acknowledgement.
fn respond(mut stream: TcpStream) {
    read(&mut stream);
    stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}").unwrap();
}

/// Starts a server that reads each request and closes the connection without a response.
fn losing() -> String {
    server(|mut stream| {
        read(&mut stream);
        true
    })
}

fn keys(place: &Workplace) -> String {
    place.path("keys").to_str().unwrap().to_owned()
}

#[test]
fn lost_response_to_a_notification_has_an_unknown_outcome() {
    let place = Workplace::new();
    let trigger = |to: &str, args: &[&str]| {
        let event = ["trigger", "payby.transfer-to-bank", "--to", to, "--keys", &keys(&place)];
        run(&[&event[..], args].concat(), b"")
    };
    let lost = trigger(&losing(), &[]);
    assert!(lost.code == 7 && lost.stderr.contains("may have processed the notification"), "{}", lost.stderr);
    let refused = trigger("http://127.0.0.1:1/", &["--times", "2"]);
    assert!(refused.code == 5 && refused.stderr.contains("start the receiver"), "{}", refused.stderr);
    let scheme = trigger("ftp://127.0.0.1/", &[]);
    assert!(scheme.code == 2 && scheme.stderr.contains("http or https"), "{} {}", scheme.code, scheme.stderr);
    // The first notification was sent, so the exit code is not that of a network error, after which a script may repeat
    // the command.
    let partial = trigger(&server(|_| false), &["--times", "3"]);
    assert_eq!((partial.code, partial.stdout.lines().count()), (6, 1), "{} {}", partial.stdout, partial.stderr);
    assert!(partial.stderr.contains("1 notifications were sent before"), "{}", partial.stderr);
}

/// If the response to a change is lost, the sandbox may have made the change.
#[test]
fn lost_response_from_a_sandbox_has_an_unknown_outcome() {
    let url = losing();
    for (args, code) in [
        (&["trigger", "baas.fund-deposit", "--sandbox", &url][..], 7),
        (&["sandbox", "seed", "--funds", "1.00", "--url", &url], 7),
        (&["sandbox", "clock", "advance", "1d", "--url", &url], 7),
        (&["sandbox", "fault", "clear", "--url", &url], 7),
        (&["sandbox", "resend", "1", "--url", &url], 7),
        (&["control", "--url", &url, "reset"], 7),
        (&["events", "resend", "1", "--sandbox", &url], 7),
        (&["sandbox", "clock", "show", "--url", &url], 5),
        (&["control", "--url", &url, "state"], 5),
        (&["events", "list", "--sandbox", &url], 5),
    ] {
        let ran = run(args, b"");
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        let part = if code == 7 { "paytend control state" } else { "restart the sandbox" };
        assert!(ran.stderr.contains(part), "{args:?}: {}", ran.stderr);
    }
}

/// A store with two notifications, whose business IDs contain control characters.
fn stored(place: &Workplace) -> String {
    let (keys, file) = (keys(place), place.path("kept.db").to_str().unwrap().to_owned());
    let listener = Lines::start(&["listen", "--keys", &keys, "--inbox", &file]);
    let ready: Value = serde_json::from_str(&listener.wait_for(1)[0]).unwrap();
    let url = format!("{}/paytend/baas", ready["url"].as_str().unwrap());
    for id in ["T-\u{1b}[31m1", "T-\u{9b}31m\u{202e}2"] {
        let set = format!("transactionId={id}");
        let sent = run(&["trigger", "baas.fund-deposit", "--to", &url, "--keys", &keys, "--set", &set], b"");
        assert_eq!(sent.code, 0, "{}", sent.stderr);
    }
    file
}

#[test]
fn failed_notification_does_not_stop_the_others() {
    let place = Workplace::new();
    let file = stored(&place);
    let keys = keys(&place);
    let resend = |ids: &[&str], to: &str| -> (RunOutput, Vec<Value>) {
        let args = ["--inbox", &file, "--keys", &keys, "--to", to, "--json"];
        let ran = run(&[&["events", "resend"], ids, &args].concat(), b"");
        let lines = ran.stdout.lines().map(|line| checked("events-resend", line)).collect();
        (ran, lines)
    };
    let listener = Lines::start(&["listen", "--keys", &keys]);
    let ready: Value = serde_json::from_str(&listener.wait_for(1)[0]).unwrap();
    let url = format!("{}/paytend/baas", ready["url"].as_str().unwrap());
    let (ran, lines) = resend(&["1", "99", "2"], &url);
    assert_eq!((ran.code, lines.len()), (1, 3), "{}", ran.stderr);
    assert_eq!((&lines[0]["acknowledged"], &lines[2]["acknowledged"]), (&true.into(), &true.into()));
    assert!(lines[1]["error"].as_str().unwrap().contains("no notification 99"), "{}", lines[1]);
    assert!(ran.stderr.contains("paytend events list") && ran.stderr.contains("2 others were acknowledged"));
    let (ran, lines) = resend(&["1", "2"], "http://127.0.0.1:1/");
    assert_eq!((ran.code, lines.len()), (5, 2), "{}", ran.stderr);
    assert!(ran.stderr.contains("2 notifications failed") && lines[1]["error"].is_string(), "{}", ran.stderr);
    let (ran, lines) = resend(&["1", "2"], &losing());
    assert_eq!((ran.code, lines.len()), (7, 2), "{}", ran.stderr);
    // The receiver does not acknowledge the first notification, and the second notification cannot be sent.
    let (ran, lines) = resend(&["1", "2"], &server(|_| false));
    assert_eq!((ran.code, lines.len(), &lines[0]["status"]), (6, 2, &200.into()), "{}", ran.stderr);
}

#[test]
fn control_characters_of_a_sender_are_not_printed() {
    let place = Workplace::new();
    let file = stored(&place);
    let store = format!("sqlite:{file}");
    for (args, lines) in [
        (&["events", "list", "--inbox", &file][..], 2),
        (&["inbox", "list", "--store", &store], 2),
        (&["inbox", "show", "1", "--store", &store], 0),
        (&["inbox", "show", "2", "--store", &store], 0),
    ] {
        let ran = run(args, b"");
        assert!(ran.code == 0 && ran.stdout.contains("T-?"), "{args:?}: {:?} {}", ran.stdout, ran.stderr);
        assert!(!ran.stdout.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{args:?}: {:?}", ran.stdout);
        assert!(lines == 0 || ran.stdout.lines().count() == lines, "{args:?}: {:?}", ran.stdout);
        // JSON output contains the control characters as escapes.
        let json = run(&[args, &["--json"]].concat(), b"").stdout;
        assert!(!json.contains(['\u{1b}', '\u{9b}']) && json.contains("\\u00"), "{args:?}: {json:?}");
    }
    let json = run(&["events", "list", "--inbox", &file, "--json"], b"").stdout;
    let ids: Vec<Value> = json.lines().map(|line| checked("events", line)["business_id"].clone()).collect();
    assert_eq!(ids, ["T-\u{1b}[31m1", "T-\u{9b}31m\u{202e}2"]);
}
