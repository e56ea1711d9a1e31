//! Tests for the TLS connections of `paytend doctor`: certificates and proxies.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::doctor::{Place, answer, doctor, plain_server};

type TlsStream<S> = StreamOwned<ServerConnection, S>;

/// Returns the configuration of a server with these certificates.
fn tls_config(chain: &[&Certificate], key: &KeyPair) -> Arc<ServerConfig> {
    let chain = chain.iter().map(|certificate| certificate.der().clone()).collect();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap())
}

fn tls_stream<S: Read + Write>(config: &Arc<ServerConfig>, stream: S) -> TlsStream<S> {
    StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream)
}

/// Reads until the end of the stream or an error, and returns the received bytes.
fn received(mut stream: impl Read) -> Vec<u8> {
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received);
    received
}

/// A TLS server with a self-signed certificate, which records what it receives.
struct RecordingServer {
    port: u16,
    stop: Arc<AtomicBool>,
    /// The thread returns the number of connections, and the decrypted bytes.
    thread: JoinHandle<(usize, Vec<u8>)>,
}

impl RecordingServer {
    /// Starts a server. If `proxy` is set, the first connection is a proxy with this configuration, which opens a
    /// tunnel to the server.
    fn start(proxy: Option<Arc<ServerConfig>>) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let config = tls_config(&[&certificate], &key);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, stop) = (listener.local_addr().unwrap().port(), Arc::new(AtomicBool::new(false)));
        let (stopped, mut proxy) = (stop.clone(), proxy);
        let thread = std::thread::spawn(move || {
            let mut connections = Vec::new();
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let (stream, proxy, config) = (stream.unwrap(), proxy.take(), config.clone());
                connections.push(std::thread::spawn(move || match proxy {
                    None => received(tls_stream(&config, stream)),
                    Some(proxy) => {
                        let mut tunnel = tls_stream(&proxy, stream);
                        answer(&mut tunnel, "HTTP/1.1 200 OK").unwrap();
                        received(tls_stream(&config, tunnel))
                    }
                }));
            }
            (connections.len(), connections.into_iter().flat_map(|one| one.join().unwrap()).collect())
        });
        Self { port, stop, thread }
    }

    /// Stops the server, which waits until its clients have disconnected. Returns the number of connections, and the
    /// decrypted bytes.
    fn finish(self) -> (usize, String) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)).unwrap());
        let (connections, received) = self.thread.join().unwrap();
        (connections, String::from_utf8_lossy(&received).into_owned())
    }
}

/// Creates an authority that issues certificates.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "test authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Starts a TLS server with these certificates. Returns its URL.
fn tls_server(chain: &[&Certificate], key: &KeyPair) -> String {
    let config = tls_config(chain, key);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = answer(&mut tls_stream(&config, stream.unwrap()), "HTTP/1.1 404 Not Found");
        }
    });
    format!("https://localhost:{port}")
}

#[test]
fn doctor_reports_why_a_certificate_is_not_accepted() {
    let authority = authority();
    let place = Place::new(&[]);
    let check = |name: &str, years: (i32, i32), trusted: bool| {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "test server");
        (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        let key = KeyPair::generate().unwrap();
        let url = tls_server(&[&params.signed_by(&key, &authority).unwrap()], &key);
        let roots = if trusted { authority.pem() } else { rcgen_root() };
        std::fs::write(place.keys("roots.pem"), roots).unwrap();
        place.doctor(&["--base-url", &url])
    };
    place.set("root_certificates_file = \"roots.pem\"");
    let valid = check("localhost", (2020, 4000), true);
    valid.expect("certificate", "ok", "valid until 4000-01-01").expect("connection", "ok", "HTTP 404");
    check("localhost", (2020, 2021), true).expect("certificate", "fail", "expired on 2021-01-01");
    check("localhost", (3999, 4000), true).expect("certificate", "fail", "not valid before 3999-01-01");
    check("other.example", (2020, 4000), true).expect("certificate", "fail", "is for other.example, not for localhost");
    check("localhost", (2020, 4000), false).expect("certificate", "fail", "test authority, which is not trusted");
    // This certificate is self-signed.
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    place.doctor(&["--base-url", &tls_server(&[&own], &key)]).expect("certificate", "fail", "self-signed");
    // This server does not use TLS.
    let plain = plain_server("HTTP/1.1 200 OK").replace("http://127.0.0.1", "https://localhost");
    place.doctor(&["--base-url", &plain]).expect("certificate", "fail", "TLS");
}

#[test]
fn certificate_that_expires_soon_causes_a_warning() {
    let place = Place::new(&[]);
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let now = std::time::SystemTime::now();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = (now + std::time::Duration::from_secs(5 * 24 * 3600)).into();
    params.is_ca = IsCa::ExplicitNoCa;
    let authority = authority();
    let key = KeyPair::generate().unwrap();
    let url = tls_server(&[&params.signed_by(&key, &authority).unwrap()], &key);
    std::fs::write(place.keys("roots.pem"), authority.pem()).unwrap();
    place.set("root_certificates_file = \"roots.pem\"");
    place.doctor(&["--base-url", &url]).expect("certificate", "warn", "4 days");
}

/// Returns the certificate of an authority that issued none of the server's certificates.
fn rcgen_root() -> String {
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "another authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

/// After the first connection, a server with a different certificate listens on the proxy's port.
#[test]
fn password_is_not_sent_to_a_proxy_that_is_not_verified() {
    let (place, authority, key) = (Place::new(&[]), authority(), KeyPair::generate().unwrap());
    let proxy = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    std::fs::write(place.keys("roots.pem"), authority.pem()).unwrap();
    place.set("root_certificates_file = \"roots.pem\"");
    let proxy = RecordingServer::start(Some(tls_config(&[&proxy], &key)));
    let url = format!("https://user:CANARY@localhost:{}", proxy.port);
    let mut command = place.command(&["--base-url", "https://paytend.invalid"]);
    let report = doctor(command.env("HTTPS_PROXY", &url).env_remove("NO_PROXY").env_remove("no_proxy"));
    report.expect("certificate", "fail", "certificate");
    let next = format!("curl -v --proxy https://localhost:{} https://paytend.invalid", proxy.port);
    assert_eq!(report.next("certificate"), next);
    assert!(!report.json.to_string().contains("CANARY"), "{}", report.json);
    assert_eq!(proxy.finish(), (1, String::new()));
}

#[test]
fn certificates_are_shown_without_sending_a_request() {
    let (place, server) = (Place::new(&[]), RecordingServer::start(None));
    let report = place.doctor(&["--base-url", &format!("https://localhost:{}", server.port)]);
    report.expect("certificate", "fail", "self-signed");
    assert_eq!(server.finish(), (2, String::new()));
}

/// A server may also present certificates that are not needed to verify its own.
#[test]
fn expired_certificate_outside_the_chain_is_ignored() {
    let place = Place::new(&[]);
    let authority = authority();
    let certificate = |name: &str, end: i32, key: &KeyPair| {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(end, 1, 1));
        params.signed_by(key, &authority).unwrap()
    };
    let key = KeyPair::generate().unwrap();
    let (server, other) = (certificate("localhost", 3000, &key), certificate("other.example", 2021, &key));
    std::fs::write(place.keys("roots.pem"), authority.pem()).unwrap();
    place.set("root_certificates_file = \"roots.pem\"");
    let valid = place.doctor(&["--base-url", &tls_server(&[&server, &other], &key)]);
    valid.expect("certificate", "ok", "valid until 3000-01-01");
}

/// The client connects to a host in `NO_PROXY` directly, so a failure is not caused by the proxy.
#[test]
fn proxy_is_not_reported_for_a_host_in_no_proxy() {
    let place = Place::new(&[]);
    let check = |hosts: &str, url: &str| {
        let mut command = place.command(&["--base-url", url]);
        doctor(command.env("HTTPS_PROXY", "http://127.0.0.1:1").env("NO_PROXY", hosts).env_remove("no_proxy"))
    };
    for hosts in ["paytend.invalid", "other.example, .invalid", "*"] {
        let direct = check(hosts, "https://paytend.invalid");
        assert!(!direct.expect("DNS", "fail", "paytend.invalid").has("proxy"), "{hosts}: {}", direct.json);
    }
    let direct = check("127.0.0.0/8", "https://127.0.0.1:1");
    assert!(!direct.expect("connection", "fail", "TCP").has("proxy"), "{}", direct.json);
    for hosts in ["", "other.example"] {
        check(hosts, "https://paytend.invalid").expect("proxy", "fail", "HTTPS_PROXY");
    }
}
