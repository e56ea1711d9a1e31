//! `openapi`: generates the OpenAPI file from the types of `paytend-model`.

use std::path::PathBuf;

use crate::setup;
use crate::shell::{Program, cargo, program, root};

fn file() -> PathBuf {
    root().join("crates/paytend-model/openapi.json")
}

/// Returns the program that prints the document.
fn generator() -> Program {
    cargo(["run", "--quiet", "--locked", "-p", "paytend-model", "--features", "schema", "--example", "openapi"])
}

/// Writes the file.
pub(crate) fn run() -> Result<(), String> {
    std::fs::write(file(), generator().output()?).map_err(|error| format!("{}: {error}", file().display()))?;
    println!("openapi: wrote crates/paytend-model/openapi.json");
    Ok(())
}

/// Returns an error if the file is stale.
pub(crate) fn check() -> Result<(), String> {
    compare(generator())
}

/// Returns an error if the file differs from the output of this program.
pub(crate) fn compare(generator: Program) -> Result<(), String> {
    let written = std::fs::read_to_string(file()).unwrap_or_default();
    if written != generator.output()? {
        return Err("crates/paytend-model/openapi.json is stale: run `cargo xtask openapi`".into());
    }
    println!("openapi: crates/paytend-model/openapi.json is up to date");
    Ok(())
}

/// Validates this file and the sandbox's control interface file against the OpenAPI 3.1 schema.
///
/// Also validates each example in the two files against its schema.
pub(crate) fn validate() -> Result<(), String> {
    let python = setup::python().ok_or("no Python environment: run `cargo xtask setup`")?;
    for file in [file(), root().join("crates/paytend-sandbox/src/control/openapi.json")] {
        program(&python).args([root().join("xtask/openapi_check.py"), file]).run()?;
    }
    Ok(())
}
