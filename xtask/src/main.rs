//! `cargo xtask <command>`: the development commands of this workspace, on a developer's machine and in CI.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod architecture;
mod benchmarks;
mod bindings;
mod built;
mod ci;
mod deny;
mod dist;
mod features;
mod fuzz;
mod layers;
mod memory;
mod mutants;
mod nats;
mod openapi;
mod package;
mod prose;
mod queues;
mod setup;
mod shell;
mod soak;
mod startup;
mod stress;
mod test;
mod typos;
mod ui;

use std::process::ExitCode;

const HELP: &str = "\
usage: cargo xtask <command>

  setup      install the tools for the full test run (on Debian, as root), or name the missing tool
  test       run all tests that this machine supports, and list the skipped ones with the reason
  ci         format, prose, spelling, lints, documentation, layers, packages, and all tests; fails if a test is skipped
  stress [RUNS] [FILTER...]
             run every test binary RUNS times (default 20), every other time under CPU load, and list those that
             failed; a filter matches part of `package/target`, such as paytend-client/it
  lint-each  run Clippy on the tests of each package alone, without the features that other packages enable
  deny       check all dependencies' licences, sources and bans, and advisories if their database is reachable
  layers     check that crates depend only on lower layers, and that the paths in ARCHITECTURE.md exist
  mutants [PACKAGE]
             introduce known faults into the SQLite store, the outbox and the client, and check that the tests fail
             for each fault (takes some minutes)
  openapi    write crates/paytend-model/openapi.json from the types; --check fails if the file is stale
  prose [PREFIX...]
             check the language of documentation, comments and messages; a prefix limits the files, such as crates/
  package    package every publishable crate in dependency order, and run Clippy on each package
  dist       build the `paytend` command, and pack it with its manual pages and completions
  bindings build|test|pack [LANGUAGE...]
             build, test or pack the bindings for other languages: c, python, node, java, go
  bindings header [--check]
             write crates/paytend-ffi/include/paytend.h from the code; --check fails if the file is stale
  bindings merge FOLDER
             create the packages that contain libraries for several platforms
  screenshots
             test the sandbox's web page in a headless Chromium, and update the screenshots in the README
  fuzz-smoke [SECONDS]
             run each fuzz target for SECONDS seconds (default 10)
  bench      compare the backends with libcrypto, and write BENCHMARKS.md (about two minutes);
             --check fails if a result is below its floor; `bench client`, `bench webhook` and `bench sandbox`
             measure only the named part
  bench inbox [rates|steady|growth] [--full]
             measure receiving into a store, and fail if a limit is exceeded (some minutes; --full stores 1,000,000
             notifications, sustains a load for ten minutes, and writes its section of BENCHMARKS.md)
  bench outbox [orders|claim] [--full]
             compare submitting, sending and completing orders on SQLite with the client alone, and measure the claim
             beside finished orders (some minutes; --full inserts 1,000,000, and writes its section of BENCHMARKS.md)
  bench startup
             measure the time that the `paytend` command takes to start, and check that it is at most 15 ms
  bench queues
             compare the PostgreSQL store with other job queues on one server (some minutes)
  bench reconcile
             measure the comparison of 1,000,000 rows, and check that it takes at most five seconds
  bench bindings
             compare opening in each language with Rust and with handwritten code (some minutes)
  race [TRIES]
             cancel calls at about the time they are sent, TRIES times for each kind of connection (default 100,000),
             and check that no request reported as not sent reaches the server (some minutes)
  memory     run the AWS-LC backend's tests with AddressSanitizer and valgrind (some minutes)
  soak       kill processes, crash servers and simulate power cuts hundreds of times under load (about an hour)
  timing [--backend rustcrypto|aws-lc|openssl] [--rounds N]
             measure whether the time to open a message depends on its secrets (about a minute)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["setup"] => setup::run(),
        ["test"] => test::run(test::Skipping::Reported),
        ["ci"] => ci::run(),
        ["stress", rest @ ..] => stress::run(rest),
        ["deny"] => deny::run(),
        ["layers"] => layers::run(),
        ["mutants"] => mutants::run(None),
        ["mutants", package] => mutants::run(Some(package)),
        ["lint-each"] => ci::lint_each(),
        ["openapi"] => openapi::run(),
        ["openapi", "--check"] => openapi::check(),
        ["package"] => package::run(),
        ["dist"] => dist::run(),
        ["prose", prefixes @ ..] => prose::run(prefixes),
        ["typos"] => typos::run(),
        ["fuzz-smoke"] => fuzz::smoke(10, None),
        ["fuzz-smoke", seconds] => match seconds.parse() {
            Ok(seconds) => fuzz::smoke(seconds, None),
            Err(_) => Err(format!("invalid number of seconds: {seconds}")),
        },
        ["bindings", rest @ ..] => bindings::run(rest),
        ["screenshots"] => ui::screenshots(),
        ["memory"] => memory::build_and_run(),
        ["soak"] => soak::run(),
        ["timing", rest @ ..] => timing(rest),
        ["race"] => race("100000"),
        ["race", tries] => race(tries),
        ["bench"] => {
            let sections = benchmarks::sections();
            bench(&["--write=BENCHMARKS.md"]).and_then(|()| benchmarks::append(&sections))
        }
        ["bench", "reconcile"] => shell::cargo(["test", "--release", "--locked", "-p", "paytend-reconcile"])
            .args(["--test", "million", "--", "--include-ignored", "--nocapture", "--test-threads", "1"])
            .run(),
        ["bench", "bindings"] => bindings::bench::run(),
        ["bench", "startup"] => startup::run(),
        ["bench", "queues"] => queues::run(),
        ["bench", "--check"] => bench(&["--check"]),
        ["bench", "inbox", rest @ ..] => bench_store("inbox", "Receiving into a store", rest),
        ["bench", "outbox", rest @ ..] => bench_store("outbox", "Sending from a store", rest),
        ["bench", part @ ("client" | "webhook" | "sandbox"), rest @ ..] => bench(&[&[*part], rest].concat()),
        [] | ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        _ => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &[&str]) -> Result<(), String> {
    let rustc = shell::output("rustc", &["--version"]).unwrap_or_default();
    shell::cargo(["build", "--release", "--locked", "-p", "paytend-cli"]).run()?;
    let command = shell::target().join(format!("release/paytend{}", std::env::consts::EXE_SUFFIX));
    let bench = ["run", "--release", "--locked", "-p", "paytend-bench", "--"];
    shell::cargo(bench)
        .args(arguments)
        .env("BENCH_RUSTC", rustc.trim())
        .env("BENCH_AWS_LC", layers::aws_lc_version()?)
        .env("BENCH_PAYTEND", command)
        .run()
}

/// Runs a benchmark of the stores. A complete measurement replaces its section in BENCHMARKS.md.
fn bench_store(part: &str, section: &str, arguments: &[&str]) -> Result<(), String> {
    let report = shell::target().join(format!("bench-{part}.md"));
    let write = format!("--write={}", report.display());
    let result = bench(&[&[part, &write], arguments].concat());
    if arguments == ["--full"] {
        let report = std::fs::read_to_string(&report).map_err(|error| error.to_string())?;
        let text = format!("Written by `cargo xtask bench {part} --full`.\n\n{report}");
        benchmarks::replace(section, &text)?;
    }
    result
}

/// Runs the client's `race` test with the given number of attempts.
fn race(tries: &str) -> Result<(), String> {
    tries.parse::<u32>().map_err(|_| format!("invalid number of attempts: {tries}"))?;
    let test = ["test", "--locked", "-p", "paytend-client", "--test", "race", "--", "--nocapture"];
    shell::cargo(test).env("PAYTEND_RACE_TRIES", tries).run()
}

/// Runs the timing benchmark with additional arguments, such as `--backend NAME` and `--rounds N`.
fn timing(arguments: &[&str]) -> Result<(), String> {
    shell::cargo(["bench", "--locked", "-p", "paytend-bench", "--bench", "timing", "--"]).args(arguments).run()
}
