//! Measures the client's overhead compared with handwritten code that seals, posts with reqwest, opens and reads the
//! data.
//!
//! The server runs on the loopback interface and performs no cryptography. It runs on a separate thread, whose CPU time
//! is not counted.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use paytend_client::{Client, Environment};
use paytend_crypto::{Expected, Fields, Keyring, Outgoing, RequestId};
use paytend_model::Operation;
use paytend_model::issuing::{CardBalanceResponse, QueryCardBalance};

use crate::measure::{Work, medians};
use crate::{Candidate, PARTNER_ID};

/// The minimum speed relative to handwritten code, in thousandths. The value allows an overhead of 10 %.
pub(crate) const FLOOR: u128 = 909;

/// Returns the client's speed relative to handwritten code, in thousandths.
pub(crate) fn share(backend: &Candidate, batch: Duration) -> u128 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fields = Fields::response("00", "success");
    let data = r#"{"cardId":"1755902","balance":"25.50","currency":"EUR"}"#;
    let response = backend.receiver.seal(&Outgoing::new(&fields).payload(data)).unwrap().into_document();
    let url = serve(response);
    let client =
        Client::builder(Environment::BaseUrl(url.clone()), PARTNER_ID, backend.sender.clone()).build().unwrap();
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .connect_timeout(Duration::from_secs(10))
        .user_agent("by-hand/1")
        .build()
        .unwrap();
    let query = QueryCardBalance::new("1755902");
    let handwritten: Work<'_> = Box::new(|repetitions| {
        for _ in 0..repetitions {
            let response = runtime.block_on(handwritten(&http, &url, &backend.sender, &query));
            assert!(response.balance.is_some());
        }
    });
    let with_client: Work<'_> = Box::new(|repetitions| {
        for _ in 0..repetitions {
            let response = runtime.block_on(client.send(&query)).unwrap();
            assert!(response.balance.is_some());
        }
    });
    let times = medians(&mut [handwritten, with_client], batch);
    times[0] * 1000 / times[1].max(1)
}

async fn handwritten(
    http: &reqwest::Client,
    url: &str,
    keyring: &Keyring,
    query: &QueryCardBalance,
) -> CardBalanceResponse {
    let id = RequestId::generate().unwrap();
    let payload = serde_json::to_string(query).unwrap();
    let fields = Fields::request(PARTNER_ID, &id);
    let document = keyring.seal(&Outgoing::new(&fields).payload(&payload)).unwrap().into_document();
    let response = http
        .post(format!("{url}{}", QueryCardBalance::INFO.path))
        .header("content-type", "application/json")
        .body(document)
        .send()
        .await
        .unwrap();
    let opened = keyring.open(&response.bytes().await.unwrap(), &Expected::response()).unwrap();
    assert_eq!(opened.field("respCode"), Some("00"));
    opened.payload().unwrap()
}

/// Starts a server that sends the same response to every request, and returns its URL.
fn serve(response: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{response}", response.len());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let response = response.clone();
            std::thread::spawn(move || connection(stream.unwrap(), response.as_bytes()));
        }
    });
    url
}

fn connection(mut stream: TcpStream, response: &[u8]) {
    stream.set_nodelay(true).unwrap();
    let mut bytes = vec![0; 64 << 10];
    let mut filled = 0;
    loop {
        match stream.read(&mut bytes[filled..]) {
            Ok(read) if read > 0 => filled += read,
            _ => return,
        }
        let text = String::from_utf8_lossy(&bytes[..filled]);
        let Some(end) = text.find("\r\n\r\n") else { continue };
        let head = text[..end].to_lowercase();
        let length: usize =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        if filled >= end + 4 + length {
            filled = 0;
            if stream.write_all(response).is_err() {
                return;
            }
        }
    }
}
