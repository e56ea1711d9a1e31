//! Tests of TLS connections.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use paytend_inbox::{Store as _, StoreAdmin as _, StoreErrorKind, StoreKeys};
use paytend_store_nats::NatsOptions;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::cluster::program;
use crate::support::{accept, claim};

const TIMEOUT: Duration = Duration::from_secs(60);

/// Certificates, and a server that requires TLS.
struct Place {
    directory: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn certificates() -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| std::fs::write(directory.path().join(name), text).unwrap();
        for authority in ["ours", "other"] {
            let mut params = CertificateParams::new([]).unwrap();
            params.distinguished_name.push(rcgen::DnType::CommonName, authority);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
            write(&format!("{authority}.pem"), issuer.pem());
            for (name, host) in [("server", "127.0.0.1"), ("elsewhere", "nats.example.com"), ("client", "inbox")] {
                let key = KeyPair::generate().unwrap();
                let params = CertificateParams::new([host.to_owned()]).unwrap();
                write(&format!("{authority}-{name}.pem"), params.signed_by(&key, &issuer).unwrap().pem());
                write(&format!("{authority}-{name}.key"), key.serialize_pem());
            }
        }
        directory
    }

    /// Starts a server with this certificate, or returns `None` if the server is not installed.
    fn start(certificate: &str) -> Option<Self> {
        let program = program()?;
        let mut place = Self { directory: Self::certificates(), port: 0, process: None };
        // Another program can take the port before the server binds it, so the startup is retried.
        for _ in 0..5 {
            place.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let config = format!(
                "listen: 127.0.0.1:{}\njetstream {{ store_dir: {:?}, sync_interval: always }}\n\
                 tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true }}\n\
                 authorization {{ users: [ {{ user: inbox, password: secret }} ] }}\n",
                place.port,
                place.path("data"),
                place.path(&format!("{certificate}.pem")),
                place.path(&format!("{certificate}.key")),
                place.path("ours.pem"),
            );
            std::fs::write(place.path("server.conf"), config).unwrap();
            let mut command = Command::new(&program);
            command.arg("-c").arg(place.path("server.conf")).stdout(Stdio::null()).stderr(Stdio::null());
            if is_listening(place.process.insert(command.spawn().unwrap()), place.port) {
                return Some(place);
            }
        }
        panic!("the server did not start");
    }

    fn options(&self, scheme: &str) -> NatsOptions {
        let url = format!("{scheme}://inbox:secret@127.0.0.1:{}", self.port);
        // There is only one server, so there is only one replica.
        NatsOptions::from_url(&url).unwrap().replicas(1).danger_any_settings().operation_timeout(TIMEOUT)
    }

    fn with_certificate(&self, options: NatsOptions, name: &str) -> NatsOptions {
        options.client_certificate(self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn is_listening(process: &mut Child, port: u16) -> bool {
    let deadline = Instant::now() + TIMEOUT;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(Instant::now() < deadline, "the server did not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

async fn refused(options: NatsOptions) -> String {
    let shown = format!("{options:?}");
    let error = tokio::time::timeout(TIMEOUT, options.open()).await.unwrap().unwrap_err();
    let text = format!("{error} {error:?} {shown}");
    assert!(!text.contains("secret"), "{text}");
    assert_eq!(error.kind(), StoreErrorKind::Configuration, "{text}");
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn client_and_server_certificates_are_verified() {
    let Some(place) = Place::start("ours-server") else { return };
    let keys = Arc::new(StoreKeys::generate().unwrap());
    // The server requires TLS even if the URL does not.
    for scheme in ["tls", "nats"] {
        let options = || place.options(scheme).ca_file(place.path("ours.pem"));
        let store = place.with_certificate(options(), "ours-client").open().await.unwrap();
        accept(&store, &keys, scheme).await.unwrap();
        let claimed = claim(&store, 1, TIMEOUT).await;
        store.complete(claimed[0].lease, None).await.unwrap();
        store.probe().await.unwrap();
        // The connection fails without a client certificate, with a certificate from a different authority, or if the
        // client trusts a different authority.
        for without in [options(), place.with_certificate(options(), "other-client")] {
            let error = without.operation_timeout(Duration::from_secs(10)).open().await.unwrap_err();
            assert!(error.to_string().starts_with("cannot connect"), "{error}");
        }
        let trusting = |file: &str| place.options(scheme).ca_file(place.path(file));
        for untrusted in [trusting("other.pem"), place.options(scheme)] {
            let error = refused(place.with_certificate(untrusted, "ours-client")).await;
            assert!(
                error.starts_with("cannot connect to the NATS server with TLS: invalid peer certificate"),
                "{error}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_for_a_different_host_is_refused() {
    let Some(place) = Place::start("ours-elsewhere") else { return };
    let options = place.options("tls").ca_file(place.path("ours.pem"));
    let error = refused(place.with_certificate(options, "ours-client")).await;
    assert!(error.contains("invalid peer certificate"), "{error}");
}

/// Opens a store on a server that does not support TLS. Returns the error and the bytes that the server has received.
async fn received_without_tls(url: impl Fn(u16) -> String, ca_file: &Path) -> (String, Vec<u8>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let info = "INFO {\"server_id\":\"A\",\"server_name\":\"plain\",\"version\":\"2.15.3\",\"host\":\"127.0.0.1\",\
                    \"port\":1,\"max_payload\":1048576,\"proto\":1,\"headers\":true}\r\n";
        connection.write_all(info.as_bytes()).await.unwrap();
        let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
        // The server responds to the beginning of a TLS handshake with data that is not TLS.
        while let Ok(size @ 1..) = connection.read(&mut buffer).await {
            received.extend_from_slice(&buffer[..size]);
            if connection.write_all(b"PONG\r\n").await.is_err() {
                break;
            }
        }
        received
    });
    let options = NatsOptions::from_url(&url(port)).unwrap().ca_file(ca_file).danger_any_settings();
    let error = options.operation_timeout(Duration::from_secs(10)).open().await.unwrap_err();
    (error.to_string(), serving.await.unwrap())
}

#[tokio::test]
async fn login_is_not_sent_without_tls() {
    let directory = Place::certificates();
    let ca_file = directory.path().join("ours.pem");
    let url = |port| format!("tls://inbox:secret@127.0.0.1:{port}");
    let (error, received) = received_without_tls(url, &ca_file).await;
    assert!(error.starts_with("cannot connect"), "{error}");
    // The first bytes belong to a TLS handshake.
    assert_eq!(received[..2], [22, 3]);
    let contains = |text: &[u8]| received.windows(text.len()).any(|part| part == text);
    assert!(!contains(b"secret") && !contains(b"CONNECT"), "{received:?}");
}

#[tokio::test]
async fn error_for_an_unusable_file_contains_its_name_but_not_its_content() {
    let directory = Place::certificates();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("nothing"), "secret").unwrap();
    std::fs::write(path("broken"), "-----BEGIN PRIVATE KEY-----\nsecret!\n-----END PRIVATE KEY-----\n").unwrap();
    let options = || NatsOptions::from_url("tls://inbox:secret@127.0.0.1:1").unwrap();
    let with = |certificate: &str, key: &str| options().client_certificate(path(certificate), path(key));
    for (options, message) in [
        (options().ca_file(path("missing")), "cannot read "),
        (options().ca_file(path("nothing")), "contains no certificate in PEM format"),
        (with("missing", "ours-client.key"), "cannot read "),
        (with("ours-client.pem", "missing"), "cannot read "),
        (with("ours-client.pem", "nothing"), "contains no private key in PEM format"),
        (with("ours-client.pem", "broken"), "contains no valid private key in PEM format"),
        (with("ours-client.pem", "other-client.key"), "cannot use the client certificate"),
    ] {
        let error = refused(options).await;
        assert!(error.contains(message), "{error}");
    }
}
