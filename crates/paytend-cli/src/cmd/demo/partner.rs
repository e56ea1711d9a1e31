//! The partner's program: a store that contains the books, and a client that sends the orders from an outbox.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use paytend_client::{Client, Environment, OrderState, OrderStates, Resolution};
use paytend_crypto::{Keyring, PrivateKey, PublicKey};
use paytend_crypto_aws_lc::AwsLc;
use paytend_inbox::{Completion, HandlerError, StoreError, StoreKeys};
use paytend_model::Amount;
use paytend_model::issuing::{Topup, TopupResultResponse};
use paytend_outbox::{Dispatcher, EndedOrder, Ending, Outbox, OutboxAdmin as _, State, SubmitError, SubmitOptions};
use paytend_store_sqlite::{SqliteEffect, SqliteStore, in_transaction, rusqlite};

use crate::connection::{PARTNER_ID, PARTNER_PRIVATE, PAYTEND_PUBLIC};
use crate::exit::{Category, Failure};

/// The lease of an order. After a crash, the order can be claimed again once its lease has expired.
const LEASE: Duration = Duration::from_millis(1_500);
/// How long the demo waits for an event before it fails.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);
/// The interval at which the store is polled.
pub(super) const POLL: Duration = Duration::from_millis(20);

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS booking (id TEXT PRIMARY KEY, amount TEXT NOT NULL, currency TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS topup (number TEXT PRIMARY KEY, state TEXT NOT NULL)";

/// The partner's keys, books and orders, which are stored in a directory.
pub(super) struct Partner {
    pub(super) id: String,
    pub(super) public_key: PublicKey,
    pub(super) keyring: Keyring,
    pub(super) client: Client,
    pub(super) store: SqliteStore,
    pub(super) outbox: Outbox<SqliteStore>,
}

impl Partner {
    /// Opens the partner's files. The keys come from the sandbox's key directory.
    pub(super) async fn open(directory: &Path, base_url: &str) -> Result<Self, Failure> {
        let keys = key_directory(directory);
        let id = std::fs::read_to_string(keys.join(PARTNER_ID))?.trim().to_owned();
        let own = PrivateKey::from_file(keys.join(PARTNER_PRIVATE)).map_err(invalid)?;
        let peer = PublicKey::from_file(keys.join(PAYTEND_PUBLIC)).map_err(invalid)?;
        let keyring = Keyring::builder().backend(&AwsLc).own_key(&own).peer_key(&peer).build()?;
        let client = Client::builder(Environment::BaseUrl(base_url.to_owned()), &id, keyring.clone())
            // The sandbox runs on this machine, so no proxy is needed.
            .no_proxy()
            .order_states(OrderStates::local_sandbox())
            .resolution(Resolution::local_sandbox().poll_interval(Duration::from_millis(50)))
            .build()?;
        let store = SqliteStore::open(store_file(directory))?;
        store.write(|transaction| transaction.execute_batch(TABLES)).await?;
        let outbox = Outbox::open(store.clone(), store_keys(directory)?, client.clone()).await?;
        let public_key = own.public_key().clone();
        Ok(Self { id, public_key, keyring, client, store, outbox })
    }

    /// Enters a topup in the books and submits it, in one transaction.
    pub(super) async fn submit(&self, topup: &Topup) -> Result<(), Failure> {
        let order = self.outbox.prepare(topup, SubmitOptions::new()).map_err(unexpected)?;
        let store = self.store.clone();
        let submitted = self.store.transaction(move |transaction| -> Result<(), SubmitError> {
            let entered = transaction.execute("INSERT INTO topup VALUES (?1, 'ordered')", [&order.facts().number]);
            entered.map_err(|error| StoreError::unavailable(error.to_string()))?;
            store.submit_in(transaction, &order)?;
            Ok(())
        });
        submitted.await.map_err(unexpected)
    }

    /// Sends the orders, and returns when the outcome of each order is known and booked.
    pub(super) async fn dispatch_all(&self) -> Result<(), Failure> {
        let dispatcher = Dispatcher::builder(self.outbox.clone()).lease(LEASE).poll_interval(POLL);
        let dispatcher = dispatcher.on::<Topup, _, _>(book).build();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(dispatcher.run(async {
            let _ = stopped.await;
        }));
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let stats = self.store.order_stats().await?;
            let open: u64 = State::ALL.iter().filter(|state| !state.is_final()).map(|state| stats.count(*state)).sum();
            if open + stats.unhandled == 0 {
                break;
            }
            if Instant::now() > deadline {
                return Err(unexpected("the orders were not completed in time"));
            }
            tokio::time::sleep(POLL).await;
        }
        drop(stop);
        running.await.map_err(unexpected)?;
        Ok(())
    }

    /// Returns the state of a topup in the books.
    pub(super) async fn booked_topup(&self, number: &'static str) -> Result<String, Failure> {
        let state = self.store.write(move |transaction| {
            transaction.query_row("SELECT state FROM topup WHERE number = ?1", [number], |row| row.get(0))
        });
        Ok(state.await?)
    }
}

/// Books the outcome of a topup, in the transaction that completes the order.
async fn book(ended: EndedOrder<Topup, TopupResultResponse>) -> Result<Completion<SqliteEffect>, HandlerError> {
    let state = match ended.ending() {
        Ending::Responded { state, .. } | Ending::Found { state, .. } if *state == OrderState::Succeeded => "executed",
        Ending::Rejected { .. } => "rejected",
        _ => "open",
    };
    let number = ended.number().to_owned();
    Ok(in_transaction(move |transaction| {
        transaction.execute("UPDATE topup SET state = ?2 WHERE number = ?1", rusqlite::params![number, state])?;
        Ok(())
    }))
}

/// Returns an order to top up a card, with the amount in EUR.
pub(super) fn topup(card: &str, number: &str, amount: &Amount) -> Topup {
    Topup::builder().card_id(card).order_no(number).amount(amount.clone()).currency("EUR").build()
}

/// Returns the path of the directory that contains the keys of both sides.
pub(super) fn key_directory(directory: &Path) -> PathBuf {
    directory.join("keys")
}

/// Returns the path of the store's file.
pub(super) fn store_file(directory: &Path) -> PathBuf {
    directory.join("partner.db")
}

/// Reads the store's keys from the key file next to the store.
pub(super) fn store_keys(directory: &Path) -> Result<StoreKeys, Failure> {
    Ok(StoreKeys::load_or_create(directory.join("partner.db.key"))?)
}

fn invalid(error: impl std::fmt::Display) -> Failure {
    Failure::new(Category::Configuration, error)
}

pub(super) fn unexpected(error: impl std::fmt::Display) -> Failure {
    Failure::new(Category::Unexpected, error)
}
