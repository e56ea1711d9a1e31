//! The settings of a sandbox.

use serde::{Deserialize, Serialize};

use super::time::Millis;

/// The durations of asynchronous processes, in milliseconds of the sandbox's time.
///
/// # Examples
///
/// ```
/// use paytend_sandbox::Timing;
///
/// let mut timing = Timing::realistic();
/// timing.topup = 500;
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Timing {
    /// How long it takes until a topup's money is on the card.
    pub topup: Millis,
    /// How long the audit of a new cardholder takes.
    pub holder_audit: Millis,
    /// How long after an application the cards are shipped.
    pub shipment: Millis,
    /// How long after the questionnaire the account is opened.
    pub account_audit: Millis,
    /// How long after a card replacement the old card's balance is moved to the new card. According to the
    /// documentation, this takes at most 24 hours.
    pub replacement: Millis,
}

impl Timing {
    /// Returns zero durations, so that everything is complete when the response is sent. This is suitable for tests.
    pub fn instant() -> Self {
        Self { topup: 0, holder_audit: 0, shipment: 0, account_audit: 0, replacement: 0 }
    }

    /// Returns durations of a few seconds, and one day for a replaced card's balance, so that clients have to poll.
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

/// The settings of a sandbox.
///
/// # Examples
///
/// ```
/// use paytend_sandbox::{Sandbox, Settings};
///
/// let mut settings = Settings::default();
/// settings.strict = true;
/// let builder = Sandbox::builder().settings(settings);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Settings {
    /// The durations of asynchronous processes, such as audits and topups.
    pub timing: Timing,
    /// The currency of all accounts and cards.
    pub currency: String,
    /// The partner's initial funds, in hundredths of the currency's unit.
    pub funds: i64,
    /// The fee for an active card per 30 days, in hundredths of the currency's unit.
    pub monthly_fee: i64,
    /// Whether responses have the reserved `encryptFlag` field.
    pub encrypt_flag: bool,
    /// The minimum deposit amount that triggers a transfer order, in hundredths of the currency's unit.
    pub transfer_order_from: i64,
    /// Whether a request is refused if it breaks a rule that is only inferred.
    pub strict: bool,
    /// Whether the bare word `SUCCESS`, which PayBy's sample code returns, acknowledges a PayBy notification.
    pub payby_plain_success: bool,
    /// The hosts of receivers whose TLS certificates are not verified, such as `localhost`.
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
