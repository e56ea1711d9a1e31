//! What the client costs beyond what a careful user would write by hand: seal, post with reqwest, open, read the data. The server is on
//! the loopback, in a thread of its own whose time does not count, and does no cryptography.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use paytend_client::{Client, Environment};
use paytend_crypto::{Expected, Fields, Keyring, Outgoing, RequestId};
use paytend_model::Operation;
use paytend_model::issuing::{CardBalanceResponse, QueryCardBalance};

use crate::measure::{Work, medians};
use crate::{Backend, PARTNER_ID};

/// The least share of the speed by hand that is accepted, in thousandths: an overhead of 10 %.
pub(crate) const FLOOR: u128 = 909;

/// The client's speed as a share of the same by hand, in thousandths, by backend.
pub(crate) fn shares(openssl: &Backend, rust: &Backend, batch: Duration) -> Vec<(&'static str, u128)> {
    [("OpenSSL", openssl), ("RustCrypto", rust)].map(|(name, backend)| (name, share(backend, batch))).into()
}

fn share(backend: &Backend, batch: Duration) -> u128 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fields = Fields::response("00", "success");
    let data = r#"{"cardId":"1755902","balance":"25.50","currency":"EUR"}"#;
    let answer = backend.receiver.seal(&Outgoing::new(&fields).payload(data)).unwrap().into_document();
    let url = serve(answer);
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
    let query = QueryCardBalance::new("1755902".into());
    let by_hand: Work<'_> = Box::new(|repetitions| {
        for _ in 0..repetitions {
            let answer = runtime.block_on(by_hand(&http, &url, &backend.sender, &query));
            assert!(answer.balance.is_some());
        }
    });
    let with_client: Work<'_> = Box::new(|repetitions| {
        for _ in 0..repetitions {
            let answer = runtime.block_on(client.send(&query)).unwrap();
            assert!(answer.balance.is_some());
        }
    });
    let times = medians(&mut [by_hand, with_client], batch);
    times[0] * 1000 / times[1].max(1)
}

async fn by_hand(
    http: &reqwest::Client,
    url: &str,
    keyring: &Keyring,
    query: &QueryCardBalance,
) -> CardBalanceResponse {
    let id = RequestId::generate().unwrap();
    let payload = serde_json::to_string(query).unwrap();
    let fields = Fields::request(PARTNER_ID, id.as_str());
    let document = keyring.seal(&Outgoing::new(&fields).payload(&payload)).unwrap().into_document();
    let answer = http
        .post(format!("{url}{}", QueryCardBalance::INFO.path))
        .header("content-type", "application/json")
        .body(document)
        .send()
        .await
        .unwrap();
    let opened = keyring.open(&answer.bytes().await.unwrap(), &Expected::response()).unwrap();
    assert_eq!(opened.field("respCode"), Some("00"));
    opened.payload().unwrap()
}

/// Gives every request on every connection the same answer.
fn serve(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = answer.clone();
            std::thread::spawn(move || connection(stream.unwrap(), answer.as_bytes()));
        }
    });
    url
}

fn connection(mut stream: TcpStream, answer: &[u8]) {
    stream.set_nodelay(true).unwrap();
    let mut bytes = vec![0; 64 << 10];
    let mut held = 0;
    loop {
        match stream.read(&mut bytes[held..]) {
            Ok(read) if read > 0 => held += read,
            _ => return,
        }
        let text = String::from_utf8_lossy(&bytes[..held]);
        let Some(end) = text.find("\r\n\r\n") else { continue };
        let head = text[..end].to_lowercase();
        let length: usize =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        if held >= end + 4 + length {
            held = 0;
            if stream.write_all(answer).is_err() {
                return;
            }
        }
    }
}
