//! Tests that run the compiled `paytend` command.

// Tests panic on unexpected errors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation, clippy::print_stderr)]

#[cfg(unix)]
mod audit;
mod call;
mod call_outcomes;
#[cfg(unix)]
mod closed_pipe;
#[cfg(unix)]
mod completions;
mod config;
mod contract;
mod demo;
mod doctor;
mod doctor_callback;
mod doctor_settings;
mod doctor_tls;
#[cfg(unix)]
mod events;
mod explain;
mod global;
#[cfg(unix)]
mod guide;
mod help;
mod inbox;
mod inbox_forward;
mod inbox_manage;
mod inbox_nats;
#[cfg(unix)]
mod inbox_postgres;
mod inbox_service;
mod inspect;
mod inspect_captures;
mod json_output;
mod key_inputs;
#[cfg(unix)]
mod listen;
#[cfg(unix)]
mod listen_memory;
#[cfg(unix)]
mod listen_stop;
#[allow(dead_code, reason = "only the store's tests use all items")]
#[path = "../../../paytend-store-nats/tests/it/cluster.rs"]
mod nats_cluster;
mod next_steps;
mod outbox;
#[cfg(unix)]
#[allow(dead_code, reason = "only the store's tests use all items")]
#[path = "../../../paytend-store-postgres/tests/it/server.rs"]
mod postgres_server;
#[cfg(unix)]
mod pty;
mod readme;
#[cfg(unix)]
mod readme_commands;
mod reconcile;
mod reconcile_life;
mod reconcile_outbox;
mod reconcile_paging;
mod running;
mod sandbox;
#[cfg(unix)]
mod sandbox_control;
mod schema;
#[cfg(unix)]
mod shell;
#[cfg(unix)]
mod signals;
mod support;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod trigger_outcomes;
