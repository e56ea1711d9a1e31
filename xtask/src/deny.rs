//! `deny`: the rules of deny.toml for dependencies, checked by cargo-deny.

use std::path::PathBuf;

use crate::shell::{Program, cargo, program, root, target};

/// The version that `setup` installs.
const VERSION: &str = "0.20.2";

/// The folder in which tools are installed: of this workspace alone, so that no other version is in the way.
fn folder() -> PathBuf {
    target().join("xtask/tools")
}

fn tool() -> Program {
    program(folder().join("bin").join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX)))
}

/// Returns whether the right version is installed.
fn installed() -> bool {
    tool()
        .args(["--version"])
        .quiet_output()
        .is_some_and(|printed| printed.split_whitespace().any(|word| word == VERSION))
}

/// Installs cargo-deny into the target folder, if it is not there.
pub(crate) fn install() -> Result<(), String> {
    if installed() {
        return Ok(());
    }
    println!("cargo-deny is built once, which takes some minutes");
    // Without optimisation: building it takes longer than all that it does.
    let install = ["install", "cargo-deny", "--debug", "--version", VERSION, "--locked", "--force", "--root"];
    cargo(install).args([folder()]).run()?;
    if installed() { Ok(()) } else { Err("cargo-deny was installed and cannot be run".into()) }
}

pub(crate) fn run() -> Result<(), String> {
    if !installed() {
        return Err(format!("cargo-deny {VERSION} is missing: run `cargo xtask setup`"));
    }
    for workspace in ["Cargo.toml", "fuzz/Cargo.toml"] {
        check(workspace).args(["bans", "licenses", "sources"]).run()?;
    }
    // The database is a Git repository, which cannot be reached from everywhere.
    let fetched = tool()
        .args(["--color", "never", "fetch", "db"])
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_HTTP_LOW_SPEED_LIMIT", "1000")
        .env("GIT_HTTP_LOW_SPEED_TIME", "30")
        .run();
    if let Err(error) = fetched {
        println!("deny: NOT CHECKED: advisories: the database of RustSec cannot be reached: {error}");
        return Ok(());
    }
    for workspace in ["Cargo.toml", "fuzz/Cargo.toml"] {
        check(workspace).args(["--disable-fetch", "advisories"]).run()?;
    }
    Ok(())
}

/// The check of a workspace by the rules of deny.toml.
fn check(manifest: &str) -> Program {
    tool()
        .args(["--color", "never", "--locked", "--manifest-path"])
        .args([root().join(manifest)])
        .args(["--config"])
        .args([root().join("deny.toml")])
        .args(["check", "--hide-inclusion-graph"])
        // What the rules allow is in one of the two workspaces, and not always in both.
        .args(["-A", "unused-wrapper", "-A", "license-not-encountered", "-A", "license-exception-not-encountered"])
}
