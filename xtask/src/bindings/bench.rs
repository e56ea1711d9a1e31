//! `bench bindings`: compares opening in each language with Rust and with handwritten code in that language.
//!
//! Each contestant is a process that waits for its turn. Turns are short and interleaved, so that the machine's load
//! affects all contestants equally.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::{ALL, backend, folder, released};
use crate::shell::{cargo, root};

const ROUNDS: usize = 31;
/// The length of a turn, in nanoseconds.
const TURN: u64 = 40_000_000;
const HEADING: &str = "## Opening through a binding";

/// Returns the maximum time of a binding relative to Rust.
fn limit(language: &str) -> f64 {
    if matches!(language, "java" | "go") { 1.10 } else { 1.05 }
}

struct Contestant {
    name: String,
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Contestant {
    fn start(name: &str, mut command: Command) -> Result<Self, String> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Without this setting, Go refuses keys below 2048 bits.
            .env("GODEBUG", "rsa1024min=0")
            .spawn()
            .map_err(|error| format!("{name}: {error}"))?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(format!("{name}: cannot open its pipes"));
        };
        Ok(Self { name: name.to_owned(), process, input, output: BufReader::new(output) })
    }

    /// Returns the time for `count` operations, in nanoseconds.
    fn turn(&mut self, way: &str, bits: &str, count: u64) -> Result<u64, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{} ({way}, {bits}): {error}", self.name);
        writeln!(self.input, "{way} {bits} {count}").and_then(|()| self.input.flush()).map_err(|e| failed(&e))?;
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|e| failed(&e))?;
        line.trim().parse().map_err(|e| failed(&e))
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        // The process normally exits at the end of its input. A stuck process must be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An implementation (`way`) of a contestant, with the time per opening in each round.
struct Entry {
    contestant: usize,
    way: &'static str,
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

fn measure(contestants: &mut [Contestant], bits: &str) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for (at, contestant) in contestants.iter_mut().enumerate() {
        // C and Rust have no handwritten variant, because `bench` measures libcrypto itself.
        let ways: &[&str] = if matches!(&*contestant.name, "rust" | "c") { &["ours"] } else { &["ours", "hand"] };
        for way in ways {
            // Warms up the just-in-time compilers of Java and JavaScript.
            let mut warm = 0;
            for _ in 0..25 {
                warm = contestant.turn(way, bits, 200)? / 200;
            }
            entries.push(Entry { contestant: at, way, count: (TURN / warm.max(1)).max(1), times: Vec::new() });
        }
    }
    for round in 0..ROUNDS {
        let (length, start) = (entries.len(), round * 5);
        for at in 0..length {
            let entry = &mut entries[(at + start) % length];
            let time = contestants[entry.contestant].turn(entry.way, bits, entry.count)?;
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
    backend::set("openssl");
    for binding in &ALL {
        let missing = (binding.missing)();
        if !missing.is_empty() {
            return Err(format!("{}: missing: {}", binding.name, missing.join("; ")));
        }
    }
    std::fs::create_dir_all(folder()).map_err(|e| e.to_string())?;
    let job = folder().join("bench.json");
    let rust = ["build", "--quiet", "--release", "--locked", "-p", "paytend-bindings", "--example", "bench"];
    cargo(rust).args(backend::features()).run()?;
    let rust = released().join("examples/bench");
    crate::shell::program(&rust).args(["prepare"]).args([&job]).run()?;
    let mut contestants = Vec::new();
    let mut command = Command::new(&rust);
    command.arg(&job);
    contestants.push(Contestant::start("rust", command)?);
    for binding in &ALL {
        let program = (binding.bench)().map_err(|error| format!("{}: {error}", binding.name))?;
        contestants.push(Contestant::start(binding.name, program.args([&job]).into_command())?);
    }
    let mut table = String::from(
        "| language | bits | time relative to Rust | limit | time relative to handwritten code | |\n\
         |---|---|---|---|---|---|\n",
    );
    let mut over_limit = Vec::new();
    for bits in ["1024", "2048"] {
        let entries = measure(&mut contestants, bits)?;
        let time = |contestant: usize, way: &str| {
            entries.iter().find(|entry| entry.contestant == contestant && entry.way == way).map(Entry::median)
        };
        let rust = time(0, "ours").unwrap_or(1);
        for (at, contestant) in contestants.iter().enumerate().skip(1) {
            let (name, ours) = (contestant.name.as_str(), time(at, "ours").unwrap_or_default());
            let of_rust = share(ours, rust);
            let by_hand = time(at, "hand").map(|hand| share(ours, hand));
            let holds = of_rust <= limit(name) && by_hand.is_none_or(|share| share < 1.0);
            let by_hand = by_hand.map_or("–".to_owned(), |share| format!("{share:.3}"));
            let verdict = if holds { "" } else { "over limit" };
            let row = format!("| {name} | {bits} | {of_rust:.3} | {:.2} | {by_hand} | {verdict} |", limit(name));
            println!("{row}");
            if !holds {
                over_limit.push(format!("{name}, {bits} bits"));
            }
            writeln!(table, "{row}").map_err(|e| e.to_string())?;
        }
    }
    write_section(&table)?;
    if over_limit.is_empty() { Ok(()) } else { Err(format!("over the limit: {}", over_limit.join("; "))) }
}

#[expect(clippy::cast_precision_loss, clippy::float_arithmetic, reason = "a ratio of times, far below 2^52")]
fn share(one: u64, other: u64) -> f64 {
    one as f64 / other as f64
}

/// Returns the bindings' section, which `bench` keeps when it rewrites the rest of the file.
pub(crate) fn section() -> String {
    let text = std::fs::read_to_string(root().join("BENCHMARKS.md")).unwrap_or_default();
    text.find(HEADING).map(|at| text[at..].to_owned()).unwrap_or_default()
}

/// Replaces the section at the end of BENCHMARKS.md.
pub(crate) fn put(section: &str) -> Result<(), String> {
    let path = root().join("BENCHMARKS.md");
    let text = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
    let rest = text.find(HEADING).map_or(&*text, |at| &text[..at]).trim_end();
    std::fs::write(&path, format!("{rest}\n\n{}\n", section.trim_end())).map_err(|e| e.to_string())
}

fn write_section(table: &str) -> Result<(), String> {
    put(&format!(
        "{HEADING}\n\n\
         Written by `cargo xtask bench bindings`. Each binding opens a notification of 400 B with the backend\n\
         `openssl`. Keys and keyrings are created once. The handwritten code uses Python's `cryptography`,\n\
         node:crypto (with handwritten code to remove the padding, which node:crypto refuses to do), the JDK's JCE\n\
         with Jackson, and Go's crypto/rsa.\n\n\
         Times are medians of {ROUNDS} interleaved rounds; below 1.000 is faster.\n\n\
         {table}"
    ))
}
