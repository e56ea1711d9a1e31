//! Tests of the NATS store. The tests start a cluster of three servers. They are skipped if the server is not
//! installed, unless `PAYTEND_NOTHING_SKIPPED` is set.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod behind;
mod cluster;
mod concurrency;
mod conforms;
mod connections;
mod lossy_proxy;
mod lost_responses;
mod order;
mod races;
mod refusals;
mod removal;
mod restarts;
mod restored;
mod secure;
mod support;
mod unreadable;
