//! Checks the names and the validity of the certificates that the server presents.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use paytend_client::{CertificateProblem, ConnectFailure};
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme};
use url::Url;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::report::{Report, argument};
use super::{hint, network};
use crate::settings::Settings;
use crate::urls;

const NAME: &str = "certificate";
/// The remaining validity period below which a warning is shown. Certificates from public authorities are usually
/// renewed 30 days before they expire.
const WARNING: Duration = Duration::from_secs(21 * 24 * 3600);

/// The parts of a certificate that the messages show.
struct Shown {
    subject: String,
    issuer: String,
    names: Vec<String>,
    not_before: SystemTime,
    not_after: SystemTime,
}

/// Reports the server's certificates. `refused` is the reason why the client does not accept them, or `None` if it
/// does.
pub(super) async fn check(settings: &Settings, url: &Url, refused: Option<ConnectFailure>, report: &mut Report) {
    if url.scheme() != "https" {
        return;
    }
    // With an HTTPS proxy, `presented` would record the certificate of the proxy and not that of the server.
    if let Some(proxy) = network::proxy(settings, url).filter(|proxy| proxy.shown.starts_with("https:")) {
        return match refused {
            None => report.ok(NAME, "valid"),
            Some(failure) => {
                let arguments = [&proxy.shown, &urls::shown(url)].map(|text| argument(Path::new(text)));
                report.fail(NAME, failure, format!("curl -v --proxy {}", arguments.join(" ")));
            }
        };
    }
    let chain = presented(settings, url).await;
    match refused {
        Some(failure) => refusal(settings, failure, &chain, url, report),
        None => valid(&chain, report),
    }
}

/// Returns the command that shows the certificates.
pub(super) fn openssl(url: &Url) -> String {
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(443));
    format!("openssl s_client -showcerts -connect {host}:{port} -servername {host} </dev/null")
}

fn valid(chain: &[Shown], report: &mut Report) {
    // The earliest expiry date is reported, because an issuer's certificate can expire before the server's own.
    let Some(first) = path(chain).into_iter().min_by_key(|certificate| certificate.not_after) else {
        report.ok(NAME, "valid");
        return;
    };
    let rest = first.not_after.duration_since(SystemTime::now()).unwrap_or_default();
    let days = rest.as_secs() / (24 * 3600);
    let message =
        format!("valid until {} ({days} days): {}, issued by {}", date(first.not_after), first.subject, first.issuer);
    report.warn_if(rest < WARNING, NAME, message, "ask the server's operator for a new certificate");
}

/// Returns the path from the server's own certificate to an authority, for a chain that the client accepted. The server
/// may also present other certificates, which clients ignore, such as an expired certificate that has been replaced.
fn path(chain: &[Shown]) -> Vec<&Shown> {
    let (now, mut path) = (SystemTime::now(), Vec::from_iter(chain.first()));
    while let Some(last) = path.last()
        && last.issuer != last.subject
        && path.len() < chain.len()
    {
        let issuers = chain.iter().skip(1).filter(|one| one.subject == last.issuer && one.not_after > now);
        let Some(issuer) = issuers.max_by_key(|one| one.not_after) else { break };
        path.push(issuer);
    }
    path
}

fn refusal(settings: &Settings, failure: ConnectFailure, chain: &[Shown], url: &Url, report: &mut Report) {
    let (Some(leaf), ConnectFailure::Certificate(problem)) = (chain.first(), failure) else {
        report.fail(NAME, failure, openssl(url));
        return;
    };
    let now = SystemTime::now();
    let outdated = chain.iter().find(|one| one.not_after < now).unwrap_or(leaf);
    let early = chain.iter().find(|one| one.not_before > now).unwrap_or(leaf);
    let (message, next) = match problem {
        CertificateProblem::Expired => (
            format!("expired on {}: {}", date(outdated.not_after), outdated.subject),
            "compare the date with this machine's clock, or ask for a new certificate".to_owned(),
        ),
        CertificateProblem::NotYetValid => (
            format!("not valid before {}: {}", date(early.not_before), early.subject),
            "compare the date with this machine's clock: timedatectl status".to_owned(),
        ),
        CertificateProblem::HostName => (
            format!("is for {}, not for {}", leaf.names.join(", "), url.host_str().unwrap_or_default()),
            format!("check the base URL: {}", hint::show(settings)),
        ),
        CertificateProblem::UnknownIssuer if chain.len() == 1 && leaf.issuer == leaf.subject => (
            format!("self-signed: {}", leaf.subject),
            "if you trust this certificate, set root_certificates_file to a file that contains it".to_owned(),
        ),
        CertificateProblem::UnknownIssuer => (
            format!("{} is issued by {}, which is not trusted", leaf.subject, leaf.issuer),
            "set root_certificates_file to the authority's certificate; a proxy that inspects TLS has its own authority"
                .to_owned(),
        ),
        _ => (format!("{failure}: {}", leaf.subject), openssl(url)),
    };
    report.fail(NAME, message, next);
}

fn date(at: SystemTime) -> String {
    Timestamp::try_from(at).map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

/// Returns the certificates that the server presents, without verifying them. The handshake ends with an error, so that
/// no request is sent.
async fn presented(settings: &Settings, url: &Url) -> Vec<Shown> {
    let recorder = Arc::new(Recorder(Mutex::default()));
    let provider = Arc::new(aws_lc_rs::default_provider());
    let Ok(config) = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions() else {
        return Vec::new();
    };
    let config = config.dangerous().with_custom_certificate_verifier(recorder.clone()).with_no_client_auth();
    let http = network::http(settings, url.as_str()).ok();
    if let Some(client) = http.and_then(|http| http.tls_backend_preconfigured(config).build().ok()) {
        // The request fails, because the recorder refuses every certificate.
        let _ = client.head(url.clone()).send().await;
    }
    let chain = recorder.0.lock().unwrap_or_else(PoisonError::into_inner);
    chain.iter().filter_map(|certificate| Shown::of(certificate)).collect()
}

impl Shown {
    fn of(der: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let certificate = certificate.tbs_certificate();
        let names = certificate.get_extension::<SubjectAltName>().ok().flatten();
        let names = names.iter().flat_map(|(_, names)| &names.0).filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(name.to_string()),
            GeneralName::IpAddress(bytes) => match bytes.as_bytes() {
                [a, b, c, d] => Some(std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string()),
                bytes => <[u8; 16]>::try_from(bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
            },
            _ => None,
        });
        Some(Self {
            names: names.collect(),
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            not_before: certificate.validity().not_before.to_system_time(),
            not_after: certificate.validity().not_after.to_system_time(),
        })
    }
}

/// A verifier that records every certificate and refuses it.
#[derive(Debug)]
struct Recorder(Mutex<Vec<CertificateDer<'static>>>);

fn refused<T>() -> Result<T, TlsError> {
    Err(TlsError::General("the certificates were only recorded".to_owned()))
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let chain = [leaf].into_iter().chain(intermediates).map(|certificate| certificate.clone().into_owned());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = chain.collect();
        refused()
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        refused()
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        refused()
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
