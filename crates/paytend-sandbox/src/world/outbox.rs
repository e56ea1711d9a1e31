//! Notifications and their deliveries.

use paytend_model::{Product, payby};
use serde::{Deserialize, Serialize};

use super::time::Millis;

/// A product or provider with a separate callback URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Sender {
    Baas,
    Issuing,
    Payby,
    Payermax,
}

/// The sender of a notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "provider", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Source {
    /// Paytend, with the product and type of the notification.
    Paytend { product: String, notify_type: String },
    /// PayBy.
    PayBy,
    /// PayerMax.
    PayerMax,
}

impl Source {
    /// Returns the delay after an attempt that was not acknowledged, or `None` after the last attempt. PayBy's schedule
    /// is documented; the other schedules are specific to the sandbox.
    pub(crate) fn backoff(&self, attempts: usize) -> Option<Millis> {
        const OWN: [Millis; 6] = [5_000, 30_000, 120_000, 600_000, 3_600_000, 21_600_000];
        match self {
            Self::PayBy => payby::RETRY_SCHEDULE
                .get(attempts.checked_sub(1)?)
                .and_then(|wait| Millis::try_from(wait.as_millis()).ok()),
            _ => OWN.get(attempts.checked_sub(1)?).copied(),
        }
    }

    /// Returns the product or provider whose callback URL the notification is posted to.
    pub(crate) fn sender(&self) -> Sender {
        match self {
            Self::Paytend { product, .. } if product == Product::Issuing.as_str() => Sender::Issuing,
            Self::Paytend { .. } => Sender::Baas,
            Self::PayBy => Sender::Payby,
            Self::PayerMax => Sender::Payermax,
        }
    }

    /// Returns the name, such as `baas 2` or `payby`.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Paytend { product, notify_type } => format!("{product} {notify_type}"),
            Self::PayBy => "payby".into(),
            Self::PayerMax => "payermax".into(),
        }
    }
}

/// The state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum DeliveryState {
    /// The notification has not been acknowledged yet, and another attempt will be made.
    Pending,
    /// The receiver acknowledged the notification as documented.
    Acknowledged,
    /// All attempts failed, and no further attempt will be made.
    GivenUp,
    /// No callback URL is set.
    NoUrl,
}

/// A delivery attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attempted {
    /// The HTTP status; `None` if there was no response.
    pub(crate) status: Option<u16>,
    pub(crate) acknowledged: bool,
    /// The reason why the attempt was not acknowledged. It describes the response's body but does not quote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

impl Attempted {
    pub(crate) fn failed(status: Option<u16>, reason: impl Into<String>) -> Self {
        Self { status, acknowledged: false, reason: Some(reason.into()) }
    }

    /// Returns a description of the outcome.
    pub(crate) fn verdict(&self) -> String {
        match &self.reason {
            None => "acknowledged".into(),
            Some(reason) if self.status.is_some() => format!("not acknowledged: {reason}"),
            Some(reason) => reason.clone(),
        }
    }
}

/// A notification with its delivery attempts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivery {
    pub(crate) id: u64,
    pub(crate) partner: String,
    pub(crate) source: Source,
    /// The content before it is sealed or signed.
    pub(crate) content: String,
    pub(crate) url: Option<String>,
    pub(crate) made_at: Millis,
    pub(crate) next_at: Option<Millis>,
    pub(crate) state: DeliveryState,
    /// Whether a fault has postponed the delivery, which happens at most once.
    pub(crate) postponed: bool,
    pub(crate) attempts: Vec<(Millis, Attempted)>,
}

/// All deliveries in the order in which they were created, which is also the order of their first attempts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outbox {
    pub(crate) deliveries: Vec<Delivery>,
}

impl Outbox {
    pub(crate) fn post(
        &mut self,
        now: Millis,
        partner: &str,
        source: Source,
        content: String,
        url: Option<String>,
    ) -> u64 {
        let id = u64::try_from(self.deliveries.len()).unwrap_or(u64::MAX) + 1;
        self.deliveries.push(Delivery {
            id,
            partner: partner.to_owned(),
            source,
            content,
            state: if url.is_some() { DeliveryState::Pending } else { DeliveryState::NoUrl },
            next_at: url.is_some().then_some(now),
            url,
            made_at: now,
            postponed: false,
            attempts: Vec::new(),
        });
        id
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Delivery> {
        let at = usize::try_from(id.checked_sub(1)?).ok()?;
        self.deliveries.get(at)
    }

    /// Returns the due time and ID of the next delivery. First attempts keep their order, and a retry does not delay
    /// them.
    pub(crate) fn next(&self) -> Option<(Millis, u64)> {
        self.deliveries.iter().filter_map(|one| Some((one.next_at?, one.id))).min()
    }

    fn get_mut(&mut self, id: u64) -> Option<&mut Delivery> {
        let at = usize::try_from(id.checked_sub(1)?).ok()?;
        self.deliveries.get_mut(at)
    }

    pub(crate) fn postpone(&mut self, id: u64, until: Millis) {
        if let Some(delivery) = self.get_mut(id) {
            delivery.postponed = true;
            delivery.next_at = delivery.next_at.map(|_| until);
        }
    }

    /// Schedules another attempt immediately, regardless of the delivery's state. If the attempt fails, later retries
    /// continue the schedule; earlier attempts count towards it.
    pub(crate) fn resend(&mut self, id: u64, now: Millis, url: String) {
        let Some(delivery) = self.get_mut(id) else { return };
        (delivery.url, delivery.next_at, delivery.state) = (Some(url), Some(now), DeliveryState::Pending);
    }

    pub(crate) fn attempted(&mut self, id: u64, at: Millis, attempt: Attempted) {
        let Some(delivery) = self.get_mut(id) else { return };
        let acknowledged = attempt.acknowledged;
        delivery.attempts.push((at, attempt));
        if delivery.state != DeliveryState::Pending {
            // The delivery had already ended, and a fault caused this additional attempt.
            return;
        }
        (delivery.state, delivery.next_at) = match delivery.source.backoff(delivery.attempts.len()) {
            _ if acknowledged => (DeliveryState::Acknowledged, None),
            Some(wait) => (DeliveryState::Pending, Some(at.saturating_add(wait))),
            None => (DeliveryState::GivenUp, None),
        };
    }
}

/// Returns the content of a PayBy notification about a successful transfer.
pub(super) fn payby(now: Millis, number: u64) -> String {
    serde_json::json!({
        "notify_timestamp": now,
        "notify_id": format!("{now}{number:06}"),
        "_input_charset": "UTF-8",
        "transferToBankOrder": {
            "merchantOrderNo": format!("M{number:012}"),
            "orderNo": format!("91{number:016}"),
            "product": "Transfer To Bank",
            "status": "SUCCESS",
            "holderName": "Example Trading LLC",
            "iban": "AE070331234567890123456",
            "swiftCode": "BBMEAEAD",
            "amount": {"amount": 100, "currency": payby::CURRENCY},
            "memo": "sandbox",
            "requestTime": now,
        },
    })
    .to_string()
}

/// Returns the content of a PayerMax notification about a deposit.
pub(super) fn payermax(now: Millis, number: u64) -> String {
    let time = i64::try_from(now).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok()).unwrap_or_default();
    serde_json::json!({
        "code": "APPLY_SUCCESS",
        "msg": "Success",
        "version": "1.0",
        "keyVersion": "1",
        "appId": "2222fd568ab5452b906a3d65a1fbac19",
        "merchantNo": "P01010113842047",
        "notifyTime": format!("{time:.3}"),
        "notifyType": "DEPOSIT",
        "data": {
            "amount": {"currency": "EUR", "value": "100.00"},
            "counterparty": {"identifyId": "P01010113842047", "identifyName": "Example"},
            "direction": "INCREASE",
            "relatedTradeNo": format!("TU{number:016}"),
        },
    })
    .to_string()
}
