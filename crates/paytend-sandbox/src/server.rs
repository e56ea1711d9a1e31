//! The HTTP side: one POST in, one document out.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State as Shared};
use axum::response::IntoResponse;
use axum::{Router, routing};
use http::{StatusCode, Uri, header};
use paytend_crypto::{Error, Expected, Fields, Keyring, Kind, Opened, Outgoing, danger_peek};
use paytend_model::{OperationInfo, PayloadRule, operations};

use crate::Failure;
use crate::core::{Core, Partner};

pub(crate) fn router(core: Arc<Core>) -> Router {
    Router::new()
        .fallback(routing::post(handle))
        .layer(DefaultBodyLimit::max(Kind::Request.default_max_bytes()))
        .with_state(core)
}

async fn handle(Shared(core): Shared<Arc<Core>>, uri: Uri, body: Bytes) -> impl IntoResponse {
    let (status, document) = match answer(&core, uri.path(), &body) {
        Ok(document) => (StatusCode::OK, document),
        Err(error) => {
            tracing::error!(%error, "cannot answer");
            (StatusCode::INTERNAL_SERVER_ERROR, String::new())
        }
    };
    (status, [(header::CONTENT_TYPE, "application/json; charset=UTF-8")], document)
}

/// The answer's document; an error only when the sandbox itself cannot seal one.
fn answer(core: &Core, path: &str, body: &[u8]) -> Result<String, Error> {
    let partner_id = match danger_peek(body, Kind::Request, "partnerId") {
        Ok(partner_id) => partner_id.unwrap_or_default(),
        Err(_) => return Ok(unsigned(Failure::Malformed)),
    };
    let Some(partner) = core.partner(&partner_id) else { return Ok(unsigned(Failure::UnknownPartner)) };
    let operation = operations().iter().map(|entry| entry.info).find(|info| info.path == path);
    let mut expected = Expected::request(partner_id);
    if operation.is_some_and(|info| info.payload == PayloadRule::Unsigned) {
        expected = expected.unsigned_payload();
    }
    let outcome = match partner.keyring.open(body, &expected) {
        Ok(opened) => perform(partner, operation, &opened),
        Err(Error::Payload(_)) => Err(Failure::BadData),
        // The documentation says that some errors, a field of the wrong type say, come back without signature.
        Err(Error::Malformed(_)) => return Ok(unsigned(Failure::Malformed)),
        Err(Error::NotAuthentic) => return Ok(unsigned(Failure::NotAuthentic)),
        Err(error) => return Err(error),
    };
    match outcome {
        Ok(data) => sealed(&partner.keyring, "00", "success", &data),
        Err(failure) => sealed(&partner.keyring, failure.code(), failure.message(), ""),
    }
}

fn perform(partner: &Partner, operation: Option<&OperationInfo>, opened: &Opened) -> Result<String, Failure> {
    let operation = operation.ok_or(Failure::UnknownPath)?;
    let request_id = opened.field("requestId").unwrap_or_default();
    partner.state().perform(operation, request_id, opened.payload_text())
}

fn sealed(keyring: &Keyring, code: &str, message: &str, data: &str) -> Result<String, Error> {
    let fields = Fields::response(code, message);
    Ok(keyring.seal(&Outgoing::new(&fields).payload(data))?.into_document())
}

fn unsigned(failure: Failure) -> String {
    serde_json::json!({"respCode": failure.code(), "respMsg": failure.message(), "signType": "RSA"}).to_string()
}
