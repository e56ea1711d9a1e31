//! Notifications, sealed and posted.

use std::fmt;

use http::header;
use paytend_crypto::{Fields, Outgoing};
use paytend_model::iban::IbanTransaction;
use paytend_model::{Amount, Code, Currency, Personal};
use serde::Deserialize;

use crate::Sandbox;

/// Money that arrives on the partner's account.
#[derive(Clone, Debug)]
pub struct Deposit {
    amount: Amount,
    currency: Currency,
    reference: Option<Personal>,
}

impl Deposit {
    /// So much, in major units of `currency`.
    pub fn new(amount: Amount, currency: &str) -> Self {
        Self { amount, currency: currency.into(), reference: None }
    }

    /// The payer's reference.
    #[must_use]
    pub fn reference(mut self, text: &str) -> Self {
        self.reference = Some(text.into());
        self
    }

    fn into_transaction(self, number: u64) -> IbanTransaction {
        let mut transaction = IbanTransaction::new();
        transaction.transaction_id = Some(format!("T{number:012}").into());
        transaction.order_no = Some(format!("F{number:012}").into());
        transaction.account_num = Some("LT463570021000000451".into());
        transaction.trade_type = Some(Code::number(1));
        transaction.trade_status = Some(Code::number(2));
        transaction.payment_type = Some(Code::number(3));
        transaction.currency = Some(self.currency.clone());
        transaction.amount = Some(self.amount.clone().into_number());
        transaction.counterparty_account_name = Some("Example GmbH".into());
        transaction.counterparty_account_num = Some("DE89370400440532013000".into());
        transaction.reference = self.reference;
        transaction.ex_rate = Some("1.0000".into());
        transaction.target_currency = Some(self.currency);
        transaction.target_amount = Some(self.amount.into_number());
        transaction
    }
}

/// What became of a notification.
pub struct Delivery {
    document: String,
    status: u16,
    acknowledged: bool,
}

impl Delivery {
    /// The document that was posted.
    pub fn document(&self) -> &str {
        &self.document
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the answer was the documented acknowledgement: HTTP 200 and `{"status":"00"}`.
    pub fn acknowledged(&self) -> bool {
        self.acknowledged
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("status", &self.status)
            .field("acknowledged", &self.acknowledged)
            .finish_non_exhaustive()
    }
}

/// Why a notification could not be posted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliverError {
    /// The partner has set no callback URL.
    #[error("no callback URL is set; send the operation setCallbackUrl first")]
    NoCallbackUrl,
    /// The notification could not be sealed.
    #[error("the notification cannot be sealed")]
    Seal(#[from] paytend_crypto::Error),
    /// The content could not be written.
    #[error("the content cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The callback URL could not be reached.
    #[error("the callback URL cannot be reached")]
    Http(#[source] reqwest::Error),
}

impl Sandbox {
    /// Lets money arrive: seals the fund deposit notification (BaaS, `notifyType` 2) for the first partner and posts it to the
    /// callback URL that was set, once.
    ///
    /// # Errors
    /// [`DeliverError`]. An answer that is no acknowledgement is not an error; see [`Delivery::acknowledged`].
    pub async fn deposit(&self, deposit: &Deposit) -> Result<Delivery, DeliverError> {
        let partner = self.core.partner(self.partner_id()).ok_or(DeliverError::NoCallbackUrl)?;
        let (url, number) = {
            let mut state = partner.state();
            let url = state.callback_url().ok_or(DeliverError::NoCallbackUrl)?.to_owned();
            (url, state.next_deposit())
        };
        let content = serde_json::to_string(&deposit.clone().into_transaction(number))?;
        let fields = Fields::notification(self.partner_id(), "2");
        let document = partner.keyring.seal(&Outgoing::new(&fields).payload(&content))?.into_document();
        let posted = self
            .http
            .post(url)
            .header(header::CONTENT_TYPE, "application/json; charset=UTF-8")
            .body(document.clone())
            .send()
            .await
            .map_err(DeliverError::Http)?;
        let status = posted.status().as_u16();
        let body = posted.bytes().await.map_err(DeliverError::Http)?;
        Ok(Delivery { acknowledged: status == 200 && is_acknowledgement(&body), document, status })
    }
}

fn is_acknowledgement(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Acknowledgement {
        status: String,
    }
    serde_json::from_slice::<Acknowledgement>(body).is_ok_and(|answer| answer.status == "00")
}
