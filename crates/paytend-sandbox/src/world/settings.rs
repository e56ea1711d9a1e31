//! What an owner of a sandbox may choose.

use serde::{Deserialize, Serialize};

use super::Millis;

/// How long things take, in milliseconds of the sandbox's time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Timing {
    /// From a topup to its money's arrival on the card.
    pub topup: Millis,
    /// From a cardholder's creation to the audit's result.
    pub holder_audit: Millis,
    /// From an application to the shipment of its cards.
    pub shipment: Millis,
    /// From a questionnaire to the account.
    pub account_audit: Millis,
    /// From a replacement to the old card's money on the new one: within 24 hours, as the documentation says.
    pub replacement: Millis,
}

impl Timing {
    /// At once: what is asked for has happened when the answer comes. For tests.
    pub fn instant() -> Self {
        Self { topup: 0, holder_audit: 0, shipment: 0, account_audit: 0, replacement: 0 }
    }

    /// Some seconds, and a day for the balance of a replaced card: so that waiting has to be programmed.
    pub fn realistic() -> Self {
        let (second, hour) = (1000, 3_600_000);
        Self {
            topup: 2 * second,
            holder_audit: 5 * second,
            shipment: 10 * second,
            account_audit: 10 * second,
            replacement: 24 * hour,
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::instant()
    }
}

/// How a sandbox's world is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Settings {
    /// How long things take.
    pub timing: Timing,
    /// The currency of everything.
    pub currency: String,
    /// The partner's funds to begin with, in hundredths.
    pub funds: i64,
    /// The fee of an active card for each 30 days, in hundredths.
    pub monthly_fee: i64,
    /// Whether answers have the reserved field `encryptFlag`.
    pub encrypt_flag: bool,
    /// From how much on, in hundredths, a deposit triggers a transfer order.
    pub transfer_order_from: i64,
    /// Whether a broken rule that is only inferred refuses a request.
    pub strict: bool,
    /// Whether the bare word `SUCCESS`, which PayBy's own sample answers, acknowledges a notification of PayBy's.
    pub payby_plain_success: bool,
    /// Hosts of receivers whose TLS certificate is not verified, such as `localhost`.
    pub self_signed_hosts: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timing: Timing::default(),
            currency: "EUR".into(),
            funds: 1_000_000,
            monthly_fee: 100,
            encrypt_flag: false,
            transfer_order_from: 1_000_000,
            strict: false,
            payby_plain_success: false,
            self_signed_hosts: Vec::new(),
        }
    }
}
