//! The HTTP server for operations, including the faults that apply to operations.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State as Shared};
use axum::response::Response;
use axum::routing;
use http::{HeaderValue, Request, StatusCode, Uri, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use paytend_crypto::{Error, Expected, Fields, Kind, Outgoing, PayloadProblem, danger_peek};
use paytend_model::{OperationInfo, PayloadRule, operation, operations};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower_service::Service as _;

use crate::failure::{Failure, Refusal, bare, unsigned};
use crate::faults::FaultKind;
use crate::payload::not_an_object;
use crate::runtime::core::{Core, Lost};
use crate::runtime::delivery::broken;
use crate::runtime::log::{Entry, Side};
use crate::world::Event;
use crate::world::dispatch::object;

/// The maximum number of bytes read from a request.
const READ: usize = 64 << 20;
/// The maximum length of a `requestId`, in characters.
const REQUEST_ID: usize = 32;

pub(crate) fn router(core: Arc<Core>) -> Router {
    Router::new()
        .fallback(routing::post(handle))
        // A request above the envelope's limit is still read, because its `partnerId` is needed to seal the refusal.
        .layer(DefaultBodyLimit::max(READ))
        .with_state(core)
}

/// Marks a response that must not be sent because a fault closes the connection instead.
#[derive(Clone, Debug)]
struct Closed;

/// Serves connections until the sandbox is dropped.
pub(crate) async fn serve(listener: TcpListener, app: Router, mut stopped: tokio::sync::oneshot::Receiver<()>) {
    // Dropping this set closes all open connections.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        // Ignore errors: `accept` fails, for example, if the client has already disconnected.
        let Ok((stream, _)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        let app = app.clone();
        connections.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let mut app = app.clone();
                async move {
                    let Ok::<_, Infallible>(response) = app.call(request.map(Body::new)).await;
                    if response.extensions().get::<Closed>().is_some() {
                        return Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
                    }
                    Ok(response)
                }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(30));
            // Errors are expected here, because clients disconnect and faults close connections.
            let _ = http.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
        });
    }
}

async fn handle(Shared(core): Shared<Arc<Core>>, uri: Uri, body: Result<Bytes, BytesRejection>) -> Response {
    // The body was not read, so the partner is unknown and the response cannot be sealed.
    let Ok(body) = body else { return response(StatusCode::OK, Body::from(unsigned(Failure::TooLarge))) };
    let operation = operations().iter().map(|entry| entry.info).find(|info| info.path == uri.path());
    let faults = core.faults().of_call(uri.path(), operation.map(|info| info.name));
    for fault in &faults {
        match fault {
            // The delay uses the machine's clock, because clients measure their timeouts with this clock.
            FaultKind::Latency { millis } => tokio::time::sleep(Duration::from_millis(*millis)).await,
            FaultKind::Hang => {
                unheard(&core, &uri, operation, &body, &faults, "no response is sent");
                std::future::pending::<()>().await;
            }
            FaultKind::ResetBefore => {
                unheard(&core, &uri, operation, &body, &faults, "the connection is closed");
                return closed();
            }
            FaultKind::Html502 => {
                unheard(&core, &uri, operation, &body, &faults, "502, from a proxy");
                return html_502();
            }
            FaultKind::RateLimit => {
                unheard(&core, &uri, operation, &body, &faults, "429, too many requests");
                return rate_limited();
            }
            _ => {}
        }
    }
    let answer = match answer(&core, &uri, operation, &body, &faults) {
        Ok(document) => document,
        Err(error) => {
            tracing::error!(%error, "cannot respond to the request");
            return response(StatusCode::INTERNAL_SERVER_ERROR, Body::empty());
        }
    };
    if faults.contains(&FaultKind::NotificationFirst) {
        core.run_due_if_free(core.now()).await;
    }
    core.wake.notify_one();
    if faults.contains(&FaultKind::ResetAfter) {
        return closed();
    }
    let mut response =
        if faults.contains(&FaultKind::HalfBody) { half(answer) } else { response(StatusCode::OK, Body::from(answer)) };
    for fault in &faults {
        if let FaultKind::ClockSkew { millis } = fault
            && let Some(date) = date(core.now(), *millis)
        {
            response.headers_mut().insert(header::DATE, date);
        }
    }
    response
}

/// Logs a request that is not carried out because of a fault.
fn unheard(
    core: &Core,
    uri: &Uri,
    operation: Option<&'static OperationInfo>,
    body: &[u8],
    faults: &[FaultKind],
    verdict: &str,
) {
    let partner = danger_peek(body, Kind::Request, "partnerId").ok().flatten().unwrap_or_default();
    core.log.add(Entry {
        id: 0,
        kind: "call",
        at: core.now(),
        partner,
        what: operation.map_or_else(|| uri.path().to_owned(), |info| info.name.to_owned()),
        path: Some(uri.path().to_owned()),
        verdict: format!("not carried out: {verdict}"),
        good: false,
        faults: faults.to_vec(),
        delivery: None,
        url: None,
        status: None,
        findings: Vec::new(),
        sent: Side { wire: String::from_utf8_lossy(body).into_owned(), ..Side::default() },
        answered: Side::default(),
    });
}

fn response(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn closed() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Closed);
    response
}

fn html_502() -> Response {
    let page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";
    let mut response = response(StatusCode::BAD_GATEWAY, Body::from(page));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

fn rate_limited() -> Response {
    let mut response = response(StatusCode::TOO_MANY_REQUESTS, Body::from(unsigned(Failure::RateLimited)));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Returns a response with the full content length but only half of the body.
fn half(document: String) -> Response {
    let length = document.len();
    let sent = Bytes::from(document).slice(..length / 2);
    let parts = [Ok(sent), Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))];
    let mut response = response(StatusCode::OK, Body::from_stream(futures_util::stream::iter(parts)));
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}

fn date(now: u64, skew: i64) -> Option<HeaderValue> {
    let at = i64::try_from(now).ok()?.saturating_add(skew);
    // An HTTP date has a four-digit year, so a time after the year 9999 cannot be expressed.
    let at = u64::try_from(at).ok().filter(|at| *at < 253_402_300_800_000)?;
    let at = std::time::UNIX_EPOCH + Duration::from_millis(at);
    HeaderValue::from_str(&httpdate::fmt_http_date(at)).ok()
}

/// The error returned if the sandbox cannot create a response.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error(transparent)]
    Seal(#[from] Error),
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// A request that has been read, and its outcome.
struct Heard {
    /// The `partnerId`, or an empty string if the request does not contain one.
    partner: String,
    sent: Side,
    outcome: Result<String, Refusal>,
    /// Warnings about the request, whether or not it was refused.
    findings: Vec<String>,
    /// Whether the response is unsigned, as documented for malformed requests.
    unsigned: bool,
}

/// Carries out a request and returns the response document. Returns an error only if the sandbox itself fails.
fn answer(
    core: &Arc<Core>,
    uri: &Uri,
    operation: Option<&'static OperationInfo>,
    body: &Bytes,
    faults: &[FaultKind],
) -> Result<String, NoAnswer> {
    let heard = hear(core, uri.path(), operation, body, faults)?;
    let (code, message) = match &heard.outcome {
        Ok(_) => ("00", "success".to_owned()),
        Err(refusal) => (refusal.failure.code(), refusal.message()),
    };
    let data = heard.outcome.as_deref().unwrap_or_default();
    let answered = if heard.unsigned {
        Side { wire: bare(code, &message), ..Side::default() }
    } else if faults.contains(&FaultKind::UnsignedSuccess) {
        Side { wire: bare("00", "success"), ..Side::default() }
    } else {
        let keyring = core.keyring(&heard.partner, faults)?;
        let fields = Fields::response(code, &message);
        let sealed = keyring.seal(&Outgoing::new(&fields).payload(data))?;
        let canonical = Some(sealed.canonical(data).to_string());
        let mut wire = broken(sealed.into_document(), faults);
        if core.look(|world| world.settings.encrypt_flag) {
            // `encryptFlag` is reserved and not signed, so it is added after sealing.
            wire.replace_range(..1, r#"{"encryptFlag":"1","#);
        }
        Side { wire, canonical, payload: Some(data.to_owned()) }
    };
    let wire = answered.wire.clone();
    #[cfg(feature = "explain")]
    let (partner, refused) = (heard.partner.clone(), heard.outcome.as_ref().err().map(|refusal| refusal.failure));
    let entry = core.log.add(Entry {
        id: 0,
        kind: "call",
        at: core.now(),
        partner: heard.partner,
        what: operation.map_or_else(|| uri.path().to_owned(), |info| info.name.to_owned()),
        path: Some(uri.path().to_owned()),
        verdict: format!("{code} {message}"),
        good: heard.outcome.is_ok(),
        faults: faults.to_vec(),
        delivery: None,
        url: None,
        status: Some(200),
        findings: heard.findings,
        sent: heard.sent,
        answered,
    });
    #[cfg(feature = "explain")]
    if matches!(refused, Some(Failure::NotAuthentic | Failure::Malformed)) {
        let payload_signed = operation.is_none_or(|info| info.payload != PayloadRule::Unsigned);
        core.explain_later(entry, &partner, payload_signed, body.clone());
    }
    #[cfg(not(feature = "explain"))]
    let _ = entry;
    Ok(wire)
}

fn hear(
    core: &Core,
    path: &str,
    operation: Option<&'static OperationInfo>,
    body: &[u8],
    faults: &[FaultKind],
) -> Result<Heard, NoAnswer> {
    let refused = |partner: &str, refusal: Refusal, unsigned: bool| Heard {
        partner: partner.to_owned(),
        sent: Side { wire: String::from_utf8_lossy(body).into_owned(), ..Side::default() },
        outcome: Err(refusal),
        findings: Vec::new(),
        unsigned,
    };
    // The documentation says that some errors, such as a field of the wrong type, are returned without a signature.
    let without_signature = |partner: &str, failure: Failure| Ok(refused(partner, failure.into(), true));
    let most = Kind::Request.default_max_bytes();
    let partner = match partner_of(body) {
        Ok(partner) => partner,
        Err(failure) => return without_signature("", failure),
    };
    let keyring = match core.keys().seals(&partner) {
        Some(seals) => seals.current.clone(),
        None => return without_signature(&partner, Failure::UnknownPartner),
    };
    if body.len() > most {
        let detail = format!("the maximum is {most} bytes; found {}", body.len());
        return Ok(refused(&partner, Refusal::because(Failure::TooLarge, detail), false));
    }
    let mut expected = Expected::request(partner.as_str());
    if operation.is_some_and(|info| info.payload == PayloadRule::Unsigned) {
        expected = expected.unsigned_payload();
    }
    let bad_data = |problem: &PayloadProblem| {
        let refusal = operation.map_or(Failure::UnknownPath.into(), |info| {
            let key = core.keys().own();
            Refusal::because(Failure::BadData, not_an_object(info, body, key, problem))
        });
        Ok(refused(&partner, refusal, false))
    };
    let opened = match keyring.open(body, &expected) {
        // Opening accepts some payloads that are not strict JSON, but a request must be strict JSON.
        Ok(opened) => match opened.payload_problem() {
            Some(problem) => return bad_data(problem),
            None => opened,
        },
        Err(Error::Payload(problem)) => return bad_data(&problem),
        Err(Error::Malformed(problem)) => {
            return Ok(refused(&partner, Refusal::because(Failure::Malformed, problem), true));
        }
        Err(Error::NotAuthentic) => return without_signature(&partner, Failure::NotAuthentic),
        Err(error) => return Err(error.into()),
    };
    let payload = opened.payload_text().unwrap_or_default();
    let request_id = opened.field("requestId").unwrap_or_default();
    let (findings, outcome) = match operation {
        None => (Vec::new(), Err(Failure::UnknownPath.into())),
        Some(_) if request_id.chars().count() > REQUEST_ID => {
            let found = request_id.chars().count();
            let detail = format!("`requestId` must be at most {REQUEST_ID} characters long; found {found}");
            (Vec::new(), Err(Refusal::because(Failure::InvalidField, detail)))
        }
        Some(info) => {
            let outcome = core
                .happen(|at| Event::Call {
                    at,
                    partner: partner.clone(),
                    path: path.to_owned(),
                    request_id: request_id.to_owned(),
                    data: payload.to_owned(),
                    duplicates: faults.contains(&FaultKind::ExecuteDuplicate),
                })
                .inspect(|_| tracing::debug!(operation = info.name, "operation called"))?;
            (findings(info, payload), outcome)
        }
    };
    let sent = Side {
        canonical: Some(String::from_utf8_lossy(&opened.canonical()).into_owned()),
        payload: Some(payload.to_owned()),
        wire: String::from_utf8_lossy(body).into_owned(),
    };
    Ok(Heard { partner, sent, outcome, findings, unsigned: false })
}

/// Returns a warning for each broken rule that does not cause a refusal. Field values are never included.
fn findings(info: &OperationInfo, payload: &str) -> Vec<String> {
    let findings = operation(info.path).map(|entry| entry.review(object(payload))).unwrap_or_default();
    findings.iter().filter(|finding| !finding.is_error()).map(ToString::to_string).collect()
}

/// Returns the `partnerId` in a request of any length. The request is not verified.
fn partner_of(body: &[u8]) -> Result<String, Failure> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        #[serde(default)]
        partner_id: String,
    }

    if body.len() > Kind::Request.default_max_bytes() {
        return serde_json::from_slice::<Named>(body).map(|named| named.partner_id).map_err(|_| Failure::TooLarge);
    }
    danger_peek(body, Kind::Request, "partnerId").map(Option::unwrap_or_default).map_err(|_| Failure::Malformed)
}
