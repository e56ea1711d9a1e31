//! The partner's notification server: stores each notification before it is acknowledged, and books deposits.

use std::time::Instant;

use axum::Router;
use paytend_inbox::{AnyNotification, Completion, Delivery, HandlerError, Inbox, StoreAdmin as _, Worker, types};
use paytend_model::iban::IbanTransaction;
use paytend_model::{BaasNotification, Content, Notification, Product};
use paytend_store_sqlite::{SqliteEffect, SqliteStore, in_transaction, rusqlite};
use paytend_webhook::PaytendReceiver;
use paytend_webhook::server::Endpoint;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::partner::{POLL, Partner, TIMEOUT, unexpected};
use crate::exit::{Category, Failure};

/// The running server.
pub(super) struct Server {
    /// The callback URL.
    pub(super) url: String,
    store: SqliteStore,
    /// Receives each notification that is not a deposit when the worker processes it.
    others: mpsc::Receiver<AnyNotification>,
}

impl Server {
    /// Starts the server on a free loopback port, and the worker that processes the stored notifications. Both stop
    /// when the process ends.
    pub(super) async fn start(partner: &Partner, inbox: Inbox<SqliteStore>) -> Result<Self, Failure> {
        let receiver = PaytendReceiver::new(Product::Baas, &partner.id, partner.keyring.clone());
        let route = paytend_webhook::axum::route(Endpoint::new(receiver), inbox.handler());
        let unavailable =
            |e: std::io::Error| Failure::new(Category::Network, format!("cannot listen on 127.0.0.1: {e}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(unavailable)?;
        let url = format!("http://{}/paytend", listener.local_addr().map_err(unavailable)?);
        let app = Router::new().route("/paytend", route);
        tokio::spawn(async move { axum::serve(listener, app).await });
        let (sender, others) = mpsc::channel(16);
        let store = inbox.store().clone();
        let worker = Worker::builder(inbox, move |delivery| pass_on(delivery, sender.clone()));
        let worker = worker.on::<types::FundDeposit, _, _>(book).poll_interval(POLL).build();
        tokio::spawn(worker.run(std::future::pending()));
        Ok(Self { url, store, others })
    }

    /// Posts a document to the callback URL and returns the HTTP status.
    pub(super) async fn post(&self, document: &str) -> Result<u16, Failure> {
        let unreachable = |e: reqwest::Error| Failure::new(Category::Network, e.without_url());
        let http = reqwest::Client::builder().no_proxy().build().map_err(unreachable)?;
        let response = http.post(&self.url).body(document.to_owned()).send().await.map_err(unreachable)?;
        Ok(response.status().as_u16())
    }

    /// Waits for the notification that reports an opened account, and returns the account's IBAN.
    pub(super) async fn opened_account(&mut self) -> Result<String, Failure> {
        let opened = async {
            while let Some(notification) = self.others.recv().await {
                if let AnyNotification::Paytend(Content::Typed(Notification::Baas(BaasNotification::AccountOpening(
                    account,
                )))) = notification
                {
                    return account.account_num.map(|iban| iban.as_str().to_owned());
                }
            }
            None
        };
        let iban = tokio::time::timeout(TIMEOUT, opened).await.ok().flatten();
        iban.ok_or_else(|| unexpected("no notification about the opened account arrived in time"))
    }

    /// Waits until a deposit is booked, and returns its amount and currency.
    pub(super) async fn booked_deposit(&self) -> Result<(String, String), Failure> {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let booked = self.bookings().await?;
            if let Some(booking) = booked.into_iter().next() {
                return Ok(booking);
            }
            if Instant::now() > deadline {
                return Err(unexpected("the deposit was not booked in time"));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Returns the booked deposits.
    pub(super) async fn bookings(&self) -> Result<Vec<(String, String)>, Failure> {
        let booked = self.store.write(|transaction| {
            let mut statement = transaction.prepare("SELECT amount, currency FROM booking")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<Vec<(String, String)>, _>>()
        });
        Ok(booked.await?)
    }

    /// Returns the number of stored notifications, and the number of notifications that have not been processed yet.
    pub(super) async fn stored(&self) -> Result<(u64, u64), Failure> {
        let stats = self.store.stats().await?;
        let open = stats.ready + stats.leased + stats.backoff;
        Ok((open + stats.done + stats.dead, open))
    }
}

/// Books a deposit, in the transaction that completes the notification.
async fn book(delivery: Delivery<Box<IbanTransaction>>) -> Result<Completion<SqliteEffect>, HandlerError> {
    let deposit = delivery.into_notification();
    let (Some(id), Some(amount), Some(currency)) = (deposit.transaction_id, deposit.amount, deposit.currency) else {
        return Err(HandlerError::dead_letter("a required field is absent or unreadable"));
    };
    Ok(in_transaction(move |transaction| {
        let row = rusqlite::params![id.as_ref() as &str, amount.value().to_string(), currency.as_ref() as &str];
        transaction.execute("INSERT INTO booking VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", row)?;
        Ok(())
    }))
}

async fn pass_on(
    delivery: Delivery<AnyNotification>,
    others: mpsc::Sender<AnyNotification>,
) -> Result<Completion<SqliteEffect>, HandlerError> {
    let _ = others.try_send(delivery.into_notification());
    Ok(Completion::without_effect())
}
