//! Tests of the PostgreSQL store. The tests start a server. They are skipped if PostgreSQL is not installed, unless
//! `PAYTEND_NOTHING_SKIPPED` is set.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod batches;
mod clock;
mod concurrency;
mod conforms;
mod connections;
mod damage;
mod effects;
mod lasting;
mod locks;
mod order_effects;
mod orders;
mod outbox;
mod plans;
mod pooler;
mod restarts;
mod retention;
mod server;
mod shared_effects;
mod shared_locks;
mod support;
mod tls;
mod together;
mod versions;
mod wakeups;
