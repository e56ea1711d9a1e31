//! The time that the command needs to start.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use paytend_crypto::{Fields, Keyring, Outgoing, PrivateKey, PublicKey, RequestId};
use paytend_model::Operation;
use paytend_model::issuing::QueryCardBalance;

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
