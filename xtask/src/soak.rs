//! `soak`: runs many rounds of the tests that kill processes, crash servers and simulate power cuts.

use crate::nats;
use crate::setup;
use crate::shell::cargo;

const STORE: &str = "paytend-store-sqlite";

/// Runs each test with its number of rounds.
pub(crate) fn run() -> Result<(), String> {
    let sqlite = |rounds: &str, filter: &str| {
        cargo(["test", "--locked", "-p", STORE, "--features", "failpoints", "--test", "faults", "--", filter])
            .env("PAYTEND_FAULT_ROUNDS", rounds)
            .run()
    };
    sqlite("500", "kill::")?;
    sqlite("200", "power::power_cuts_lose_nothing")?;
    sqlite("50", "failpoints::processes")?;
    sqlite("500", "orders::killed")?;
    sqlite("20", "orders::processes")?;
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
