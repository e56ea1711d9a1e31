//! Measures the sandbox's overhead in addition to its cryptography.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

use paytend_crypto::{Expected, Fields, Keyring, Outgoing, PrivateKey, RequestId};
use paytend_model::Operation;
use paytend_model::issuing::QueryCardBalance;
use paytend_sandbox::Sandbox;

use crate::measure::{Work, medians};
use crate::{Candidate, PARTNER_ID};

/// The minimum throughput relative to cryptography alone, in thousandths.
pub(crate) const FLOOR: u128 = 850;
/// The number of concurrent connections.
const CONNECTIONS: usize = 8;
pub(crate) const DATA: &str = r#"{"cardId":"1755902"}"#;
const RESPONSE: &str = r#"{"cardId":"1755902","balance":"0.00","currency":"EUR"}"#;

/// The sandbox's throughput on one core.
pub(crate) struct Throughput {
    pub(crate) backend: &'static str,
    /// The throughput relative to the sandbox's cryptography alone, in thousandths.
    pub(crate) share: u128,
    /// Requests per second served by the sandbox.
    pub(crate) served: u128,
    /// Requests per second that the sandbox's cryptography alone could process.
    pub(crate) allowed: u128,
}

/// Measures the sandbox's throughput. The sandbox runs on this thread. The callers run on other threads, whose CPU time
/// is not counted.
pub(crate) fn throughput(
    candidate: &Candidate,
    paytend: &PrivateKey,
    partner: &PrivateKey,
    batch: Duration,
) -> Throughput {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let builder = Sandbox::builder().backend(candidate.backend).key(paytend.clone());
    let sandbox = runtime.block_on(builder.partner(PARTNER_ID, partner.public_key().clone()).start()).unwrap();
    let (paytend_keyring, own) = (&candidate.sender, candidate.receiver.clone());
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
        backend: candidate.name,
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
