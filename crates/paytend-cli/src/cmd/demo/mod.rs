//! `paytend demo`: runs a partner and a local sandbox that communicate over HTTP. Each step shows its messages and
//! their contents.

mod receiver;
mod report;

use std::time::Duration;

use clap::Args as ClapArgs;
use paytend_client::{Client, Environment, RawResponse};
use paytend_crypto::rsa::Backend as _;
use paytend_crypto::{Fields, Keyring, Outgoing, PrivateKey, PublicKey};
use paytend_crypto_aws_lc::AwsLc;
use paytend_model::funding::SetCallbackUrl;
use paytend_model::iban::VerifyMobileNumber;
use paytend_model::issuing::{
    Address, CreateCardholder, QueryCardBalance, QueryPartnerBalance, QueryTopupResult, Topup,
};
use paytend_model::{Amount, BaasNotification, Content, Notification, Operation, Product};
use paytend_sandbox::{Deposit, Failure as SandboxFailure, Sandbox};
use paytend_webhook::PaytendReceiver;
use serde_json::{Value, json};

use self::report::Report;
use crate::exit::{Category, Failure};

/// The partner ID from Paytend's documentation.
const PARTNER_ID: &str = "888666000100260";
/// The size of Paytend's current keys, in bits.
const BITS: usize = 1024;
/// The maximum time to wait for a notification.
const NOTIFICATION_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Print one JSON object per line: {"step": …, "ok": true, …}; the last line is {"step":"done", …}
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut report = Report::new(args.json);
    let outcome = runtime.block_on(Demo::run_steps(&mut report));
    report.done(outcome)
}

fn keyring(own: &PrivateKey, peer: &PublicKey) -> Result<Keyring, paytend_crypto::Error> {
    Keyring::builder().backend(&AwsLc).own_key(own).peer_key(peer).build()
}

struct Demo<'r> {
    report: &'r mut Report,
    client: Client,
}

impl Demo<'_> {
    async fn run_steps(report: &mut Report) -> Result<(), Failure> {
        report.begin("keys", "Each side generates a key pair")?;
        let partner_key = AwsLc.generate(BITS)?;
        let paytend_key = AwsLc.generate(BITS)?;
        report.fact("partner", describe(&partner_key))?;
        report.fact("paytend", describe(&paytend_key))?;
        report.end()?;

        report.begin("sandbox", "A Paytend sandbox starts on this machine")?;
        let builder = Sandbox::builder().backend(AwsLc).key(paytend_key);
        let started = builder.partner(PARTNER_ID, partner_key.public_key().clone()).start().await;
        let sandbox = started.map_err(|e| Failure::new(Category::Network, e))?;
        report.fact("url", sandbox.url())?;
        report.end()?;

        report.begin("receiver", "The partner starts a server for notifications")?;
        let keyring = keyring(&partner_key, &sandbox.public_key())?;
        let mut inbox = receiver::start(PaytendReceiver::new(Product::Baas, PARTNER_ID, keyring.clone())).await?;
        report.fact("url", inbox.url.clone())?;
        report.end()?;

        let client = Client::builder(Environment::BaseUrl(sandbox.url()), PARTNER_ID, keyring.clone()).build()?;
        let mut demo = Demo { report, client };
        demo.call(
            "setCallbackUrl",
            "The partner sets the callback URL for notifications",
            &SetCallbackUrl::builder().type_("2").url(inbox.url.as_str()).build(),
        )
        .await?;
        demo.operations(&sandbox).await?;
        demo.tampered(&sandbox).await?;
        demo.deposit(&sandbox, &mut inbox).await?;
        demo.forged(&inbox, partner_key.public_key()).await
    }

    /// Calls the operations and checks the balances.
    async fn operations(&mut self, sandbox: &Sandbox) -> Result<(), Failure> {
        let mobile = "8613261402222";
        let verify = VerifyMobileNumber::builder().mobile(mobile).type_("1").build();
        self.call("verifyMobileNumber", "A customer's mobile number is verified", &verify).await?;
        self.call("createCardholder", "A cardholder is created; names are sent as base64", &cardholder(mobile)).await?;
        let before = self.partner_balance("The partner's balance is queried").await?;

        let amount: Amount = parse("25.50")?;
        let topup = Topup::builder()
            .card_id(sandbox.card_id())
            .order_no("T-0001")
            .amount(amount.clone())
            .currency("EUR")
            .build();
        self.call("topup", "A card is topped up", &topup).await?;
        let query = QueryTopupResult::new("T-0001");
        let result = self.call("getTopupResult", "The result of the topup is queried by order number", &query).await?;
        require(result.amount.as_ref() == Some(&amount), "the reported topup amount differs from the amount sent")?;

        let query = QueryCardBalance::new(sandbox.card_id());
        let card = self.call("getCardBalance", "The card's balance has increased", &query).await?;
        require(card.balance.as_ref() == Some(&amount), "the card's balance differs from the topup amount")?;
        let after = self.partner_balance("The partner's balance has decreased").await?;
        let difference = before.checked_sub(&after).map_err(|e| Failure::new(Category::Unexpected, e))?;
        require(difference == amount, "the partner's balance did not decrease by the topup amount")?;

        self.report.begin("topupAgain", "A second topup with the same order number is rejected")?;
        let error = match self.client.send(&topup).await {
            Ok(_) => {
                return Err(Failure::new(
                    Category::Unexpected,
                    "a second topup with the same order number was accepted",
                ));
            }
            Err(error) => error,
        };
        self.report.fact("answer", error.to_string())?;
        let expected = error.is_authenticated() && error.api_code() == Some(SandboxFailure::DuplicateOrder.code());
        require(expected, "the second topup was not rejected with a signed response")?;
        self.report.end()
    }

    async fn partner_balance(&mut self, title: &str) -> Result<Amount, Failure> {
        let response = self.call("getPartnerBalance", title, &QueryPartnerBalance::new()).await?;
        let balance = response.balance.and_then(|list| list.into_iter().next());
        balance
            .map(|entry| entry.available)
            .ok_or_else(|| Failure::new(Category::Unexpected, "the response contains no balance"))
    }

    /// Sends a request, and reports the request and the response with their signed texts.
    async fn call<O: Operation>(
        &mut self,
        step: &'static str,
        title: &str,
        operation: &O,
    ) -> Result<O::Response, Failure> {
        self.report.begin(step, title)?;
        let prepared = self.client.prepare(operation)?;
        self.report.fact("path", O::INFO.path)?;
        self.report.fact("sent", signed_text(&prepared.canonical().unwrap_or_default()))?;
        self.report.wire("request", prepared.document())?;
        let raw = self.client.transmit(&prepared).await?;
        self.report.wire("response", &String::from_utf8_lossy(raw.body()))?;
        let response = self.client.open(&prepared, &raw)?;
        self.report.fact("received", signed_text(&String::from_utf8_lossy(&response.opened().canonical())))?;
        self.report.end()?;
        Ok(response.into_data())
    }

    /// Checks that the client refuses a response that was changed in transit.
    async fn tampered(&mut self, sandbox: &Sandbox) -> Result<(), Failure> {
        self.report.begin("tampered", "An attacker changes a response in transit; the client refuses it")?;
        let prepared = self.client.prepare(&QueryCardBalance::new(sandbox.card_id()))?;
        let raw = self.client.transmit(&prepared).await?;
        let changed = String::from_utf8_lossy(raw.body()).replace("success", "succes5");
        require(changed.as_bytes() != raw.body(), "the response could not be changed")?;
        let error = match self.client.open(&prepared, &RawResponse::new(raw.status(), changed.into_bytes())) {
            Ok(_) => return Err(Failure::new(Category::NotAuthentic, "a changed response was accepted")),
            Err(error) => error,
        };
        self.report.fact("answer", error.to_string())?;
        require(!error.is_authenticated(), "the changed response was reported as authenticated")?;
        self.report.end()
    }

    /// Triggers a deposit, and checks that its notification is received and acknowledged.
    async fn deposit(&mut self, sandbox: &Sandbox, inbox: &mut receiver::Inbox) -> Result<(), Failure> {
        self.report.begin("deposit", "A deposit arrives, and Paytend posts a notification")?;
        let amount: Amount = parse("1250.07")?;
        let deposit = Deposit::new(amount.clone(), "EUR").reference("Invoice 42");
        let delivery = sandbox.deposit(&deposit).await.map_err(|e| Failure::new(Category::Network, e))?;
        self.report.wire("notification", delivery.document())?;
        require(delivery.is_acknowledged(), "the notification was not acknowledged")?;
        self.report.fact("acknowledged", true)?;
        self.report.end()?;

        self.report.begin("notification", "The partner verifies the notification before reading it")?;
        let received = tokio::time::timeout(NOTIFICATION_TIMEOUT, inbox.notifications.recv()).await.ok().flatten();
        let verified = received.ok_or_else(|| Failure::new(Category::Unexpected, "no notification was received"))?;
        self.report.fact("verifiedBy", verified.verified_by().to_string())?;
        if let Some(opened) = verified.opened() {
            self.report.fact("received", signed_text(&String::from_utf8_lossy(&opened.canonical())))?;
        }
        let Content::Typed(Notification::Baas(BaasNotification::FundDeposit(transaction))) =
            verified.into_notification()
        else {
            return Err(Failure::new(Category::Unexpected, "the notification is not a fund deposit"));
        };
        require(
            transaction.amount.as_ref() == Some(&amount),
            "the reported deposit amount differs from the amount paid in",
        )?;
        self.report.fact("amount", format!("{amount} {}", transaction.currency.as_deref().unwrap_or_default()))?;
        self.report.end()
    }

    /// Checks that the receiver refuses a notification that was sealed with an attacker's key.
    async fn forged(&mut self, inbox: &receiver::Inbox, partner_key: &PublicKey) -> Result<(), Failure> {
        self.report.begin("forgery", "An attacker posts a forged notification; the receiver refuses it")?;
        let attacker_key = AwsLc.generate(BITS)?;
        let keyring = keyring(&attacker_key, partner_key)?;
        let fields = Fields::notification(PARTNER_ID, "2");
        let sealed = keyring.seal(&Outgoing::new(&fields).payload(r#"{"amount":1000000.00,"currency":"EUR"}"#))?;
        self.report.wire("notification", sealed.document())?;
        let status = inbox.post(sealed.into_document()).await?;
        self.report.fact("status", status)?;
        require(status == 400 && inbox.notifications.is_empty(), "the forged notification was not refused")?;
        self.report.end()
    }
}

fn cardholder(mobile: &str) -> CreateCardholder {
    let address =
        Address::builder().address_line("Žalgirio g. 24").city_code("VNO").postcode("08217").country_code("LT").build();
    CreateCardholder::builder()
        .mobile(mobile)
        .first_name("Žilvinas")
        .last_name("Pavyzdys")
        .id_no("P0000000")
        .id_type("2")
        .email("zilvinas@example.com")
        .birthday("1990-01-31")
        .gender("1")
        .nationality_code("LT")
        .eea_address(address)
        .build()
}

fn describe(key: &PrivateKey) -> Value {
    json!({"bits": key.public_key().bits(), "fingerprint": key.public_key().fingerprint().to_string()})
}

/// Returns the signed text of a message, with the session key removed.
fn signed_text(canonical: &str) -> Value {
    canonical.split('&').filter(|part| !part.starts_with("randomKey=")).collect::<Vec<_>>().join("&").into()
}

fn parse(amount: &str) -> Result<Amount, Failure> {
    amount.parse().map_err(|e| Failure::new(Category::Unexpected, e))
}

fn require(condition: bool, description: &str) -> Result<(), Failure> {
    if condition { Ok(()) } else { Err(Failure::new(Category::Unexpected, format!("check failed: {description}"))) }
}
