//! What is traced: enough to find a call, and nothing secret or personal, at the lowest level, from the libraries below as well.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use paytend_client::{Client, ConnectFailure, Environment, RetryPolicy, TransportErrorKind};
use paytend_model::issuing::{Address, CreateCardholder, QueryCardBalance, QueryTopupResult, ReplaceCard, Topup};
use paytend_sandbox::Sandbox;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::proxy::{Fault, Proxy};
use crate::scripted::{Scripted, Step};

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn take(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)))
            .into_owned()
    }
}

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Written {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// Takes down everything that this thread traces; libraries that use `log` too.
fn listen() -> (Written, tracing::subscriber::DefaultGuard) {
    let _ = tracing_log::LogTracer::init();
    let written = Written::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(written.clone())
        .finish();
    (written, tracing::subscriber::set_default(subscriber))
}

/// The variable that names the file to which all tests of this program write what is traced.
const TRACE_TO: &str = "PAYTEND_TEST_TRACE_TO";

/// Begins to write traces to a file, in the program that the test below runs.
pub(crate) fn write_traces() {
    let Some(path) = std::env::var_os(TRACE_TO) else { return };
    let _ = tracing_log::LogTracer::init();
    let file = Arc::new(std::fs::File::create(path).unwrap());
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(file);
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
}

/// This whole program once more, every test of it, with everything written down that is traced.
#[test]
fn nothing_secret_or_personal_is_traced_by_any_test() {
    if std::env::var_os(TRACE_TO).is_some() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces");
    let ran = std::process::Command::new(std::env::current_exe().unwrap()).env(TRACE_TO, &path).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.lines().count() > 1000 && text.contains("hyper"), "{} lines", text.lines().count());
    // What tests send, what is signed, and keys.
    let mut secrets: Vec<String> = [
        "CANARY",
        "8613261402222",
        "bizData=",
        "&randomKey=",
        "\"cardId\"",
        "\"orderNo\"",
        "user:secret",
        "PRIVATE KEY",
    ]
    .map(str::to_owned)
    .into();
    secrets.extend(paytend_vectors::keys().values().map(|key| key.private[60..100].to_owned()));
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret} in {}", text.lines().find(|line| line.contains(&secret)).unwrap());
    }
}

#[tokio::test]
async fn a_call_is_a_span_with_what_is_needed_to_find_it() {
    let (written, _guard) = listen();
    let transport =
        Scripted::new([Step::Unsent(TransportErrorKind::Connect(ConnectFailure::Tcp)), Step::Failure("1007")]);
    let error = transport.client().send(&QueryCardBalance::new("1".into())).await.unwrap_err();
    let text = written.take();
    let closed = text.lines().rfind(|line| line.contains("close")).unwrap();
    let id = format!("request_id=\"{}\"", error.request_id().unwrap());
    assert!(
        text.lines().any(|line| line.contains("attempted") && line.contains(error.request_id().unwrap())),
        "{text}"
    );
    for part in
        ["operation=\"getCardBalance\"", &id, "attempts=2", "http_status=200", "outcome=Rejected", "latency_ms="]
    {
        assert!(closed.contains(part), "{part} in {closed}");
    }
    assert!(text.contains("trying again"), "{text}");
}

/// Calls of every kind, good and bad, over real connections.
#[tokio::test]
async fn nothing_secret_or_personal_is_traced() {
    let (written, _guard) = listen();
    let sandbox = Sandbox::start().await.unwrap();
    let proxy = Proxy::before(&sandbox.url()).await;
    let keyring = sandbox.partner_keyring().unwrap();
    let client = Client::builder(Environment::BaseUrl(proxy.url.clone()), sandbox.partner_id(), keyring)
        .retry(RetryPolicy::never())
        .build()
        .unwrap();

    let c = || "CANARY-personal".to_owned();
    let address = Address::new(c().into(), c().into(), c().into(), c().into(), c().into());
    let holder = CreateCardholder::new(
        c().into(),
        c().into(),
        c().into(),
        c().into(),
        "2".into(),
        c().into(),
        "1990-02-28".into(),
        "1".into(),
        "LT".into(),
        address,
    );
    client.send(&holder).await.unwrap();
    let mut secrets = Vec::new();
    let topup = Topup::new("CANARY-card".into(), "T-1".into(), "25.00".parse().unwrap(), "EUR".into());
    let prepared = client.prepare(&topup).unwrap();
    // The session key, and the whole text that is signed.
    let canonical = prepared.canonical();
    let session_key = canonical.split("&randomKey=").nth(1).unwrap().split('&').next().unwrap();
    assert_eq!(session_key.len(), 24);
    secrets.push(session_key.to_owned());
    client.transmit(&prepared).await.unwrap();
    client.send(&topup).await.unwrap_err();
    client.send(&ReplaceCard::new("1".into(), "CANARY-cvv".into(), "2".into())).await.unwrap_err();
    client.send(&QueryTopupResult::new("CANARY-order".into())).await.unwrap_err();
    client.call("topup", &serde_json::json!({"note": "CANARY-untyped"})).await.unwrap_err();
    proxy.fail("/issuing/card/topup", &[Fault::LoseAnswer]);
    client.send(&topup).await.unwrap_err();
    // An error page that repeats what was sent, and an unsigned failure that does.
    for body in [&b"<html>CANARY-page</html>"[..], br#"{"respCode":"9001","respMsg":"CANARY-message"}"#] {
        let scripted = Scripted::new([Step::Raw(500, body.to_vec(), &[("x-debug", "CANARY-header")])]);
        let (builder, _) = scripted.builder();
        builder.retry(RetryPolicy::never()).build().unwrap().send(&topup).await.unwrap_err();
    }
    // Keys, as they might be written.
    let key = sandbox.partner_key().unwrap();
    let pem = key.to_pkcs8_pem().unwrap();
    secrets.extend(pem.lines().filter(|line| !line.starts_with('-')).map(str::to_owned));
    secrets.push("CANARY".into());

    let text = written.take();
    assert!(text.lines().count() > 50, "the libraries below are listened to as well:\n{text}");
    assert!(text.contains("hyper") || text.contains("reqwest"), "{text}");
    for secret in &secrets {
        for form in [secret.clone(), base64(secret)] {
            assert!(!text.contains(&form), "{form} in {}", text.lines().find(|line| line.contains(&form)).unwrap());
        }
    }
}

/// The beginning of a secret's base64: what follows depends on what follows.
fn base64(text: &str) -> String {
    use ::base64::Engine as _;
    let whole = text.len() / 3 * 3;
    ::base64::engine::general_purpose::STANDARD.encode(&text[..whole])
}
