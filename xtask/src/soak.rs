//! `soak`: runs the tests that kill processes, crash servers and simulate power cuts for many rounds.

use crate::nats;
use crate::setup;
use crate::shell::cargo;

pub(crate) const SQLITE: &str = "paytend-store-sqlite";

/// The tests that need no server: the package, the number of rounds, and the name.
pub(crate) const TESTS: [(&str, &str, &str); 9] = [
    (SQLITE, "500", "kill::"),
    (SQLITE, "200", "power::no_acknowledged_notification_is_lost_in_power_cuts"),
    (SQLITE, "50", "failpoints::no_notification_is_lost_by_processes_killed_at_each_point"),
    (SQLITE, "500", "orders::no_order_is_executed_twice_or_lost_by_killed_processes"),
    (SQLITE, "20", "orders::no_order_is_executed_twice_by_processes_killed_during_a_send"),
    (SQLITE, "300", "late::no_order_is_executed_twice_by_dispatchers_with_different_clocks"),
    (SQLITE, "40", "restored::no_order_is_executed_twice_or_lost_after_a_backup_is_restored"),
    ("paytend-outbox", "200", "lives::no_order_is_executed_twice_or_lost"),
    (
        "paytend-cli",
        "400",
        "reconcile_outbox::exactly_the_planted_differences_are_reported_with_an_inbox_and_an_outbox",
    ),
];

/// Runs each test with its number of rounds.
pub(crate) fn run() -> Result<(), String> {
    for (package, rounds, name) in TESTS {
        let mut test = vec!["test", "--locked", "-p", package, "--test"];
        test.extend(if package == SQLITE { ["faults", "--features", "failpoints"].as_slice() } else { &["it"] });
        cargo(test).args(["--", name]).env("PAYTEND_FAULT_ROUNDS", rounds).run()?;
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
