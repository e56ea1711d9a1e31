//! `ci`: the checks that every change must pass.

use std::time::Instant;

use cargo_metadata::MetadataCommand;

use crate::shell::{cargo, root};
use crate::test::{self, Skipping};
use crate::{bindings, deny, fuzz, layers, openapi, package, prose, queues, typos};

type Step = (&'static str, fn() -> Result<(), String>);

const STEPS: [Step; 13] = [
    ("format", format),
    ("prose", || prose::run(&[])),
    ("typos", typos::run),
    ("layers", layers::run),
    ("deny", deny::run),
    ("lints", lints),
    ("documentation", || {
        cargo(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings").run()
    }),
    ("openapi", || openapi::run(true)),
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

/// Runs Clippy on each published package separately, so that no package depends on a feature that a different package
/// enables. The other packages are built in this workspace only, so they share a run.
fn lints() -> Result<(), String> {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec().map_err(|e| e.to_string())?;
    let (published, internal): (Vec<_>, Vec<_>) =
        metadata.workspace_packages().into_iter().partition(|package| package.publish.is_none());
    let together = internal.iter().flat_map(|package| ["-p", package.name.as_str()]);
    cargo(["clippy", "--locked", "--all-targets"]).args(together).args(["--", "-D", "warnings"]).run()?;
    for package in published.iter().chain(&internal) {
        let lint = ["clippy", "--locked", "--all-targets", "-p", package.name.as_str()];
        if package.publish.is_none() {
            cargo(lint).args(["--", "-D", "warnings"]).run()?;
        }
        // Skips features that build OpenSSL from source, because they add no code to check.
        let further = package.features.keys().filter(|name| *name != "default" && !name.contains("vendored"));
        let further: Vec<&str> = further.map(String::as_str).collect();
        if !further.is_empty() {
            cargo(lint).args(["--features", &further.join(","), "--", "-D", "warnings"]).run()?;
        }
        if package.features.contains_key("default") {
            let bare = ["clippy", "--locked", "--lib", "--no-default-features", "-p", package.name.as_str()];
            cargo(bare).args(["--", "-D", "warnings"]).run()?;
        }
    }
    Ok(())
}
