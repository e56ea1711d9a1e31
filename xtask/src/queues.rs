//! `bench queues`: compares the PostgreSQL store with other job queues. The comparison is a separate workspace.

use std::path::PathBuf;

use crate::benchmarks;
use crate::shell::{cargo, root, target};

fn manifest() -> PathBuf {
    root().join("comparisons/Cargo.toml")
}

/// Checks the comparison's code formatting.
pub(crate) fn format() -> Result<(), String> {
    cargo(["fmt", "--check", "--manifest-path"]).args([&manifest()]).run()
}

/// Checks that the comparison compiles with the stores.
pub(crate) fn check() -> Result<(), String> {
    cargo(["check", "--quiet", "--locked", "--manifest-path"])
        .args([&manifest()])
        .args(["--target-dir"])
        .args([target()])
        .run()
}

/// Builds and runs the comparison, and replaces its section of BENCHMARKS.md.
pub(crate) fn run() -> Result<(), String> {
    let table = cargo(["run", "--release", "--locked", "--manifest-path"])
        .args([&manifest()])
        .args(["--target-dir"])
        .args([target()])
        .output()?;
    println!("{table}");
    let text = format!(
        "Written by `cargo xtask bench queues`. Each queue claims jobs, inserts a row for each and completes\n\
         them, on one PostgreSQL server with the same durability and number of connections. Values are medians\n\
         of alternating rounds.\n\n{table}"
    );
    benchmarks::replace("PostgreSQL store and job queues", &text)
}
