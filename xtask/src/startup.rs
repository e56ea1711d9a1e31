//! `bench startup`: measures how long the `paytend` command takes from its start to its exit.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::benchmarks;
use crate::shell::{cargo, target};

const HEADING: &str = "Command startup";
/// The number of runs of each command line.
const RUNS: u32 = 50;
/// The time limit that the fastest run of each command line must meet.
const LIMIT: Duration = Duration::from_millis(15);
/// The measured command lines. Shells run the last one each time the tab key is pressed.
const LINES: &[&[&str]] =
    &[&["--version"], &["-h"], &["endpoints"], &["complete-values", "--", "paytend", "call", "issuing."]];

/// Builds the command, measures it, and writes the section in BENCHMARKS.md.
///
/// # Errors
/// Returns an error if the fastest run of a command line takes longer than the limit.
pub(crate) fn run() -> Result<(), String> {
    cargo(["build", "--release", "--locked", "-p", "paytend-cli"]).run()?;
    let command = target().join(format!("release/paytend{}", std::env::consts::EXE_SUFFIX));
    let (mut table, mut slow) = (String::from("| command | best, ms | median, ms |\n|---|---|---|\n"), Vec::new());
    for words in LINES {
        let (best, median) = measure(&mut || {
            let mut run = Command::new(&command);
            run.args(*words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            run
        })?;
        let line = format!("paytend {}", words.join(" "));
        let _ = writeln!(table, "| `{line}` | {} | {} |", millis(best), millis(median));
        if best > LIMIT {
            slow.push(line);
        }
    }
    println!("{table}");
    let about = format!(
        "Written by `cargo xtask bench startup`. Each command was run {RUNS} times. The fastest run must take at \
         most {} ms.\n\n{table}",
        LIMIT.as_millis()
    );
    benchmarks::replace(HEADING, &about)?;
    match slow.is_empty() {
        true => Ok(()),
        false => Err(format!("these commands take longer than {} ms: {}", LIMIT.as_millis(), slow.join(", "))),
    }
}

/// Returns the shortest and the median time of the runs.
fn measure(command: &mut dyn FnMut() -> Command) -> Result<(Duration, Duration), String> {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let mut run = command();
        let start = Instant::now();
        let status = run.status().map_err(|error| format!("cannot run the command: {error}"))?;
        times.push(start.elapsed());
        if !status.success() {
            return Err(format!("the command failed ({status})"));
        }
    }
    times.sort_unstable();
    Ok((times.first().copied().unwrap_or_default(), times.get(times.len() / 2).copied().unwrap_or_default()))
}

/// Formats a time in milliseconds with two decimals.
fn millis(time: Duration) -> String {
    let micros = time.as_micros();
    format!("{}.{:02}", micros / 1000, micros % 1000 / 10)
}
