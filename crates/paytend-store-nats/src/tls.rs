//! TLS connections to the servers.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use paytend_inbox::StoreError;
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::connect::Access;
use crate::error::configuration;

/// Returns the TLS settings. The server's certificate is always verified.
pub(crate) fn config(access: &Access) -> Result<ClientConfig, StoreError> {
    let builder = verifier(access.ca_file.as_deref())?;
    let Some((certificate_file, key_file)) = &access.identity else { return Ok(builder.with_no_client_auth()) };
    let certificates = certificates(certificate_file)?;
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| unreadable(key_file, "private key", &error))?;
    builder.with_client_auth_cert(certificates, key).map_err(|error| {
        // The error describes why the certificate and the key do not match. It does not contain the key.
        let (certificate, key) = (certificate_file.display(), key_file.display());
        configuration(format!("cannot use the client certificate {certificate} with the key {key}: {error}"))
    })
}

fn verifier(ca_file: Option<&Path>) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, StoreError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| configuration("cannot use TLS").with_source(error))?;
    let Some(file) = ca_file else {
        let failed = |error| configuration("cannot load the trusted certificates").with_source(error);
        return builder.with_platform_verifier().map_err(failed);
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        let invalid = |error| configuration(format!("invalid certificate in {}: {error}", file.display()));
        roots.add(certificate).map_err(invalid)?;
    }
    Ok(builder.with_root_certificates(roots))
}

/// Reads the certificates in a PEM file.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| unreadable(file, "certificate", &error))?;
    if certificates.is_empty() {
        return Err(configuration(format!("{} contains no certificate in PEM format", file.display())));
    }
    Ok(certificates)
}

/// Returns the error for a file that cannot be used. The message does not contain the file's text.
fn unreadable(file: &Path, what: &str, error: &pem::Error) -> StoreError {
    let file = file.display();
    match error {
        pem::Error::Io(error) => configuration(format!("cannot read {file}: {error}")),
        pem::Error::NoItemsFound => configuration(format!("{file} contains no {what} in PEM format")),
        _ => configuration(format!("{file} contains no valid {what} in PEM format")),
    }
}

/// Returns the TLS error that caused a connection to fail, if there is one.
pub(crate) fn failure(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(error.to_string());
        }
        // The TLS error is read from the inside of the connection error, because `source` would skip it.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = inner.map(|inner| -> &(dyn Error + 'static) { inner }).or_else(|| error.source());
    }
    None
}
