//! The sandbox's overhead beyond its cryptography, and the time from its start to its first response.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use paytend_crypto::{Expected, Fields, Keyring, Outgoing, PrivateKey, PublicKey, RequestId};
use paytend_model::Operation;
use paytend_model::issuing::QueryCardBalance;
use paytend_sandbox::Sandbox;

use crate::PARTNER_ID;
use crate::measure::{Work, medians};

/// The minimum throughput relative to cryptography alone, in thousandths.
pub(crate) const FLOOR: u128 = 800;
/// The maximum time from the start of the process to the first response, in milliseconds.
pub(crate) const START: u128 = 100;
/// The number of concurrent connections.
const CONNECTIONS: usize = 8;
const DATA: &str = r#"{"cardId":"1755902"}"#;
const RESPONSE: &str = r#"{"cardId":"1755902","balance":"0.00","currency":"EUR"}"#;

/// The sandbox's throughput on one core.
pub(crate) struct Throughput {
    /// The throughput relative to the sandbox's cryptography alone, in thousandths.
    pub(crate) share: u128,
    /// Requests per second served by the sandbox.
    pub(crate) served: u128,
    /// Requests per second that the sandbox's cryptography alone could process.
    pub(crate) allowed: u128,
}

/// Measures the sandbox's throughput. The sandbox runs on this thread. The callers run on other threads, whose time is
/// not counted.
pub(crate) fn throughput(paytend: &PrivateKey, partner: &PrivateKey, batch: Duration) -> Throughput {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sandbox = runtime
        .block_on(Sandbox::builder().key(paytend.clone()).partner(PARTNER_ID, partner.public_key().clone()).start())
        .unwrap();
    let paytend_keyring = Keyring::from_keys(paytend, partner.public_key()).unwrap();
    let own = Keyring::from_keys(partner, paytend.public_key()).unwrap();
    let request = sealed(&own);
    let cryptography: Work<'_> = Box::new(|repetitions| {
        for _ in 0..repetitions {
            let opened = paytend_keyring.open(request.as_bytes(), &Expected::request(PARTNER_ID)).unwrap();
            assert_eq!(opened.payload_text(), Some(DATA));
            paytend_keyring.seal(&Outgoing::new(&Fields::response("00", "success")).payload(RESPONSE)).unwrap();
        }
    });
    let address = sandbox.url().trim_start_matches("http://").to_owned();
    let (batch_sender, batches) = mpsc::channel::<usize>();
    let (done, mut finished) = tokio::sync::mpsc::channel::<()>(1);
    std::thread::spawn(move || {
        let mut callers: Vec<Caller> = (0..CONNECTIONS).map(|_| Caller::new(&address, own.clone())).collect();
        for repetitions in batches {
            let each = repetitions.div_ceil(CONNECTIONS);
            std::thread::scope(|scope| {
                for caller in &mut callers {
                    scope.spawn(move || (0..each).for_each(|_| caller.call()));
                }
            });
            done.blocking_send(()).unwrap();
        }
    });
    let serving: Work<'_> = Box::new(|repetitions| {
        batch_sender.send(repetitions).unwrap();
        runtime.block_on(finished.recv()).unwrap();
    });
    let times = medians(&mut [cryptography, serving], batch * 8);
    let second = 1_000_000_000;
    Throughput {
        share: times[0] * 1000 / times[1].max(1),
        served: second / times[1].max(1),
        allowed: second / times[0].max(1),
    }
}

fn sealed(own: &Keyring) -> String {
    let id = RequestId::generate().unwrap();
    own.seal(&Outgoing::new(&Fields::request(PARTNER_ID, &id)).payload(DATA)).unwrap().into_document()
}

/// A connection that sends one request after another.
struct Caller {
    stream: BufReader<TcpStream>,
    own: Keyring,
}

impl Caller {
    fn new(address: &str, own: Keyring) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream), own }
    }

    fn call(&mut self) {
        let (body, path) = (sealed(&self.own), QueryCardBalance::INFO.path);
        let head = format!("POST {path} HTTP/1.1\r\nhost: sandbox\r\ncontent-length: {}\r\n\r\n", body.len());
        self.stream.get_mut().write_all((head + &body).as_bytes()).unwrap();
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut response = vec![0; length];
        self.stream.read_exact(&mut response).unwrap();
        assert!(length > 300);
    }
}

struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Measures the time from the start of the command to the first signed response, with existing keys.
///
/// Returns the median of eleven runs, in milliseconds.
pub(crate) fn start(command: &Path) -> u128 {
    let folder = std::env::temp_dir().join(format!("paytend-bench-{}", std::process::id()));
    let keys = folder.join("keys");
    let start = || {
        let process =
            Command::new(command).args(["sandbox", "--keys"]).arg(&keys).stdout(Stdio::piped()).spawn().unwrap();
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
    let mut times: Vec<u128> = (0..11)
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
    let _ = std::fs::remove_dir_all(&folder);
    times.sort_unstable();
    times[5]
}
