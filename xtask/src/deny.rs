//! `deny`: checks the dependencies against deny.toml with cargo-deny.

use std::path::PathBuf;

use crate::shell::{Program, cargo, program, root, target};

/// The version that `setup` installs.
const VERSION: &str = "0.20.2";

/// Returns the directory for installed tools. Only this workspace uses it, so other versions cannot interfere.
fn folder() -> PathBuf {
    target().join("xtask/tools")
}

fn tool() -> Program {
    program(folder().join("bin").join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX)))
}

/// Returns whether the required version is installed.
fn installed() -> bool {
    tool()
        .args(["--version"])
        .quiet_output()
        .is_some_and(|printed| printed.split_whitespace().any(|word| word == VERSION))
}

/// Installs cargo-deny into the target directory, if it is missing.
pub(crate) fn install() -> Result<(), String> {
    if installed() {
        return Ok(());
    }
    println!("building cargo-deny; this happens only once and takes a few minutes");
    // cargo-deny is built without optimization, because an optimized build would take longer than it saves when the
    // tool runs.
    let install = ["install", "cargo-deny", "--debug", "--version", VERSION, "--locked", "--force", "--root"];
    cargo(install).args([folder()]).run()?;
    if installed() { Ok(()) } else { Err("cargo-deny was installed but cannot be run".into()) }
}

pub(crate) fn run() -> Result<(), String> {
    if !installed() {
        return Err(format!("cargo-deny {VERSION} is missing: run `cargo xtask setup`"));
    }
    for workspace in ["Cargo.toml", "comparisons/Cargo.toml", "fuzz/Cargo.toml"] {
        check(workspace).args(["bans", "licenses", "sources"]).run()?;
    }
    // The advisory database is a Git repository, which cannot be reached from every network. In that case, the
    // advisories are not checked.
    let fetched = tool()
        .args(["--color", "never", "fetch", "db"])
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_HTTP_LOW_SPEED_LIMIT", "1000")
        .env("GIT_HTTP_LOW_SPEED_TIME", "30")
        .run();
    if let Err(error) = fetched {
        println!("deny: advisories NOT CHECKED: cannot reach the RustSec database: {error}");
        return Ok(());
    }
    for workspace in ["Cargo.toml", "comparisons/Cargo.toml", "fuzz/Cargo.toml"] {
        check(workspace).args(["--disable-fetch", "advisories"]).run()?;
    }
    Ok(())
}

/// Returns the command that checks a workspace against deny.toml.
fn check(manifest: &str) -> Program {
    tool()
        .args(["--color", "never", "--locked", "--manifest-path"])
        .args([root().join(manifest)])
        .args(["--config"])
        .args([root().join("deny.toml")])
        .args(["check", "--hide-inclusion-graph"])
        // Unused exceptions are allowed, because both workspaces share deny.toml and neither needs every exception.
        .args(["-A", "unused-wrapper", "-A", "license-not-encountered", "-A", "license-exception-not-encountered"])
}
