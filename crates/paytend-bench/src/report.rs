//! The results table, and the minimum values that results are compared with.
//!
//! Ratios are integers in thousandths, because this project avoids binary floating-point numbers.

use std::fmt::Write as _;

use crate::BACKENDS;
use crate::measure::decimal;
use crate::sandbox::{self, Throughput};
use crate::start::Start;
use crate::webhook::{self, Webhook};

/// A row of the table: each backend's speed relative to libcrypto, in thousandths.
pub(crate) struct Row {
    work: &'static str,
    bits: usize,
    size: &'static str,
    baseline_ns: u128,
    /// Each backend's speed relative to libcrypto, in thousandths, in the order of [`BACKENDS`].
    shares: [u128; 3],
}

impl Row {
    /// Creates a row from the medians of the baseline and of each backend.
    pub(crate) fn new(work: &'static str, bits: usize, size: &'static str, medians: &[u128]) -> Self {
        let share = |time: u128| medians[0] * 1000 / time.max(1);
        Self { work, bits, size, baseline_ns: medians[0], shares: [1, 2, 3].map(|at: usize| share(medians[at])) }
    }

    /// Returns the minimum relative speed for each backend, or `None` if the row has no minimums.
    fn floors(&self) -> Option<[u128; 3]> {
        match (self.work, self.size, self.bits) {
            ("detached", ..) => Some([950, 950, 270]),
            // With 2048 bits, RSA takes as long as encrypting 1 MiB. The relative speed then depends on both
            // operations, so no minimum is set.
            (_, "1 MiB", 2048) => None,
            ("seal", "1 MiB", _) => Some([850, 850, 700]),
            ("open", "1 MiB", _) => Some([750, 750, 650]),
            (_, "64 KiB", _) => None,
            (_, _, 2048) => Some([970, 930, 120]),
            ("seal", ..) => Some([960, 850, 155]),
            _ => Some([940, 850, 155]),
        }
    }

    fn holds(&self) -> bool {
        self.floors().is_none_or(|floors| self.shares.iter().zip(floors).all(|(share, floor)| *share >= floor))
    }
}

#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    /// For each backend, the speed-up from opening messages on all processors, divided by the speed-up of a baseline
    /// whose threads share no data. The result is in thousandths.
    pub(crate) parallel: Vec<(&'static str, u128)>,
    /// For each backend, the client's speed relative to handwritten code, in thousandths.
    pub(crate) client: Vec<(&'static str, u128)>,
    pub(crate) webhook: Webhook,
    pub(crate) sandbox: Vec<Throughput>,
    pub(crate) start: Option<Start>,
}

impl Report {
    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub(crate) fn holds(&self) -> bool {
        let scales = self.parallel.iter().all(|(_, share)| *share >= 950);
        let client = self.client.iter().all(|(_, share)| *share >= crate::client::FLOOR);
        let sandbox = self.sandbox.iter().all(|throughput| throughput.share >= sandbox::FLOOR);
        let starts = self.start.as_ref().is_none_or(Start::holds);
        scales && client && sandbox && starts && self.webhook.holds() && self.rows.iter().all(Row::holds)
    }

    pub(crate) fn print(&self) {
        println!("{}", self.table());
    }

    fn table(&self) -> String {
        let mut out = String::new();
        if !self.rows.is_empty() {
            self.backends(&mut out);
        }
        for (name, share) in &self.parallel {
            let _ = writeln!(
                out,
                "\nOpening on all processors, {name}: the speed-up is {} times the speed-up of a baseline \
                 whose threads\nshare no data (floor 0.950).",
                decimal(*share)
            );
        }
        for (name, share) in &self.client {
            let _ = writeln!(
                out,
                "\nA client call, {name}, 1024 bits, small payload: the speed is {} times the speed of \
                 handwritten code\nthat seals, posts with reqwest and opens (floor {}).",
                decimal(*share),
                decimal(crate::client::FLOOR)
            );
        }
        for (name, [receive, service, threaded]) in &self.webhook.shares {
            let (floor, service_floor) = (decimal(webhook::FLOOR), decimal(webhook::SERVICE_FLOOR));
            let _ = writeln!(
                out,
                "\nSpeed of receiving a fund deposit, {name}, 1024 bits, relative to opening the message alone:\n\n\
                 - the receiver: {} (floor {floor})\n\
                 - a whole service, from the request to the response: {} (floor {service_floor})\n\
                 - a whole service that runs the cryptography on a separate thread, \
                 and wakes two threads per request: {}",
                decimal(*receive),
                decimal(*service),
                decimal(*threaded),
            );
        }
        for throughput in &self.sandbox {
            let _ = writeln!(
                out,
                "\nThe sandbox, {}, on one core, 1024 bits: {} calls per second. The throughput is {} times the\n\
                 throughput of its cryptography alone, {} calls per second (floor {}).",
                throughput.backend,
                throughput.served,
                decimal(throughput.share),
                throughput.allowed,
                decimal(sandbox::FLOOR)
            );
        }
        if let Some(start) = &self.start {
            start.write(&mut out);
        }
        if !self.webhook.garbage.is_empty() {
            let most = decimal(webhook::GARBAGE);
            let _ =
                writeln!(out, "\nTime to reject 1 KiB of data that is not a notification, in µs (at most {most}):\n");
            for (kind, time) in &self.webhook.garbage {
                let _ = writeln!(out, "- {kind}: {}", decimal(*time));
            }
        }
        out
    }

    /// Writes the backends' table.
    fn backends(&self, out: &mut String) {
        let _ = write!(out, "| operation | bits | payload | libcrypto, µs |");
        for (name, _) in BACKENDS {
            let _ = write!(out, " {name} | floor |");
        }
        let _ = writeln!(out, " |\n|---|---|---|---|{}---|", "---|".repeat(2 * BACKENDS.len()));
        for row in &self.rows {
            let baseline = decimal(row.baseline_ns);
            let _ = write!(out, "| {} | {} | {} | {baseline} |", row.work, row.bits, row.size);
            for (at, share) in row.shares.iter().enumerate() {
                let floor = row.floors().map_or("–".to_owned(), |floors| decimal(floors[at]));
                let _ = write!(out, " {} | {floor} |", decimal(*share));
            }
            let _ = writeln!(out, " {} |", if row.holds() { "" } else { "below floor" });
        }
    }

    /// Returns the text of `BENCHMARKS.md`.
    pub(crate) fn markdown(&self) -> String {
        format!(
            "# Benchmarks\n\n\
             Written by `cargo xtask bench`. The table shows each backend's speed relative to libcrypto;\n\
             1.000 means equally fast. The libcrypto baseline parses keys once and performs no checks. All\n\
             candidates run in one process, in shuffled batches. Times are the thread's CPU time, as the median of\n\
             nine rounds. Only the ratios are meaningful, and only within one run. A floor is the minimum\n\
             that a result must reach.\n\n\
             Machine: {} processors, {}, {}.\n\
             Versions: {}; {}; `aws-lc-sys` {}; `rsa` 0.10.0.\n\n{}",
            std::thread::available_parallelism().map_or(1, usize::from),
            std::env::consts::ARCH,
            processor(),
            std::env::var("BENCH_RUSTC").unwrap_or_else(|_| "unknown rustc version".into()),
            openssl::version::version(),
            std::env::var("BENCH_AWS_LC").unwrap_or_else(|_| "(version in Cargo.lock)".into()),
            self.table()
        )
    }
}

/// Writes a report to the file that the argument `--write=FILE` names, if there is one.
pub(crate) fn write(report: &str) {
    if let Some(path) = std::env::args().find_map(|argument| argument.strip_prefix("--write=").map(str::to_owned)) {
        std::fs::write(path, report).unwrap();
    }
}

/// Returns the processor's name, if the system reports it.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let name = name.trim_start_matches(['\t', ' ', ':']).trim();
    if name.is_empty() { "unknown processor".into() } else { name.to_owned() }
}
