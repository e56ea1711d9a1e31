//! Explains why the payload of an authentic request is not a strict JSON object.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paytend_crypto::rsa::RsaPrivate;
use paytend_crypto::{Kind, PayloadProblem, danger_peek, hazmat};
use paytend_model::{OperationInfo, operation};

/// Returns why the payload of an authentic request is not a JSON object. The reason does not quote the payload.
///
/// The payload is decrypted again, because opening a message returns its payload only if it is a JSON object.
pub(crate) fn not_an_object(
    info: &OperationInfo,
    body: &[u8],
    key: Result<Arc<dyn RsaPrivate>, paytend_crypto::Error>,
    problem: &PayloadProblem,
) -> String {
    let described =
        key.ok().and_then(|key| decrypted(body, &*key)).and_then(|payload| match std::str::from_utf8(&payload) {
            Ok(text) => {
                let findings = operation(info.path).ok()?.review(text);
                // A finding without a field describes the whole payload.
                findings.first().filter(|finding| finding.field.is_empty()).map(ToString::to_string)
            }
            Err(error) => Some(format!("the payload is not UTF-8 at byte {}", error.valid_up_to())),
        });
    described.unwrap_or_else(|| format!("the payload {problem}"))
}

/// Decrypts the payload of a request that is known to be authentic.
fn decrypted(body: &[u8], key: &dyn RsaPrivate) -> Option<Vec<u8>> {
    let field = |name: &str| {
        let text = danger_peek(body, Kind::Request, name).ok()??;
        // Some senders percent-encode `randomKey`, so decode the characters that are special in a URL.
        STANDARD.decode(text.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=")).ok()
    };
    let session_key = hazmat::decrypt_blocks(key, &field("randomKey")?).ok()?;
    hazmat::decrypt_payload(&session_key, &field(Kind::Request.payload_field())?).map(|payload| payload.to_vec())
}
