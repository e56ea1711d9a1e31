//! An axum server with a callback URL that verifies, stores and acknowledges notifications, in this order. The
//! deduplication key and the effect are stored in one database transaction.
//!
//! Run it with `cargo run -p paytend-examples --example receive_notifications`

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use paytend_client::{Client, Environment};
use paytend_crypto_aws_lc::AwsLc;
use paytend_model::funding::SetCallbackUrl;
use paytend_model::iban::IbanTransaction;
use paytend_model::{BaasNotification, Content, Notification, Product};
use paytend_sandbox::{Deposit, Sandbox};
use paytend_webhook::server::Endpoint;
use paytend_webhook::{PaytendReceiver, Reply, Verified};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

/// The database schema.
///
/// The `known` table has one row per deduplication key, and its rows are never deleted. A person or a job processes
/// the rows in `review`.
const TABLES: &str = "
    CREATE TABLE known (dedup_key BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE deposit (transaction_id TEXT PRIMARY KEY, amount TEXT NOT NULL, currency TEXT NOT NULL);
    CREATE TABLE review (dedup_key BLOB NOT NULL, about TEXT, reason TEXT NOT NULL, content BLOB NOT NULL);";

#[derive(Clone)]
struct Inbox(Arc<Mutex<Connection>>);

impl Inbox {
    /// Opens the database.
    ///
    /// In production, use a file with `PRAGMA synchronous = FULL`, so that acknowledged notifications survive a power
    /// failure.
    fn open() -> rusqlite::Result<Self> {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch(TABLES)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// Commits the deduplication key together with the effect. If an error occurs, neither is stored, and the provider
    /// sends the notification again.
    fn store(&self, verified: &Verified<Content<Notification>>) -> rusqlite::Result<Reply> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let key = verified.dedup_key();
        let new = transaction.execute("INSERT INTO known VALUES (?1) ON CONFLICT DO NOTHING", [key.as_bytes()])? == 1;
        if !new {
            // Either the provider repeated its delivery, or it reported the same state again. Both notifications look
            // the same, so the state must be queried.
            review(&transaction, verified, "repeated delivery: query the state")?;
            transaction.commit()?;
            return Ok(Reply::Duplicate);
        }
        match verified.notification() {
            Content::Typed(Notification::Baas(BaasNotification::FundDeposit(deposit))) => {
                if !book(&transaction, deposit)? {
                    review(&transaction, verified, "deposit not booked: not arrived, incomplete, or already booked")?;
                }
            }
            Content::Typed(other) => {
                let reason = format!("notifyType {} is not handled by this program", other.notify_type());
                review(&transaction, verified, &reason)?;
            }
            Content::Unreadable(raw) => {
                let problem = raw.problem.as_ref().map(ToString::to_string).unwrap_or_default();
                review(&transaction, verified, &format!("unreadable: {problem}"))?;
            }
            Content::Unknown(raw) => review(&transaction, verified, &format!("unknown: {}", raw.notify_type))?,
        }
        transaction.commit()?;
        Ok(Reply::Accepted)
    }

    fn count(&self, table: &str) -> rusqlite::Result<u32> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
    }
}

/// The `tradeStatus` of a deposit whose money has arrived. This is the sandbox's code; in production, use the code from
/// the documents that you received from Paytend.
const ARRIVED: &str = "2";

/// Books a deposit once and returns whether it was booked.
///
/// A deposit is not booked if its money has not arrived or its transaction is already booked. It is also not booked if
/// a required field is absent or unreadable.
fn book(transaction: &Transaction<'_>, deposit: &IbanTransaction) -> rusqlite::Result<bool> {
    let (Some(id), Some(amount), Some(currency)) = (&deposit.transaction_id, &deposit.amount, &deposit.currency) else {
        return Ok(false);
    };
    // `problems` names every field that could not be read. A pending or failed deposit must not be booked.
    if !deposit.problems.is_empty() || deposit.trade_status.as_deref() != Some(ARRIVED) {
        return Ok(false);
    }
    // The amount is stored as decimal text, never as a binary floating-point number.
    let row = params![id.as_ref() as &str, amount.value().to_string(), currency.as_ref() as &str];
    // If the transaction is already booked, nothing changes, even if the notification has different content, such as a
    // new state.
    Ok(transaction.execute("INSERT INTO deposit VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", row)? == 1)
}

/// Stores the signed bytes for review, with the kind and ID of their object if these can be read.
fn review(
    transaction: &Transaction<'_>,
    verified: &Verified<Content<Notification>>,
    reason: &str,
) -> rusqlite::Result<()> {
    let sighting = verified.sighting();
    let about = sighting.business_key.map(|about| format!("{} {}", about.kind, about.id));
    let row = params![sighting.dedup_key.as_bytes(), about, reason, verified.content()];
    transaction.execute("INSERT INTO review VALUES (?1, ?2, ?3, ?4)", row)?;
    Ok(())
}

/// Returns an error's message, with the code and message from Paytend's response if Paytend refused the request.
fn with_detail(error: &paytend_client::Error) -> String {
    error.detail().map_or_else(|| error.to_string(), |detail| format!("{error}: {detail}"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // In production, Paytend is a remote service, and the keys are in files:
    // `Keyring::builder().backend(&AwsLc).own_key(PrivateKey::from_file(…)?).peer_key(PublicKey::from_file(…)?)`.
    let sandbox = Sandbox::builder().backend(AwsLc).start().await?;
    let keyring = sandbox.partner_keyring().ok_or("the sandbox has no partner key")?;

    // Each product needs its own URL, because the same `notifyType` can mean different things in different products.
    let receiver = PaytendReceiver::new(Product::Baas, sandbox.partner_id(), keyring.clone());
    let inbox = Inbox::open()?;
    let handler = inbox.clone();
    let handle = move |verified: Verified<Content<Notification>>| {
        let inbox = handler.clone();
        async move {
            // Database calls block, so they run on a blocking thread.
            match tokio::task::spawn_blocking(move || inbox.store(&verified)).await {
                Ok(Ok(reply)) => reply,
                Ok(Err(_)) | Err(_) => Reply::TryAgainLater,
            }
        }
    };
    let app = Router::new().route("/paytend/baas", paytend_webhook::axum::route(Endpoint::new(receiver), handle));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/paytend/baas", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });

    let client = Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), keyring).build()?;
    client.send(&SetCallbackUrl::builder().type_("2").url(url).build()).await.map_err(|error| with_detail(&error))?;
    let delivery = sandbox.deposit(&Deposit::new("1250.07".parse()?, "EUR")).await?;
    println!("deposit acknowledged: {}", delivery.is_acknowledged());
    // A deposit whose money has not arrived is stored for review.
    let pending = r#"{"transactionId":"T9","orderNo":"F9","tradeStatus":1,"amount":5.00,"currency":"EUR"}"#;
    println!("pending deposit acknowledged: {}", sandbox.notify(Product::Baas, "2", pending).await?.is_acknowledged());
    // An unknown notification is delivered twice; the second delivery is recorded as a duplicate.
    for _ in 0..2 {
        let delivery = sandbox.notify(Product::Baas, "99", r#"{"update":1}"#).await?;
        println!("unknown notification acknowledged: {}", delivery.is_acknowledged());
    }
    let counts = [inbox.count("deposit")?, inbox.count("known")?, inbox.count("review")?];
    println!("deposits: {}, keys: {}, for review: {}", counts[0], counts[1], counts[2]);
    if counts != [1, 3, 3] {
        return Err("expected one deposit, three keys and three rows for review".into());
    }
    Ok(())
}
