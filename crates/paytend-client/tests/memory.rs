//! Tests for memory use and connection reuse. They need a separate binary, because the counting allocator is global to
//! the process.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use paytend_client::{Client, Environment, file_from_path};
use paytend_crypto::{Fields, Keyring, Outgoing, PrivateKey};
use paytend_model::issuing::{QueryCardBalance, UploadDocument};
use paytend_model::{MAX_FILE_BYTES, Operation};
use paytend_vectors::PARTNER_ID;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[global_allocator]
static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// Starts a server that sends the same response to every request. It discards request bodies and counts connections.
async fn server(body: String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let response: Arc<str> = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream, Arc::clone(&response)));
        }
    });
    (url, connections)
}

async fn serve(mut stream: TcpStream, response: Arc<str>) {
    let mut bytes = vec![0; 16 << 10];
    let mut held = 0;
    loop {
        let Ok(read) = stream.read(&mut bytes[held..]).await else { return };
        held += read;
        let Some(end) = bytes[..held].windows(4).position(|window| window == b"\r\n\r\n") else {
            assert!(read > 0 || held == 0, "the connection ended inside a request head");
            if read == 0 {
                return;
            }
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length: usize =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        let mut left = (end + 4 + length).saturating_sub(held);
        while left > 0 {
            let most = left.min(bytes.len());
            left -= stream.read(&mut bytes[..most]).await.unwrap();
        }
        held = 0;
        if stream.write_all(response.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn keyring(own: &str, peer: &str) -> Keyring {
    let keys = paytend_vectors::keys();
    let key = |name: &str| PrivateKey::from_bytes(&keys[name].private).unwrap();
    Keyring::from_keys(&key(own), key(peer).public_key()).unwrap()
}

fn sealed(data: &str) -> String {
    let fields = Fields::response("00", "success");
    keyring("paytend", "partner").seal(&Outgoing::new(&fields).payload(data)).unwrap().into_document()
}

/// Returns how much `work` increases the peak memory use, and the result of `work`.
async fn peak<T>(work: impl Future<Output = T>) -> (usize, T) {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let result = work.await;
    (MEMORY.peak_usage() - before, result)
}

/// There is only one test, because concurrent tests would count each other's memory.
#[tokio::test]
async fn memory_and_connections_stay_within_their_limits() {
    upload_uses_less_than_four_times_the_file_size().await;
    repeated_calls_do_not_increase_memory().await;
}

async fn upload_uses_less_than_four_times_the_file_size() {
    let (url, _) = server(sealed("")).await;
    let client = Client::builder(Environment::BaseUrl(url), PARTNER_ID, keyring("partner", "paytend"))
        .attempt_timeout(std::time::Duration::from_secs(60))
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passport.jpeg");
    std::fs::write(&path, vec![0xd8; MAX_FILE_BYTES]).unwrap();
    let (most, ()) = peak(async {
        let file = file_from_path(&path).unwrap();
        let upload =
            UploadDocument::builder().holder_id("H1").file_type("3").file_content(file).suffix(".jpeg").build();
        client.upload(upload, |_, _| ()).await.map(drop).unwrap();
    })
    .await;
    assert!(most <= 4 * MAX_FILE_BYTES, "{most} bytes, {} thousandths of the file size", most * 1000 / MAX_FILE_BYTES);
    // The document alone needs this much memory, so a smaller peak means that the measurement is broken.
    assert!(most >= 3 * MAX_FILE_BYTES, "{most}");
}

async fn repeated_calls_do_not_increase_memory() {
    const AT_ONCE: usize = 64;
    let (url, connections) = server(sealed(r#"{"cardId":"1","balance":"1.00"}"#)).await;
    let client = Client::builder(Environment::BaseUrl(url), PARTNER_ID, keyring("partner", "paytend"))
        .max_in_flight(AT_ONCE)
        .deadline(std::time::Duration::from_secs(300))
        .build()
        .unwrap();
    let query = QueryCardBalance::new("1");
    let mut peaks = Vec::new();
    for _ in 0..3 {
        let (most, responses) =
            peak(async { futures_util::future::join_all((0..2000).map(|_| client.send(&query))).await }).await;
        assert!(responses.iter().all(Result::is_ok), "{}", QueryCardBalance::INFO.name);
        peaks.push(most);
    }
    // The first round opens the connections. The last round must not need more memory than the second round.
    assert!(peaks[2] <= peaks[1] + peaks[1] / 20, "{peaks:?}");
    assert!(peaks[2] / 2000 < 16 << 10, "{peaks:?}: more than 16 KiB per call");
    let connections = connections.load(Ordering::SeqCst);
    // On a busy machine a call may find no idle connection, because the previous call has not returned its connection
    // yet.
    assert!((1..=1500).contains(&connections), "{connections} connections for 6,000 calls");
}
