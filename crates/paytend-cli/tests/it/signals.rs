//! Tests that services exit with 130 after Ctrl-C, and with 0 after SIGTERM.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::inbox_service::Workplace;
use crate::support::command;

/// Starts a service, sends a signal when it is ready, and returns its exit code and its standard error.
fn ended_by(signal: Signal, args: &[&str]) -> (Option<i32>, String) {
    let mut service = command().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(service.stdout.take().unwrap());
    let mut ready = String::new();
    stdout.read_line(&mut ready).unwrap();
    assert!(ready.contains("\"ready\":true"), "{ready}");
    kill_process(Pid::from_child(&service), signal).unwrap();
    let output = service.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn services_exit_with_the_code_for_the_signal() {
    let place = Workplace::new();
    let (keys, store) = (place.path("keys").to_str().unwrap().to_owned(), place.store());
    let sandbox = place.path("sandbox").to_str().unwrap().to_owned();
    for service in [
        &["sandbox", "--keys", &*sandbox][..],
        &["listen", "--keys", &keys],
        &["inbox", "serve", "--keys", &keys, "--store", &store],
    ] {
        for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 0)] {
            let (ended, stderr) = ended_by(signal, service);
            assert_eq!(ended, Some(code), "{service:?} {signal:?}: {stderr}");
            assert!(!stderr.contains("error") && !stderr.contains("panicked"), "{service:?}: {stderr}");
        }
    }
}
