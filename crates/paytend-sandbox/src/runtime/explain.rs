//! Explains requests that fail verification. The explanation is in the log and on the web page, never in a response.

use std::sync::Arc;

use axum::body::Bytes;
use paytend_crypto::{KeyError, Kind};
use paytend_webhook::explain::{Certainty, Explanation, KnownKeys, explain_envelope};

use crate::runtime::core::Core;

impl Core {
    /// Explains a request in the background, and adds the findings to its log entry.
    pub(crate) fn explain_later(self: &Arc<Self>, entry: u64, partner: &str, payload_signed: bool, body: Bytes) {
        let Ok(place) = Arc::clone(&self.explain_queue.waiting).try_acquire_owned() else {
            self.log.find(
                entry,
                vec!["no explanation: too many requests are failing verification, and the queue is full".into()],
            );
            return;
        };
        let keys = match known_keys(self, partner) {
            Ok(keys) => keys,
            Err(error) => {
                self.log.find(entry, vec![format!("no explanation: {error}")]);
                return;
            }
        };
        let (core, running) = (Arc::clone(self), Arc::clone(&self.explain_queue.running));
        tokio::spawn(async move {
            let (_place, _turn) = (place, running.acquire_owned().await);
            let explained = tokio::task::spawn_blocking(move || {
                findings(&explain_envelope(Kind::Request, payload_signed, &body, &keys))
            });
            // The task fails only if the runtime shuts down.
            if let Ok(findings) = explained.await {
                core.log.find(entry, findings);
            }
        });
    }
}

/// Returns the keys that should open and verify the request, and the keys of other partners, which may explain the
/// failure.
fn known_keys(core: &Core, partner: &str) -> Result<KnownKeys, KeyError> {
    let keys = core.keys();
    let mut known = KnownKeys::new().own("Paytend's private key", keys.paytend.to_pkcs8_pem()?.as_bytes())?;
    known = known.other_public("Paytend's public key", keys.paytend.public_key().to_spki_pem().as_bytes())?;
    for (id, key) in &keys.partners {
        let (name, pem) = (format!("public key of partner {id}"), key.to_spki_pem());
        // A wrapped request does not reveal which partner sent it, so it may be signed with any partner's key.
        known = if id == partner || !keys.partners.contains_key(partner) {
            known.sender(name, pem.as_bytes())?
        } else {
            known.other_public(name, pem.as_bytes())?
        };
    }
    Ok(if keys.partners.contains_key(partner) { known.partner_id(partner) } else { known })
}

/// Returns the findings, followed by the suggested fixes, one per line.
fn findings(explanation: &Explanation) -> Vec<String> {
    let found = explanation.findings().iter().map(|finding| match finding.certainty() {
        Certainty::Possible => format!("possibly: {finding}"),
        _ => finding.to_string(),
    });
    let mut lines: Vec<String> = found.collect();
    lines.extend(explanation.fixes().iter().map(|fix| format!("fix: {fix}")));
    if lines.is_empty() {
        lines.push("no explanation found; compare the canonical strings and the keys of both sides".into());
    }
    lines
}
