//! `fuzz-smoke`: runs each fuzz target for a few seconds, with the current toolchain.
//!
//! For long runs, use `cargo fuzz run TARGET` with a nightly toolchain.

use std::path::PathBuf;

use cargo_metadata::{MetadataCommand, TargetKind};

use crate::shell::{cargo, output, program, root, target};

/// Compiler flags for the coverage instrumentation that libFuzzer needs. The flags work with stable compilers.
///
/// No sanitizer is used, because sanitizers need a nightly compiler, and the fuzzed crates contain no unsafe code.
const FLAGS: [&str; 7] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
    "-Dwarnings",
];

fn manifest() -> PathBuf {
    root().join("fuzz/Cargo.toml")
}

/// Returns the directory for the build and for the fuzzer's findings.
fn folder() -> PathBuf {
    target().join("fuzz")
}

/// Checks the formatting of the fuzz targets, without building them.
pub(crate) fn format() -> Result<(), String> {
    cargo(["fmt", "--check", "--manifest-path"]).args([&manifest()]).run()
}

/// Runs every target for the given number of seconds. With a seed, the targets see the same inputs in every run.
pub(crate) fn smoke(seconds: u32, seed: Option<u32>) -> Result<(), String> {
    let manifest = manifest();
    let rustc = output("rustc", &["-vV"]).ok_or("cannot run rustc")?;
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("`rustc -vV` does not print a host")?;
    // The target is passed explicitly, so that cargo does not apply the flags to build scripts and procedural macros.
    cargo(["build", "--release", "--locked", "--target", host, "--manifest-path"])
        .args([&manifest])
        .args(["--target-dir"])
        .args([folder()])
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"))
        .run()?;
    let targets = targets(&manifest)?;
    for target in &targets {
        let program = folder().join(host).join("release").join(target);
        run(&program, target, seconds, seed)?;
    }
    println!("fuzz-smoke: {} targets ran for {seconds} s each and found nothing", targets.len());
    Ok(())
}

fn targets(manifest: &PathBuf) -> Result<Vec<String>, String> {
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().map_err(|e| e.to_string())?;
    let targets = metadata.workspace_packages().into_iter().flat_map(|package| package.targets.clone());
    let names: Vec<_> =
        targets.filter(|target| target.kind.contains(&TargetKind::Bin)).map(|target| target.name).collect();
    if names.is_empty() { Err("fuzz/Cargo.toml defines no fuzz target".into()) } else { Ok(names) }
}

/// Runs a fuzz target, starting from the corpus in the repository, which is not modified.
fn run(binary: &PathBuf, target: &str, seconds: u32, seed: Option<u32>) -> Result<(), String> {
    let corpus = root().join("fuzz/corpus").join(target);
    if !corpus.is_dir() {
        return Err(format!("{target} has no corpus: add the directory fuzz/corpus/{target}"));
    }
    let found = folder().join(if seed.is_some() { "seeded" } else { "corpus" }).join(target);
    if seed.is_some() && found.is_dir() {
        // Removes the inputs that an earlier run found, because they would change the sequence of inputs.
        std::fs::remove_dir_all(&found).map_err(|e| format!("{}: {e}", found.display()))?;
    }
    let artifacts = folder().join("artifacts").join(target);
    for folder in [&found, &artifacts] {
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    program(binary)
        .args([format!("-max_total_time={seconds}"), format!("-artifact_prefix={}/", artifacts.display())])
        .args(["-timeout=10", "-rss_limit_mb=2048"])
        .args(seed.map(|seed| format!("-seed={seed}")))
        .args([&found, &corpus])
        .run_into(&folder().join(format!("{target}.log")))
}
