//! `bench bindings`: for each language, compares opening a message with Rust and with handwritten code.
//!
//! Each candidate is a process that runs batches on request. The batches are short and interleaved, so that the
//! machine's load affects all candidates equally.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::{ALL, folder, released};
use crate::benchmarks;
use crate::shell::cargo;

const ROUNDS: usize = 31;
/// The duration of a batch, in nanoseconds.
const BATCH: u64 = 40_000_000;
const HEADING: &str = "Opening through a binding";

/// Returns how long a language's binding may take, relative to Rust.
fn limit(language: &str) -> f64 {
    if matches!(language, "java" | "go") { 1.10 } else { 1.05 }
}

/// Returns how long a language's binding may take, relative to handwritten code in the same language.
///
/// At 1024 bits, node:crypto uses OpenSSL's special code for this key size, and AWS-LC needs about 1.1 times as long.
/// All other handwritten code must be slower than the binding.
fn handwritten_limit(language: &str, bits: &str) -> f64 {
    if (language, bits) == ("node", "1024") { 1.05 } else { 1.00 }
}

struct Candidate {
    name: String,
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Candidate {
    fn start(name: &str, mut command: Command) -> Result<Self, String> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Without this setting, Go refuses keys below 2048 bits.
            .env("GODEBUG", "rsa1024min=0")
            .spawn()
            .map_err(|error| format!("{name}: {error}"))?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(format!("{name}: cannot open pipes to the process"));
        };
        Ok(Self { name: name.to_owned(), process, input, output: BufReader::new(output) })
    }

    /// Returns the time for `count` operations, in nanoseconds.
    fn run_batch(&mut self, variant: &str, bits: &str, count: u64) -> Result<u64, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{} ({variant}, {bits}): {error}", self.name);
        writeln!(self.input, "{variant} {bits} {count}").and_then(|()| self.input.flush()).map_err(|e| failed(&e))?;
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|e| failed(&e))?;
        line.trim().parse().map_err(|e| failed(&e))
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        // Kill the process, in case it is stuck. Normally it exits at the end of its input.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A variant of a candidate (`ours` or `hand`), with the time per opening in each round.
struct Entry {
    candidate: usize,
    variant: &'static str,
    count: u64,
    times: Vec<u64>,
}

impl Entry {
    fn median(&self) -> u64 {
        let mut times = self.times.clone();
        times.sort_unstable();
        times[times.len() / 2]
    }
}

fn measure(candidates: &mut [Candidate], bits: &str) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for (at, candidate) in candidates.iter_mut().enumerate() {
        // C and Rust have no handwritten variant, because `cargo xtask bench` already compares with libcrypto.
        let variants: &[&str] = if matches!(&*candidate.name, "rust" | "c") { &["ours"] } else { &["ours", "hand"] };
        for variant in variants {
            // Warms up the just-in-time compilers of Java and JavaScript.
            let mut warm = 0;
            for _ in 0..25 {
                warm = candidate.run_batch(variant, bits, 200)? / 200;
            }
            entries.push(Entry { candidate: at, variant, count: (BATCH / warm.max(1)).max(1), times: Vec::new() });
        }
    }
    for round in 0..ROUNDS {
        let (length, start) = (entries.len(), round * 5);
        for at in 0..length {
            let entry = &mut entries[(at + start) % length];
            let time = candidates[entry.candidate].run_batch(entry.variant, bits, entry.count)?;
            entry.times.push(time * 100 / entry.count);
        }
    }
    Ok(entries)
}

/// Measures all languages and writes their section in BENCHMARKS.md.
///
/// # Errors
/// Returns an error if a language exceeds its limit.
pub(crate) fn run() -> Result<(), String> {
    for binding in &ALL {
        let missing = (binding.missing)();
        if !missing.is_empty() {
            return Err(format!("{}: missing: {}", binding.name, missing.join("; ")));
        }
    }
    std::fs::create_dir_all(folder()).map_err(|e| e.to_string())?;
    let job = folder().join("bench.json");
    let rust = ["build", "--quiet", "--release", "--locked", "-p", "paytend-bindings", "--example", "bench"];
    cargo(rust).run()?;
    let rust = released().join("examples/bench");
    crate::shell::program(&rust).args(["prepare"]).args([&job]).run()?;
    let mut candidates = Vec::new();
    let mut command = Command::new(&rust);
    command.arg(&job);
    candidates.push(Candidate::start("rust", command)?);
    for binding in &ALL {
        let program = (binding.bench)().map_err(|error| format!("{}: {error}", binding.name))?;
        candidates.push(Candidate::start(binding.name, program.args([&job]).into_command())?);
    }
    let mut table = String::from(
        "| language | bits | time relative to Rust | limit | time relative to handwritten code | limit | |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let mut over_limit = Vec::new();
    for bits in ["1024", "2048"] {
        let entries = measure(&mut candidates, bits)?;
        let time = |candidate: usize, variant: &str| {
            entries.iter().find(|entry| entry.candidate == candidate && entry.variant == variant).map(Entry::median)
        };
        let rust = time(0, "ours").unwrap_or(1);
        for (at, candidate) in candidates.iter().enumerate().skip(1) {
            let (name, ours) = (candidate.name.as_str(), time(at, "ours").unwrap_or_default());
            let relative_to_rust = ratio(ours, rust);
            let relative_to_hand = time(at, "hand").map(|hand| ratio(ours, hand));
            let hand_limit = handwritten_limit(name, bits);
            let within_limit =
                relative_to_rust <= limit(name) && relative_to_hand.is_none_or(|ratio| ratio < hand_limit);
            let relative_to_hand =
                relative_to_hand.map_or("– | –".to_owned(), |ratio| format!("{ratio:.3} | {hand_limit:.2}"));
            let verdict = if within_limit { "" } else { "over limit" };
            let row = format!(
                "| {name} | {bits} | {relative_to_rust:.3} | {:.2} | {relative_to_hand} | {verdict} |",
                limit(name)
            );
            println!("{row}");
            if !within_limit {
                over_limit.push(format!("{name}, {bits} bits"));
            }
            writeln!(table, "{row}").map_err(|e| e.to_string())?;
        }
    }
    write_section(&table)?;
    if over_limit.is_empty() { Ok(()) } else { Err(format!("over the limit: {}", over_limit.join("; "))) }
}

#[expect(clippy::cast_precision_loss, clippy::float_arithmetic, reason = "a ratio of times, far below 2^52")]
fn ratio(one: u64, other: u64) -> f64 {
    one as f64 / other as f64
}

fn write_section(table: &str) -> Result<(), String> {
    benchmarks::replace(
        HEADING,
        &format!(
            "Written by `cargo xtask bench bindings`. Each binding opens a 400-byte notification with AWS-LC.\n\
         Keys and keyrings are created once. The handwritten code uses Python's `cryptography`,\n\
         node:crypto with custom code that removes the padding (which node:crypto does not support), the\n\
         JDK's JCE with Jackson, and Go's crypto/rsa. At 1024 bits, node:crypto uses OpenSSL's special code\n\
         for this key size, and AWS-LC needs about 1.1 times as long.\n\n\
         Times are medians of {ROUNDS} interleaved rounds. Values below 1.000 are faster.\n\n\
         {table}"
        ),
    )
}
