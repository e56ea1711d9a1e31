//! `soak`: runs the tests that kill processes, crash servers and simulate power cuts for many rounds.

use crate::nats;
use crate::setup;
use crate::shell::cargo;

const STORE: &str = "paytend-store-sqlite";

/// The SQLite store's tests, each with its number of rounds.
pub(crate) const SQLITE: [(&str, &str); 5] = [
    ("500", "kill::"),
    ("200", "power::no_acknowledged_notification_is_lost_in_power_cuts"),
    ("50", "failpoints::no_notification_is_lost_by_processes_killed_at_each_point"),
    ("500", "orders::no_order_is_executed_twice_or_lost_by_killed_processes"),
    ("20", "orders::no_order_is_executed_twice_by_processes_killed_during_a_send"),
];

/// Runs each test with its number of rounds.
pub(crate) fn run() -> Result<(), String> {
    for (rounds, filter) in SQLITE {
        cargo(["test", "--locked", "-p", STORE, "--features", "failpoints", "--test", "faults", "--", filter])
            .env("PAYTEND_FAULT_ROUNDS", rounds)
            .run()?;
    }
    if setup::postgres().is_some() {
        cargo(["test", "--locked", "-p", "paytend-store-postgres", "--test", "it", "--", "crash"])
            .env("PAYTEND_FAULT_ROUNDS", "20")
            .run()?;
    } else {
        println!("soak: PostgreSQL is missing, so its restart tests are skipped: run `cargo xtask setup`");
    }
    if let Some(server) = nats::server() {
        cargo(["test", "--locked", "-p", "paytend-store-nats", "--test", "it", "--", "restarts", "--nocapture"])
            .env("PAYTEND_NATS_SERVER", server)
            .env("PAYTEND_FAULT_ROUNDS", "20")
            .run()?;
    } else {
        println!("soak: the NATS server is missing, so its restart tests are skipped: run `cargo xtask setup`");
    }
    Ok(())
}
