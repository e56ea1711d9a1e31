//! The demo steps with notifications: a deposit, a duplicate, and forged messages.

use paytend_client::RawResponse;
use paytend_crypto::rsa::Backend as _;
use paytend_crypto::{Fields, Keyring, Kind, Outgoing};
use paytend_crypto_aws_lc::AwsLc;
use paytend_model::Amount;
use paytend_model::issuing::QueryCardBalance;
use paytend_sandbox::Deposit;
use paytend_webhook::explain::{KnownKeys, explain_envelope};

use super::partner::{key_directory, unexpected};
use super::{Demo, require};
use crate::connection::{PARTNER_PRIVATE, PAYTEND_PUBLIC};
use crate::exit::{Category, Failure};

/// The size of the attacker's key, in bits.
const BITS: usize = 1024;

impl Demo<'_> {
    pub(super) async fn receive_deposit(&mut self) -> Result<(), Failure> {
        self.report.section("Receive a deposit")?;
        self.report.begin("deposit", "Paytend reports a deposit")?;
        let amount: Amount = "1250.07".parse().map_err(unexpected)?;
        let deposit = Deposit::new(amount.clone(), "EUR").reference("Invoice 42");
        let delivery = self.sandbox.deposit(&deposit).await.map_err(|e| Failure::new(Category::Network, e))?;
        self.report.wire("notification", delivery.document());
        require(delivery.is_acknowledged(), "the notification was not acknowledged")?;
        self.report.fact("acknowledged", true);
        self.report.end("verified and stored, then acknowledged")?;

        self.report.begin("notification", "The deposit is booked")?;
        let (booked, currency) = self.server.booked_deposit().await?;
        require(booked == amount.to_string(), "the booked amount differs from the amount paid in")?;
        self.report.fact("amount", format!("{booked} {currency}"));
        self.report.end(&format!("{booked} {currency}, in the transaction that completes the notification"))?;

        self.report.begin("duplicate", "The same notification arrives again")?;
        let (before, _) = self.server.stored().await?;
        let status = self.server.post(delivery.document()).await?;
        let (after, _) = self.server.stored().await?;
        let bookings = self.server.bookings().await?.len();
        self.report.fact("status", status);
        self.report.fact("bookings", bookings);
        require(status == 200 && after == before && bookings == 1, "the duplicate was not ignored")?;
        self.report.end("acknowledged and ignored: 1 booking")
    }

    pub(super) async fn refuse_forgeries(&mut self, card: &str) -> Result<(), Failure> {
        self.report.section("Refuse forged messages")?;
        self.tampered(card).await?;
        let document = self.forged().await?;
        self.explained(&document)
    }

    /// Checks that the client refuses a response that was changed in transit.
    async fn tampered(&mut self, card: &str) -> Result<(), Failure> {
        self.report.begin("tampered", "An attacker changes a response")?;
        let client = &self.partner.client;
        let prepared = client.prepare(&QueryCardBalance::new(card))?;
        let raw = client.transmit(&prepared).await?;
        let changed = String::from_utf8_lossy(raw.body()).replace("success", "succes5");
        require(changed.as_bytes() != raw.body(), "the response could not be changed")?;
        let error = match client.open(&prepared, &RawResponse::new(raw.status(), changed.into_bytes())) {
            Ok(_) => return Err(Failure::new(Category::NotAuthentic, "a changed response was accepted")),
            Err(error) => error,
        };
        self.report.fact("answer", error.to_string());
        require(!error.is_authenticated(), "the changed response was reported as authenticated")?;
        self.report.end("the client refuses it")
    }

    /// Checks that the server refuses a notification that was sealed with an attacker's key. Returns the notification.
    async fn forged(&mut self) -> Result<String, Failure> {
        self.report.begin("forgery", "An attacker forges a notification")?;
        let attacker = AwsLc.generate(BITS)?;
        let keyring =
            Keyring::builder().backend(&AwsLc).own_key(&attacker).peer_key(&self.partner.public_key).build()?;
        let fields = Fields::notification(&self.partner.id, "2");
        let sealed = keyring.seal(&Outgoing::new(&fields).payload(r#"{"amount":1000000.00,"currency":"EUR"}"#))?;
        let (before, _) = self.server.stored().await?;
        self.report.wire("notification", sealed.document());
        let status = self.server.post(sealed.document()).await?;
        self.report.fact("status", status);
        let (after, _) = self.server.stored().await?;
        require(status == 400 && before == after, "the forged notification was not refused")?;
        self.report.end("the server refuses it: HTTP status 400")?;
        Ok(sealed.into_document())
    }

    /// Explains why the forged notification was refused.
    fn explained(&mut self, document: &str) -> Result<(), Failure> {
        self.report.begin("explain", "paytend explain shows the reason")?;
        let keys = key_directory(self.directory);
        let known = KnownKeys::new()
            .own("the partner's key", &std::fs::read(keys.join(PARTNER_PRIVATE))?)?
            .sender("Paytend's key", &std::fs::read(keys.join(PAYTEND_PUBLIC))?)?
            .partner_id(&self.partner.id);
        let explanation = explain_envelope(Kind::Notification, true, document.as_bytes(), &known);
        require(!explanation.authentic(), "paytend explain reports the forged notification as authentic")?;
        let findings: Vec<String> = explanation.findings().iter().map(ToString::to_string).collect();
        self.report.fact("findings", findings.clone());
        self.report.end(&findings.into_iter().next().unwrap_or_default())
    }
}
