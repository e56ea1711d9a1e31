//! Tests of TLS connections to the server.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use paytend_inbox::StoreErrorKind;
use paytend_store_postgres::PostgresOptions;
use paytend_store_postgres::tokio_postgres::Config;
use paytend_store_postgres::tokio_postgres::config::SslMode;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::server::{Server, give};

/// The server's port, for the test that runs in a separate process.
const PORT: &str = "PAYTEND_TEST_TLS_PORT";

/// Returns the settings for a TLS connection to this machine, with `name` as the host name.
fn config(name: &str, port: u16) -> Config {
    let mut config = Config::new();
    config.host(name).hostaddr([127, 0, 0, 1].into()).port(port).user("postgres").dbname("postgres");
    config.ssl_mode(SslMode::Require);
    config
}

/// Starts a server with a certificate for `localhost`. Returns the server and the issuing CA's certificate.
async fn start(directory: &std::path::Path) -> Option<(Server, String)> {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    give(directory);
    let file = |name: &str, content: String| {
        let path = directory.join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        give(&path);
        path.display().to_string()
    };
    let (certificate, key) = (file("server.crt", certificate.pem()), file("server.key", key.serialize_pem()));
    let server = Server::start_on_port(vec![
        "ssl=on".to_owned(),
        format!("ssl_cert_file={certificate}"),
        format!("ssl_key_file={key}"),
        "listen_addresses=127.0.0.1".to_owned(),
    ]);
    Some((server.await?, authority.pem()))
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_of_the_server_is_verified() {
    let directory = tempfile::tempdir().unwrap();
    let Some((server, authority)) = start(directory.path()).await else { return };
    // The system does not trust the authority.
    let error = PostgresOptions::new(config("localhost", server.port())).open().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains("TLS failed") && error.to_string().contains("certificate"), "{error}");
    // A second process trusts the authority, because it uses a different list of trusted certificates.
    let trusted = directory.path().join("trusted.pem");
    std::fs::write(&trusted, authority).unwrap();
    let output = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "tls::connection_uses_tls", "--ignored", "--nocapture"]);
        command.env("SSL_CERT_FILE", trusted).env(PORT, server.port().to_string()).output().unwrap()
    });
    let output = output.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "certificate_of_the_server_is_verified runs it in a process that trusts the authority"]
async fn connection_uses_tls() {
    let Ok(port) = std::env::var(PORT) else { return };
    let port = port.parse().unwrap();
    let store = PostgresOptions::new(config("localhost", port)).max_connections(1).open().await.unwrap();
    let client = store.pool().get().await.unwrap();
    let sql = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let row = client.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, bool>(0), row.get::<_, &str>(1)), (true, "TLSv1.3"));
    // The certificate is not valid for this host name.
    let error = PostgresOptions::new(config("db.example.com", port)).open().await.unwrap_err();
    assert!(error.to_string().contains("TLS failed") && error.to_string().contains("not valid for name"), "{error}");
}
