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
    ("documentation", documentation),
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

/// Builds the documentation with the features of the tests, for which the step before has checked all dependencies.
fn documentation() -> Result<(), String> {
    let features = features::tested(&features::metadata()?);
    let document = cargo(["doc", "--workspace", "--no-deps", "--locked", "--features", &features]);
    document.env("RUSTDOCFLAGS", "-D warnings").run()
}

/// Runs Clippy on all code with the features of the tests, and on the packages that are built in this workspace only.
///
/// Then runs it on each published package alone, with all features and with none, so that no package depends on a
/// feature that a different package enables. The step `packages` does the same with the default features.
fn lints() -> Result<(), String> {
    let lint = |arguments: &[&str]| cargo(["clippy", "--locked"]).args(arguments).args(["--", "-D", "warnings"]).run();
    let metadata = features::metadata()?;
    lint(&["--workspace", "--all-targets", "--features", &features::tested(&metadata)])?;
    let (published, internal): (Vec<_>, Vec<_>) =
        metadata.workspace_packages().into_iter().partition(|package| package.publish.is_none());
    let together: Vec<&str> = internal.iter().flat_map(|package| ["-p", package.name.as_str()]).collect();
    lint(&[&["--all-targets"], &together[..]].concat())?;
    for package in published {
        let alone = |arguments: &[&str]| lint(&[&["-p", package.name.as_str()], arguments].concat());
        let further = features::of(package);
        if !further.is_empty() {
            alone(&["--features", &further.join(",")])?;
        }
        if package.features.contains_key("default") {
            alone(&["--lib", "--no-default-features"])?;
        }
    }
    Ok(())
}

/// Runs Clippy on each package alone with all its targets. This finds tests that depend on a feature that a different
/// package enables, and takes too long for `ci`.
pub(crate) fn lint_each() -> Result<(), String> {
    for package in features::metadata()?.workspace_packages() {
        let alone = ["clippy", "--locked", "--all-targets", "-p", package.name.as_str()];
        cargo(alone).args(["--", "-D", "warnings"]).run()?;
        let further = features::of(package);
        if !further.is_empty() {
            cargo(alone).args(["--features", &further.join(","), "--", "-D", "warnings"]).run()?;
        }
    }
    Ok(())
}
