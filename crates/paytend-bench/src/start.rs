//! Start-up times of the command, measured as the wall-clock time of whole processes.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use paytend_crypto::{Fields, Keyring, Outgoing, PrivateKey, PublicKey, RequestId, detached, rustcrypto};
use paytend_model::Operation;
use paytend_model::issuing::QueryCardBalance;

use crate::measure::decimal;
use crate::sandbox::DATA;

/// The maximum time from the sandbox's start to its first response, in milliseconds.
const SANDBOX: u128 = 100;
/// The number of times the sandbox is run.
const STARTS: usize = 11;
/// The number of times each short command is run.
const RUNS: usize = 51;

/// The measured run times of whole processes.
pub(crate) struct Start {
    /// The time from the sandbox's start to its first signed response, in milliseconds.
    sandbox: u128,
    /// The run time of each short command, in microseconds.
    commands: Vec<(&'static str, u128)>,
}

impl Start {
    pub(crate) fn holds(&self) -> bool {
        self.sandbox <= SANDBOX
    }

    pub(crate) fn write(&self, out: &mut String) {
        let sandbox = self.sandbox;
        let _ = writeln!(
            out,
            "\nTime from the start of `paytend sandbox` to its first signed response: {sandbox} ms \
             (at most {SANDBOX}).\n\n\
             Run time of whole processes with 1024-bit keys, in ms:\n"
        );
        for (command, time) in &self.commands {
            let _ = writeln!(out, "- {command}: {}", decimal(*time));
        }
    }
}

/// Measures the program at `command`, using existing keys. All results are medians.
pub(crate) fn measure(command: &Path) -> Start {
    let folder = Folder(std::env::temp_dir().join(format!("paytend-bench-{}", std::process::id())));
    let keys = folder.0.join("keys");
    let sandbox = sandbox(command, &keys);
    Start { sandbox, commands: commands(command, &keys, &folder.0) }
}

/// Measures the time from the sandbox's start to its first signed response, in milliseconds.
fn sandbox(command: &Path, keys: &Path) -> u128 {
    let start = || {
        let process =
            Command::new(command).args(["sandbox", "--keys"]).arg(keys).stdout(Stdio::piped()).spawn().unwrap();
        let mut process = KillOnDrop(process);
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        (process, ready["base_url"].as_str().unwrap().trim_start_matches("http://").to_owned())
    };
    drop(start());
    let read = |name: &str| std::fs::read(keys.join(name)).unwrap();
    let own = PrivateKey::from_bytes(read("partner-private.pem")).unwrap();
    let own = Keyring::from_keys(&own, &PublicKey::from_bytes(read("paytend-public.b64")).unwrap()).unwrap();
    let id = String::from_utf8(read("partner-id")).unwrap();
    let mut times: Vec<u128> = (0..STARTS)
        .map(|_| {
            let request = RequestId::generate().unwrap();
            let fields = Fields::request(id.trim(), &request);
            let body = own.seal(&Outgoing::new(&fields).payload(DATA)).unwrap().into_document();
            let began = Instant::now();
            let (_process, address) = start();
            let head = format!(
                "POST {} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                QueryCardBalance::INFO.path,
                body.len()
            );
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all((head + &body).as_bytes()).unwrap();
            let mut response = String::new();
            stream.read_to_string(&mut response).unwrap();
            assert!(response.starts_with("HTTP/1.1 200") && response.contains("signature"), "{response}");
            began.elapsed().as_millis()
        })
        .collect();
    times.sort_unstable();
    times[STARTS / 2]
}

/// Times short commands, interleaving their runs. Results are in microseconds.
fn commands(paytend: &Path, keys: &Path, folder: &Path) -> Vec<(&'static str, u128)> {
    let read = |name: &str| std::fs::read(keys.join(name)).unwrap();
    let paytend_private = PrivateKey::from_bytes(read("paytend-private.pem")).unwrap();
    let partner = PrivateKey::from_bytes(read("partner-private.pem")).unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let fields = Fields::response("00", "success");
    let ring = Keyring::from_keys(&paytend_private, partner.public_key()).unwrap();
    let sealed = ring.seal(&Outgoing::new(&fields).payload(DATA)).unwrap().into_document();
    let document = file("document.json", sealed.as_bytes());
    let sign = detached::sign(&*rustcrypto::private(&paytend_private).unwrap(), DATA.as_bytes()).unwrap();
    let body = file("body", DATA.as_bytes());
    let signature = file("signature", &openssl::base64::decode_block(&sign).unwrap());
    let public = file("public.pem", paytend_private.public_key().to_spki_pem().as_bytes());
    let partner_private = keys.join("partner-private.pem");
    let paytend_public = keys.join("paytend-public.b64");

    let version = || {
        let mut command = Command::new(paytend);
        command.arg("--version").stdin(Stdio::null());
        command
    };
    let open = || {
        let mut command = Command::new(paytend);
        command.args(["open", "--as", "partner", "--kind", "response", "--private-key"]).arg(&partner_private);
        command.arg("--public-key").arg(&paytend_public).stdin(std::fs::File::open(&document).unwrap());
        command
    };
    let verify = || {
        let mut command = Command::new("openssl");
        command.args(["dgst", "-sha256", "-verify"]).arg(&public).arg("-signature").arg(&signature).arg(&body);
        command.stdin(Stdio::null());
        command
    };
    let mut candidates: Vec<(&'static str, &dyn Fn() -> Command)> =
        vec![("`paytend --version`", &version), ("`paytend open` of one response", &open)];
    if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        candidates.push(("`openssl dgst -verify` of one signature", &verify));
    }
    let mut all_times = vec![Vec::new(); candidates.len()];
    for _ in 0..RUNS {
        for ((name, command), times) in candidates.iter().zip(&mut all_times) {
            let began = Instant::now();
            let output = command().output().unwrap();
            times.push(began.elapsed().as_micros());
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    let median = |mut times: Vec<u128>| {
        times.sort_unstable();
        times[RUNS / 2]
    };
    candidates.iter().zip(all_times).map(|((name, _), times)| (*name, median(times))).collect()
}

struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A directory that is removed on drop.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
