//! A store on SQLite, PostgreSQL or NATS, selected at run time. Handlers cannot add changes to the transaction that
//! completes a notification.

use std::time::{Duration, SystemTime};

use paytend_inbox::{
    Accepted, AuditEntry, AuditEvent, AuditQuery, ClaimRequest, Claimed, Entry, Erasure, FinishError, Id, Lease, Mac,
    NewNotification, Query, Release, Stats, Store, StoreAdmin, StoreClock, StoreError,
};
use paytend_store_nats::NatsStore;
use paytend_store_postgres::PostgresStore;
use paytend_store_sqlite::SqliteStore;

#[derive(Clone, Debug)]
pub(crate) enum AnyStore {
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
    Nats(NatsStore),
}

/// Matches on the type of store, and awaits a call on the concrete store.
macro_rules! each {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            AnyStore::Sqlite($store) => $call.await,
            AnyStore::Postgres($store) => $call.await,
            AnyStore::Nats($store) => $call.await,
        }
    };
}

impl Store for AnyStore {
    type Effect = std::convert::Infallible;

    async fn bind_keys(&self, check: Mac) -> Result<(), StoreError> {
        each!(self, store => store.bind_keys(check))
    }

    async fn accept(&self, notification: NewNotification) -> Result<Accepted, StoreError> {
        each!(self, store => store.accept(notification))
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        each!(self, store => store.claim(request))
    }

    async fn extend(&self, lease: Lease, time: Duration) -> Result<(), FinishError> {
        each!(self, store => store.extend(lease, time))
    }

    async fn complete(&self, lease: Lease, _: Option<Self::Effect>) -> Result<(), FinishError> {
        each!(self, store => store.complete(lease, None))
    }

    async fn release(&self, lease: Lease, release: Release) -> Result<(), FinishError> {
        each!(self, store => store.release(lease, release))
    }

    async fn changed(&self) {
        each!(self, store => store.changed());
    }
}

impl StoreAdmin for AnyStore {
    async fn list(&self, query: Query) -> Result<Vec<Entry>, StoreError> {
        each!(self, store => store.list(query))
    }

    async fn show(&self, id: Id, viewer: Option<String>) -> Result<Option<Entry>, StoreError> {
        each!(self, store => store.show(id, viewer))
    }

    async fn redrive(&self, ids: Option<Vec<Id>>) -> Result<u64, StoreError> {
        each!(self, store => store.redrive(ids))
    }

    async fn bury(&self, id: Id, cause: String) -> Result<bool, StoreError> {
        each!(self, store => store.bury(id, cause))
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        each!(self, store => store.stats())
    }

    async fn check(&self) -> Result<Vec<String>, StoreError> {
        each!(self, store => store.check())
    }

    async fn erase(&self, erasure: Erasure) -> Result<u64, StoreError> {
        each!(self, store => store.erase(erasure))
    }

    async fn clock(&self) -> Result<StoreClock, StoreError> {
        each!(self, store => store.clock())
    }

    async fn drop_payloads(&self, before: SystemTime) -> Result<u64, StoreError> {
        each!(self, store => store.drop_payloads(before))
    }

    async fn record(&self, event: AuditEvent) -> Result<(), StoreError> {
        each!(self, store => store.record(event))
    }

    async fn audit(&self, query: AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        each!(self, store => store.audit(query))
    }

    async fn probe(&self) -> Result<Vec<(&'static str, String)>, StoreError> {
        each!(self, store => store.probe())
    }
}
