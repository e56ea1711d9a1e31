//! Methods for inspecting and controlling a sandbox in tests.

use paytend_model::{Amount, Operation, Product};
use serde_json::json;

use crate::failure::Refusal;
use crate::faults::{Fault, FaultError};
use crate::runtime::clock::Pace;
use crate::runtime::core::Lost;
use crate::sandbox::Sandbox;
use crate::views::{CardView, Delivery};
use crate::world::entities::TopupState;
use crate::world::money::{Place, number};
use crate::world::outbox::{DeliveryState, Sender};
use crate::world::trigger::Trigger;
use crate::world::{Event, World};

/// A deposit to an account.
///
/// # Examples
///
/// ```
/// use paytend_sandbox::Deposit;
///
/// let deposit = Deposit::new("1250.07".parse()?, "EUR").reference("Invoice 42"); // `parse` returns the `Amount`
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Deposit {
    amount: Amount,
    currency: String,
    reference: Option<String>,
    account: Option<String>,
}

impl Deposit {
    /// Creates a deposit. The amount is in major units of `currency`.
    pub fn new(amount: Amount, currency: &str) -> Self {
        Self { amount, currency: currency.to_owned(), reference: None, account: None }
    }

    /// Sets the payer's reference.
    #[must_use]
    pub fn reference(mut self, text: &str) -> Self {
        self.reference = Some(text.to_owned());
        self
    }

    /// Sets the IBAN of the account. The default is the account that was opened first.
    #[must_use]
    pub fn account(mut self, iban: &str) -> Self {
        self.account = Some(iban.to_owned());
        self
    }

    fn content(&self) -> String {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        // The amount is written as decimal digits without trailing zeros, never as a floating-point number.
        let mut fields = format!("{{\"amount\":{},\"currency\":{}", number(&self.amount), text(&self.currency));
        for (name, value) in [("reference", &self.reference), ("accountNum", &self.account)] {
            if let Some(value) = value {
                fields.push_str(&format!(",\"{name}\":{}", text(value)));
            }
        }
        fields + "}"
    }
}

/// The error returned if an event cannot be triggered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliverError {
    /// The partner has not set a callback URL.
    #[error(
        "no callback URL is set; call the operation setCallbackUrl for BaaS, \
         or set the sandbox's callback URL for Issuing, PayBy or PayerMax"
    )]
    NoCallbackUrl,
    /// The sandbox refused the trigger.
    #[error("{message} ({code})")]
    Refused {
        /// The code of a [`Failure`](crate::Failure).
        code: &'static str,
        /// The reason why the sandbox refused the trigger.
        message: String,
    },
    /// The data file could not be written, so nothing was changed.
    #[error("{0}")]
    Lost(String),
}

/// Returns the response to an event, or the error for a refused event.
fn refused(result: Result<Result<String, Refusal>, Lost>) -> Result<String, DeliverError> {
    let answer = result.map_err(|lost| DeliverError::Lost(lost.to_string()))?;
    answer.map_err(|refusal| DeliverError::Refused { code: refusal.failure.code(), message: refusal.message() })
}

impl Sandbox {
    fn trigger(&self, trigger: Trigger) -> Result<Vec<u64>, DeliverError> {
        let partner = self.partner_id().to_owned();
        let text = refused(self.core.happen(|at| Event::Triggered { at, partner, trigger }))?;
        let told: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let ids = told["deliveries"].as_array().into_iter().flatten();
        Ok(ids.filter_map(serde_json::Value::as_u64).collect())
    }

    /// Applies a trigger, posts the resulting notifications once, and returns the first delivery.
    async fn happen(&self, trigger: Trigger) -> Result<Delivery, DeliverError> {
        let made = self.trigger(trigger)?;
        self.core.run_due(self.core.now()).await;
        let first = made.first().and_then(|id| self.delivery(*id)).ok_or(DeliverError::NoCallbackUrl)?;
        if first.state == DeliveryState::NoUrl { Err(DeliverError::NoCallbackUrl) } else { Ok(first) }
    }

    /// Books a deposit to an account of the first partner, and posts the fund deposit notification (`baas 2`) to the
    /// callback URL.
    ///
    /// The notification is retried on its schedule until it is acknowledged. Retries are made as the sandbox's time
    /// passes or is [advanced](Self::advance).
    ///
    /// ```no_run
    /// use paytend_sandbox::{Deposit, Sandbox};
    /// # async fn example(sandbox: Sandbox) -> Result<(), Box<dyn std::error::Error>> {
    /// let delivery = sandbox.deposit(&Deposit::new("1250.07".parse()?, "EUR")).await?;
    /// assert!(delivery.is_acknowledged(), "{:?}", delivery.reason());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`DeliverError::NoCallbackUrl`] if no callback URL is set. The deposit is booked in that case too.
    ///
    /// Returns [`DeliverError::Refused`] if the amount or the account is invalid.
    ///
    /// Returns [`DeliverError::Lost`] if the data file cannot be written.
    ///
    /// If the receiver does not acknowledge the notification, no error is returned; check
    /// [`Delivery::is_acknowledged`].
    pub async fn deposit(&self, deposit: &Deposit) -> Result<Delivery, DeliverError> {
        self.notify(Product::Baas, "2", &deposit.content()).await
    }

    /// Triggers the event behind one of Paytend's notifications, such as a deposit, a card transaction or an audit
    /// result, and posts the notification.
    ///
    /// `content` is a JSON object whose fields replace the generated fields.
    ///
    /// # Errors
    /// Returns [`DeliverError`] in the same cases as [`deposit`](Self::deposit), and [`DeliverError::Refused`] if
    /// `content` is not a JSON object or the event is not possible in the current state.
    pub async fn notify(&self, product: Product, notify_type: &str, content: &str) -> Result<Delivery, DeliverError> {
        let (product, notify_type) = (product.as_str().to_owned(), notify_type.to_owned());
        self.happen(Trigger::Notification { product, notify_type, content: content.to_owned() }).await
    }

    /// Sets the callback URL for Issuing Cards. The `setCallbackUrl` operation sets only the URL for BaaS; the URL for
    /// Issuing is agreed upon outside the API.
    ///
    /// # Errors
    /// Returns [`DeliverError::Refused`] if `url` is not an HTTP or HTTPS URL, and [`DeliverError::Lost`] if the data
    /// file cannot be written.
    pub fn issuing_callback(&self, url: &str) -> Result<(), DeliverError> {
        self.set_callback(Sender::Issuing, url)
    }

    /// Sets the callback URL for PayBy's notifications. It is agreed upon outside the API.
    ///
    /// # Errors
    /// Returns [`DeliverError`] in the same cases as [`issuing_callback`](Self::issuing_callback).
    pub fn payby_callback(&self, url: &str) -> Result<(), DeliverError> {
        self.set_callback(Sender::Payby, url)
    }

    /// Sets the callback URL for PayerMax's notifications. It is agreed upon outside the API.
    ///
    /// # Errors
    /// Returns [`DeliverError`] in the same cases as [`issuing_callback`](Self::issuing_callback).
    pub fn payermax_callback(&self, url: &str) -> Result<(), DeliverError> {
        self.set_callback(Sender::Payermax, url)
    }

    fn set_callback(&self, sender: Sender, url: &str) -> Result<(), DeliverError> {
        self.trigger(Trigger::Callback { sender, url: url.to_owned() }).map(drop)
    }

    /// Posts a PayBy notification to a URL, and retries it on PayBy's schedule until it is acknowledged. Without a URL,
    /// the notification is posted to the [callback URL](Self::payby_callback).
    ///
    /// # Errors
    /// Returns [`DeliverError::NoCallbackUrl`] if no URL is set.
    ///
    /// Returns [`DeliverError::Refused`] if `url` is not an HTTP or HTTPS URL or `content` is not a JSON object, and
    /// [`DeliverError::Lost`] if the data file cannot be written.
    pub async fn notify_payby(&self, url: Option<&str>, content: &str) -> Result<Delivery, DeliverError> {
        self.happen(Trigger::PayBy { url: url.map(str::to_owned), content: content.to_owned() }).await
    }

    /// Posts a PayerMax notification to a URL, or to the [callback URL](Self::payermax_callback).
    ///
    /// # Errors
    /// Returns [`DeliverError`] in the same cases as [`notify_payby`](Self::notify_payby).
    pub async fn notify_payermax(&self, url: Option<&str>, content: &str) -> Result<Delivery, DeliverError> {
        self.happen(Trigger::PayerMax { url: url.map(str::to_owned), content: content.to_owned() }).await
    }

    /// Posts a notification again, with the same content in a new message, and returns its delivery after the attempt.
    /// Even a notification that was acknowledged can be posted again.
    ///
    /// `delivery` is the delivery's [ID](Delivery::id). The notification is posted to its previous URL. If it had no
    /// URL, it is posted to the callback URL. If this attempt is not acknowledged, the notification is retried
    /// according to the rest of its schedule.
    ///
    /// This method first waits for deliveries in flight. A receiver must therefore not wait for this method while it is
    /// handling a delivery.
    ///
    /// ```no_run
    /// # async fn example(sandbox: paytend_sandbox::Sandbox) -> Result<(), Box<dyn std::error::Error>> {
    /// let last = sandbox.deliveries().pop().ok_or("no notification was sent")?;
    /// let again = sandbox.resend(last.id()).await?;
    /// assert_eq!(again.attempts(), last.attempts() + 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`DeliverError::Refused`] if there is no such delivery or it has no URL, and [`DeliverError::Lost`] if
    /// the data file cannot be written.
    pub async fn resend(&self, delivery: u64) -> Result<Delivery, DeliverError> {
        refused(self.core.resend(delivery, None).await)?;
        self.delivery(delivery).ok_or(DeliverError::NoCallbackUrl)
    }

    /// Returns PayBy's public key. The key is generated on first use.
    ///
    /// # Errors
    /// Returns an error if the key cannot be generated or read.
    pub fn payby_key(&self) -> Result<paytend_crypto::PublicKey, paytend_crypto::Error> {
        Ok(self.core.keys().provider("payby")?.public_key().clone())
    }

    /// Returns PayerMax's public key. The key is generated on first use.
    ///
    /// # Errors
    /// Returns an error if the key cannot be generated or read.
    pub fn payermax_key(&self) -> Result<paytend_crypto::PublicKey, paytend_crypto::Error> {
        Ok(self.core.keys().provider("payermax")?.public_key().clone())
    }

    /// Advances the sandbox's clock by at most ten years. Everything that falls due in this period, such as retries and
    /// audits, runs at its due time and is complete when this method returns.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn example(sandbox: paytend_sandbox::Sandbox) {
    /// sandbox.advance(Duration::from_secs(24 * 3600)).await;
    /// assert!(sandbox.deliveries().iter().all(|delivery| delivery.is_final()));
    /// # }
    /// ```
    pub async fn advance(&self, by: std::time::Duration) {
        self.core.advance(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)).await;
    }

    /// Returns the sandbox's time, in milliseconds since 1970.
    pub fn now(&self) -> u64 {
        self.core.now()
    }

    /// Sets the pace of the sandbox's clock.
    pub fn set_pace(&self, pace: Pace) {
        self.core.set_clock(self.core.now(), pace);
    }

    /// Adds a fault.
    ///
    /// ```no_run
    /// use paytend_model::issuing::Topup;
    /// use paytend_sandbox::{Fault, FaultKind, Sandbox};
    /// # async fn example(sandbox: Sandbox) -> Result<(), Box<dyn std::error::Error>> {
    /// // The next topup is carried out, but its response is lost.
    /// sandbox.fault(Fault::on::<Topup>(FaultKind::ResetAfter).once())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`FaultError`] if the target is unknown, or if the fault cannot apply to it. For example,
    /// [`Hang`](crate::FaultKind::Hang) cannot apply to a notification.
    pub fn fault(&self, fault: Fault) -> Result<(), FaultError> {
        self.core.faults().add(fault.checked()?);
        Ok(())
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.core.faults().clear();
    }

    /// Replaces Paytend's key and returns the new public key. The [`StaleKey`](crate::FaultKind::StaleKey) fault signs
    /// with the previous key.
    ///
    /// # Errors
    /// Returns an error if the key cannot be generated.
    pub fn rotate_key(&self) -> Result<paytend_crypto::PublicKey, paytend_crypto::Error> {
        self.core.keys().rotate()
    }

    fn delivery(&self, id: u64) -> Option<Delivery> {
        let document = self.core.log.of_delivery(id).map(|entry| entry.sent.wire).unwrap_or_default();
        self.core.look(|world| {
            let one = world.outbox.get(id)?;
            Some(Delivery {
                id,
                what: one.source.name(),
                content: one.content.clone(),
                document,
                attempts: one.attempts.iter().map(|(at, attempt)| (*at, attempt.status)).collect(),
                reason: one.attempts.last().and_then(|(_, attempt)| attempt.reason.clone()),
                state: one.state,
            })
        })
    }

    /// Returns all notifications in the order in which they were created.
    pub fn deliveries(&self) -> Vec<Delivery> {
        let ids: Vec<u64> = self.core.look(|world| world.outbox.deliveries.iter().map(|one| one.id).collect());
        ids.into_iter().filter_map(|id| self.delivery(id)).collect()
    }

    /// Returns a card of the first partner, or `None` if the card does not exist.
    pub fn card(&self, id: &str) -> Option<CardView> {
        self.core.look(|world| {
            let partner = world.partners.get(self.partner_id())?;
            let card = partner.cards.get(id)?;
            let balance = partner.ledger.balance(&Place::Card(id.to_owned()), &card.currency).amount();
            Some(CardView { balance, state: card.state, holder: card.holder.clone() })
        })
    }

    /// Returns the first partner's funds in a currency.
    pub fn funds(&self, currency: &str) -> Amount {
        self.core.look(|world| {
            let partner = world.partners.get(self.partner_id());
            partner.map(|partner| partner.ledger.balance(&Place::Funds, currency)).unwrap_or_default().amount()
        })
    }

    /// Returns the state of the topup with this order number, or `None` if there is no such topup.
    pub fn topup(&self, order_no: &str) -> Option<TopupState> {
        self.core.look(|world| Some(world.partners.get(self.partner_id())?.topups.get(order_no)?.state))
    }

    /// Returns how many topups with this order number were carried out. The count is at most one, unless the
    /// [`ExecuteDuplicate`](crate::FaultKind::ExecuteDuplicate) fault applied to a topup.
    pub fn topup_count(&self, order_no: &str) -> usize {
        self.core.look(|world| {
            let topups = world.partners.get(self.partner_id()).map(|partner| &partner.topups);
            topups.into_iter().flatten().filter(|(key, topup)| topup.order_no(key) == order_no).count()
        })
    }

    /// Returns whether no money has been created or lost since the start. This must be true even if faults were
    /// injected.
    pub fn conserves_money(&self) -> bool {
        self.core.look(World::conserves)
    }

    /// Returns the number of calls to an operation in the log, for assertions about retries. The log keeps the last
    /// thousand entries.
    ///
    /// ```no_run
    /// use paytend_model::issuing::Topup;
    /// # fn example(sandbox: paytend_sandbox::Sandbox) {
    /// assert_eq!(sandbox.calls::<Topup>(), 1, "the topup was sent once");
    /// # }
    /// ```
    pub fn calls<O: Operation>(&self) -> usize {
        self.core.log.after(0, |entry| entry.path.as_deref() == Some(O::INFO.path)).into_iter().filter(|is| *is).count()
    }

    /// Returns a short JSON summary for assertion failure messages. It contains no personal data.
    pub fn summary(&self) -> String {
        self.core.look(|world| {
            json!({ "now": world.now, "conserves": world.conserves(), "deliveries": world.outbox.deliveries.len() })
        })
        .to_string()
    }
}
