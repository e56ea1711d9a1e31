//! What a test asks a sandbox, and makes it do.

use std::fmt;

use paytend_model::Amount;
use serde_json::json;

use crate::Sandbox;
use crate::clock::Pace;
use crate::faults::Fault;
use crate::world::money::number;
use crate::world::{CardState, DeliveryState, Event, Place, TopupState, Trigger};

/// Money that arrives on an account.
#[derive(Clone, Debug)]
pub struct Deposit {
    amount: Amount,
    currency: String,
    reference: Option<String>,
    account: Option<String>,
}

impl Deposit {
    /// So much, in major units of `currency`.
    pub fn new(amount: Amount, currency: &str) -> Self {
        Self { amount, currency: currency.to_owned(), reference: None, account: None }
    }

    /// The payer's reference.
    #[must_use]
    pub fn reference(mut self, text: &str) -> Self {
        self.reference = Some(text.to_owned());
        self
    }

    /// The account's IBAN (default: the first that was opened).
    #[must_use]
    pub fn account(mut self, iban: &str) -> Self {
        self.account = Some(iban.to_owned());
        self
    }

    fn content(&self) -> String {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        // The digits of the amount without trailing zeros, and no binary number.
        let mut fields = format!("{{\"amount\":{},\"currency\":{}", number(&self.amount), text(&self.currency));
        for (name, value) in [("reference", &self.reference), ("accountNum", &self.account)] {
            if let Some(value) = value {
                fields.push_str(&format!(",\"{name}\":{}", text(value)));
            }
        }
        fields + "}"
    }
}

/// What became of a notification.
#[derive(Clone)]
pub struct Delivery {
    what: String,
    content: String,
    document: String,
    attempts: Vec<(u64, Option<u16>)>,
    reason: Option<String>,
    state: DeliveryState,
}

impl Delivery {
    /// Such as `baas 2` (the product and `notifyType`), `payby`, `payermax`.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What it tells, as JSON text.
    pub fn content(&self) -> &str {
        &self.content
    }

    /// The document that was posted last; empty before the first attempt.
    pub fn document(&self) -> &str {
        &self.document
    }

    /// The HTTP status of the last answer; 0 if there was none.
    pub fn status(&self) -> u16 {
        self.attempts.last().and_then(|(_, status)| *status).unwrap_or_default()
    }

    /// Why the last attempt was not acknowledged: the connection, the status, or the body. `None` if it was, or if there was
    /// no attempt.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// How often it was posted.
    pub fn attempts(&self) -> usize {
        self.attempts.len()
    }

    /// When it was posted, each time, in milliseconds of the sandbox's time.
    pub fn times(&self) -> impl Iterator<Item = u64> {
        self.attempts.iter().map(|(at, _)| *at)
    }

    /// Whether the answer was the documented acknowledgement.
    pub fn acknowledged(&self) -> bool {
        self.state == DeliveryState::Acknowledged
    }

    /// Whether there will be no other attempt.
    pub fn ended(&self) -> bool {
        self.state != DeliveryState::Pending
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("what", &self.what)
            .field("attempts", &self.attempts)
            .field("reason", &self.reason)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// Why the sandbox's owner was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliverError {
    /// The partner has set no callback URL.
    #[error("no callback URL is set: BaaS' is set by the operation setCallbackUrl, Issuing's by the sandbox's owner")]
    NoCallbackUrl,
    /// The sandbox's own rules.
    #[error("{message} ({code})")]
    Refused {
        /// The code of a [`Failure`](crate::Failure).
        code: &'static str,
        /// In words.
        message: String,
    },
    /// It could not be written down, so it did not happen.
    #[error("{0}")]
    Lost(String),
}

/// A card, as it is now.
#[derive(Clone, Debug)]
pub struct CardView {
    balance: Amount,
    state: CardState,
    holder: Option<String>,
}

impl CardView {
    /// What is on it.
    pub fn balance(&self) -> &Amount {
        &self.balance
    }

    /// Its state.
    pub fn state(&self) -> CardState {
        self.state
    }

    /// Whose it is.
    pub fn holder(&self) -> Option<&str> {
        self.holder.as_deref()
    }
}

impl Sandbox {
    fn trigger(&self, trigger: Trigger) -> Result<Vec<u64>, DeliverError> {
        let partner = self.partner_id().to_owned();
        let answer = self
            .core
            .happen(|at| Event::Triggered { at, partner, trigger })
            .map_err(|lost| DeliverError::Lost(lost.to_string()))?;
        let text = answer
            .map_err(|refusal| DeliverError::Refused { code: refusal.failure.code(), message: refusal.message() })?;
        let told: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let ids = told["deliveries"].as_array().into_iter().flatten();
        Ok(ids.filter_map(serde_json::Value::as_u64).collect())
    }

    /// Makes it happen and posts what it tells of, once; the first notification that was made.
    async fn happen(&self, trigger: Trigger) -> Result<Delivery, DeliverError> {
        let made = self.trigger(trigger)?;
        self.core.run_due(self.core.now()).await;
        let first = made.first().and_then(|id| self.delivery(*id)).ok_or(DeliverError::NoCallbackUrl)?;
        if first.state == DeliveryState::NoUrl { Err(DeliverError::NoCallbackUrl) } else { Ok(first) }
    }

    /// Lets money arrive on an account of the first partner's: books it, and posts the fund deposit notification (BaaS, `notifyType` 2) to the
    /// callback URL that was set. It is posted again by the schedule of [`advance`](Self::advance) until it is acknowledged.
    ///
    /// # Errors
    /// [`DeliverError`]. An answer that is no acknowledgement is not an error; see [`Delivery::acknowledged`].
    pub async fn deposit(&self, deposit: &Deposit) -> Result<Delivery, DeliverError> {
        self.notify("baas", "2", &deposit.content()).await
    }

    /// Makes one of Paytend's notifications happen, with what it tells of: money arrives, a card is used, an audit ends. `content` is a JSON
    /// object whose fields replace those that the sandbox would write.
    ///
    /// # Errors
    /// As [`deposit`](Self::deposit).
    pub async fn notify(&self, product: &str, notify_type: &str, content: &str) -> Result<Delivery, DeliverError> {
        let (product, notify_type) = (product.to_owned(), notify_type.to_owned());
        self.happen(Trigger::Notification { product, notify_type, content: content.to_owned() }).await
    }

    /// Sets where Issuing Cards' notifications go. BaaS' go where the operation `setCallbackUrl` says; Issuing's URL is agreed upon otherwise.
    ///
    /// # Errors
    /// When it is no HTTP URL.
    pub fn issuing_callback(&self, url: &str) -> Result<(), DeliverError> {
        self.trigger(Trigger::IssuingCallback { url: Some(url.to_owned()) }).map(drop)
    }

    /// Posts a notification of PayBy's to a URL, by PayBy's schedule until it is acknowledged.
    ///
    /// # Errors
    /// As [`deposit`](Self::deposit).
    pub async fn payby(&self, url: &str, content: &str) -> Result<Delivery, DeliverError> {
        self.happen(Trigger::PayBy { url: url.to_owned(), content: content.to_owned() }).await
    }

    /// Posts a notification of PayerMax's to a URL.
    ///
    /// # Errors
    /// As [`deposit`](Self::deposit).
    pub async fn payermax(&self, url: &str, content: &str) -> Result<Delivery, DeliverError> {
        self.happen(Trigger::PayerMax { url: url.to_owned(), content: content.to_owned() }).await
    }

    /// PayBy's (`payby`) or PayerMax's (`payermax`) public key, made when it is first asked for.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn provider_key(&self, provider: &str) -> Result<paytend_crypto::PublicKey, paytend_crypto::Error> {
        let name = if provider == "payermax" { "payermax" } else { "payby" };
        Ok(self.core.keys().provider(name)?.public_key().clone())
    }

    /// Lets time pass. Everything that falls due meanwhile, retries and audits above all, happens at its time and has happened when this ends. Ten years at most.
    pub async fn advance(&self, by: std::time::Duration) {
        self.core.advance(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)).await;
    }

    /// The sandbox's time, in milliseconds since 1970.
    pub fn now(&self) -> u64 {
        self.core.now()
    }

    /// Changes how time goes.
    pub fn set_pace(&self, pace: Pace) {
        self.core.set_clock(self.core.now(), pace);
    }

    /// Sets a fault.
    pub fn fault(&self, fault: Fault) {
        self.core.faults().add(fault);
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.core.faults().clear();
    }

    /// Gives Paytend a new key, and says what it is; what is signed by the old one is a [stale key](crate::FaultKind::StaleKey)'s.
    ///
    /// # Errors
    /// When none can be made.
    pub fn rotate_key(&self) -> Result<paytend_crypto::PublicKey, paytend_crypto::Error> {
        self.core.keys().rotate()
    }

    fn delivery(&self, id: u64) -> Option<Delivery> {
        let document = self.core.log.of_delivery(id).map(|entry| entry.sent.wire).unwrap_or_default();
        self.core.look(|world| {
            let one = world.outbox.get(id)?;
            Some(Delivery {
                what: one.source.name(),
                content: one.content.clone(),
                document,
                attempts: one.attempts.iter().map(|(at, attempt)| (*at, attempt.status)).collect(),
                reason: one.attempts.last().and_then(|(_, attempt)| attempt.reason.clone()),
                state: one.state,
            })
        })
    }

    /// All notifications, in the order in which they were made.
    pub fn deliveries(&self) -> Vec<Delivery> {
        let ids: Vec<u64> = self.core.look(|world| world.outbox.deliveries.iter().map(|one| one.id).collect());
        ids.into_iter().filter_map(|id| self.delivery(id)).collect()
    }

    /// A card of the first partner's, if there is one.
    pub fn card(&self, id: &str) -> Option<CardView> {
        self.core.look(|world| {
            let partner = world.partners.get(self.partner_id())?;
            let card = partner.cards.get(id)?;
            let balance = partner.ledger.balance(&Place::Card(id.to_owned()), &card.currency).amount();
            Some(CardView { balance, state: card.state, holder: card.holder.clone() })
        })
    }

    /// The first partner's funds in a currency.
    pub fn funds(&self, currency: &str) -> Amount {
        self.core.look(|world| {
            let partner = world.partners.get(self.partner_id());
            partner.map(|partner| partner.ledger.balance(&Place::Funds, currency)).unwrap_or_default().amount()
        })
    }

    /// What has become of a topup, if there was one of this order.
    pub fn topup(&self, order_no: &str) -> Option<TopupState> {
        self.core.look(|world| Some(world.partners.get(self.partner_id())?.topups.get(order_no)?.state))
    }

    /// Whether no money was made or lost, in all the time and with all the faults there were.
    pub fn conserves_money(&self) -> bool {
        self.core.look(crate::world::World::conserves)
    }

    /// How many calls were heard, by `respCode`: for assertions about retries.
    pub fn calls(&self, operation: &str) -> usize {
        self.core
            .log
            .after(0, |entry| entry.kind == "call" && entry.what == operation)
            .into_iter()
            .filter(|is| *is)
            .count()
    }

    /// Everything as JSON, for a message of a failed test; no personal data.
    pub fn summary(&self) -> String {
        self.core.look(|world| {
            json!({ "now": world.now, "conserves": world.conserves(), "deliveries": world.outbox.deliveries.len() })
        })
        .to_string()
    }
}
