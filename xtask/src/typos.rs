//! `typos`: checks the spelling of all files with the `typos` program.

use crate::setup;
use crate::shell::{program, root};

/// Checks the spelling. The settings are in typos.toml.
pub(crate) fn run() -> Result<(), String> {
    let python = setup::python().ok_or("the spell checker is missing: run `cargo xtask setup`")?;
    program(setup::typos(&python))
        .args(["--format", "brief", "--config"])
        .args([root().join("typos.toml")])
        .args([root()])
        .run()?;
    println!("typos: no spelling errors");
    Ok(())
}
