//! `ci`: the checks that every change must pass.

use std::time::Instant;

use crate::features;
use crate::shell::cargo;
use crate::test::{self, Skipping};
use crate::{bindings, deny, fuzz, layers, package, prose, queues, typos};

type Step = (&'static str, fn() -> Result<(), String>);

const STEPS: [Step; 12] = [
    ("format", format),
    ("prose", || prose::run(&[])),
    ("typos", typos::run),
    ("layers", layers::run),
    ("deny", deny::run),
    ("lints", lints),
    ("documentation", || {
        cargo(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings").run()
    }),
    ("header", || bindings::run(&["header", "--check"])),
    // libFuzzer is best supported on Linux, and fuzzing on other systems would find no additional errors.
    ("fuzz", || if cfg!(target_os = "linux") { fuzz::smoke(5, Some(1)) } else { Ok(()) }),
    ("comparisons", queues::check),
    ("packages", package::run),
    ("tests", || test::run(Skipping::Forbidden)),
];

pub(crate) fn run() -> Result<(), String> {
    let mut table = String::new();
    for (name, step) in STEPS {
        println!("\n== {name}");
        let start = Instant::now();
        step().map_err(|error| format!("{name}: {error}"))?;
        table.push_str(&format!("{name:<16}{:>5} s\n", start.elapsed().as_secs()));
    }
    println!("\n{table}ci: all checks passed");
    Ok(())
}

/// Checks the formatting of this workspace and of the separate workspaces `fuzz` and `comparisons`.
fn format() -> Result<(), String> {
    cargo(["fmt", "--all", "--check"]).run()?;
    queues::format()?;
    fuzz::format()
}

/// Runs Clippy on all code with the default features, and again with all features.
///
/// Then runs it on each library alone, with all features and with none, so that no library depends on a feature that a
/// different package enables. The step `packages` builds each package alone with its default features.
fn lints() -> Result<(), String> {
    let lint = |arguments: &[&str]| cargo(["clippy", "--locked"]).args(arguments).args(["--", "-D", "warnings"]).run();
    let metadata = features::metadata()?;
    lint(&["--workspace", "--all-targets"])?;
    lint(&["--workspace", "--all-targets", "--features", &features::all(&metadata)])?;
    for package in metadata.workspace_packages().into_iter().filter(|package| package.publish.is_none()) {
        let further = features::of(package);
        let library = package.targets.iter().any(|target| target.is_lib());
        if library && !further.is_empty() {
            lint(&["--lib", "-p", &package.name, "--features", &further.join(",")])?;
        }
        if package.features.contains_key("default") {
            lint(&["--lib", "-p", &package.name, "--no-default-features"])?;
        }
    }
    Ok(())
}
