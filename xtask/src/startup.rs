//! `bench startup`: measures the time from the start of the `paytend` command to its end.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::bindings;
use crate::shell::{cargo, root, target};

const HEADING: &str = "## Start of the command";
/// The number of runs of each command line.
const RUNS: u32 = 50;
/// The maximum time of the fastest run.
const LIMIT: Duration = Duration::from_millis(15);
/// The measured command lines. The last one is called for each press of the tab key.
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
        let _ = writeln!(table, "| `{line}` | {:.2} | {:.2} |", millis(best), millis(median));
        if best > LIMIT {
            slow.push(line);
        }
    }
    println!("{table}");
    write_section(&table)?;
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

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Replaces the section, which is before the one about the bindings.
fn write_section(table: &str) -> Result<(), String> {
    let path = root().join("BENCHMARKS.md");
    let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
    let section = format!(
        "{HEADING}\n\nWritten by `cargo xtask bench startup`. Each command was run {RUNS} times. The fastest run may take at \
         most {} ms.\n\n{table}",
        LIMIT.as_millis()
    );
    std::fs::write(&path, with_section(&text, &section)).map_err(|error| error.to_string())
}

/// Returns the text with the section replaced or added.
fn with_section(text: &str, section: &str) -> String {
    let bindings = text.find(bindings::bench::HEADING).unwrap_or(text.len());
    let (before, after) = text.split_at(bindings);
    let before = before.split(HEADING).next().unwrap_or_default();
    format!("{}\n\n{}\n\n{after}", before.trim_end(), section.trim_end()).trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_is_added_and_replaced_before_the_bindings() {
        let bindings = bindings::bench::HEADING;
        let text = format!("# Benchmarks\n\nText.\n\n{bindings}\n\nTable.\n");
        let added = with_section(&text, &format!("{HEADING}\n\nOld.\n"));
        assert_eq!(added, format!("# Benchmarks\n\nText.\n\n{HEADING}\n\nOld.\n\n{bindings}\n\nTable.\n"));
        assert_eq!(with_section(&added, &format!("{HEADING}\n\nNew.\n")), added.replace("Old", "New"));
        assert_eq!(with_section("# Benchmarks\n", HEADING), format!("# Benchmarks\n\n{HEADING}\n"));
    }
}
