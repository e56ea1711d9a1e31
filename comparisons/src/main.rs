//! `cargo xtask bench queues`: processes jobs with the PostgreSQL store and with other job queues, on the same server.
//!
//! All queues run with the same durability, number of connections and number of handlers, and every job inserts one
//! row. The queues take turns, one round each.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, reason = "a program for measurements")]

mod apalis_queue;
mod effect;
mod graphile_queue;
mod paytend_queue;
#[path = "../../crates/paytend-store-postgres/tests/it/server.rs"]
#[expect(dead_code, reason = "only the store's tests use all items")]
mod server;

use crate::server::Server;

/// The number of jobs in each round.
const JOBS: usize = 5_000;
/// The number of rounds. The result is the median of the rounds.
const ROUNDS: usize = 3;
/// The maximum number of connections per queue.
const CONNECTIONS: u32 = 10;
/// The maximum number of jobs in progress. The other queues also fetch more jobs into memory before they start them.
const HANDLERS: usize = 64;
/// The number of notifications that wait for an earlier notification with the same order key.
const BLOCKED: usize = 100_000;

/// The jobs completed per second in each round.
#[derive(Default)]
struct Rates(Vec<u128>);

impl Rates {
    fn median(&self) -> u128 {
        let mut rates = self.0.clone();
        rates.sort_unstable();
        rates[rates.len() / 2]
    }
}

#[tokio::main]
async fn main() {
    let server = Server::start(&[]).await.expect("PostgreSQL is missing or did not start: run `cargo xtask setup`");
    let [mut paytend, mut graphile, mut apalis] = [(); 3].map(|()| Rates::default());
    for round in 1..=ROUNDS {
        paytend.0.push(paytend_queue::rate(&server, 0).await);
        graphile.0.push(graphile_queue::rate(&server).await);
        apalis.0.push(apalis_queue::rate(&server).await);
        let last = [&paytend, &graphile, &apalis].map(|rates| rates.0[round - 1]);
        eprintln!("round {round} of {ROUNDS}: {last:?} jobs per second");
    }
    let ours = paytend.median();
    println!("| queue | jobs per second | paytend-store-postgres, relative to this queue |\n|---|---|---|");
    let others = [("paytend-store-postgres", &paytend), ("graphile_worker", &graphile), ("apalis-postgres", &apalis)];
    for (name, rates) in others {
        println!("| {name} | {} | {} |", rates.median(), thousandths(ours, rates.median()));
    }
    let [mut free, mut blocked] = [(); 2].map(|()| Rates::default());
    for round in 1..=ROUNDS {
        free.0.push(paytend_queue::rate(&server, 0).await);
        blocked.0.push(paytend_queue::rate(&server, BLOCKED).await);
        let last = [&free, &blocked].map(|rates| rates.0[round - 1]);
        eprintln!("round {round} of {ROUNDS}, without and with blocked notifications: {last:?} per second");
    }
    println!(
        "\nWith {BLOCKED} notifications that wait for one order key: {} jobs per second, {} times the rate \
         without them ({}).",
        blocked.median(),
        thousandths(blocked.median(), free.median()),
        free.median()
    );
}

/// Returns a ratio with three decimals.
fn thousandths(one: u128, other: u128) -> String {
    let ratio = one * 1000 / other.max(1);
    format!("{}.{:03}", ratio / 1000, ratio % 1000)
}
