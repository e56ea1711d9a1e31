//! `test`: everything that can run here, and a table of what could not.

use crate::bindings;
use crate::openapi;
use crate::setup;
use crate::shell::cargo;
use crate::ui;

/// The programs in `examples/`.
const EXAMPLES: [&str; 3] = ["receive_notifications", "serverless", "topup"];

/// What to do about a test that cannot run here.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Skipping {
    Reported,
    Forbidden,
}

struct Row {
    what: &'static str,
    skipped: Option<String>,
}

pub(crate) fn run(skipping: Skipping) -> Result<(), String> {
    let python = setup::python();
    let mut rows = Vec::new();

    let openssl = setup::openssl();
    let mut tests = cargo(["test", "--workspace", "--locked"]);
    if !openssl {
        tests = tests.args(["--exclude", "paytend-crypto-openssl", "--exclude", "paytend-bench"]);
    }
    if let Some(python) = &python {
        tests = tests.env("PAYTEND_PYTHON", python);
    }
    if skipping == Skipping::Forbidden {
        tests = tests.env("PAYTEND_NOTHING_SKIPPED", "1");
    }
    tests.run()?;
    rows.push(Row { what: "unit, integration and documentation tests of every crate", skipped: None });

    rows.push(Row {
        what: "the OpenSSL backend, held against the default one",
        skipped: (!openssl).then(|| "no OpenSSL 3.0.8 with its headers: run `cargo xtask setup`".into()),
    });

    if openssl {
        // Each benchmark once, so that none rots.
        cargo(["test", "--locked", "-p", "paytend-bench", "--benches"]).run()?;
        cargo(["run", "--locked", "-p", "paytend-bench", "--", "--quick"]).run()?;
    }

    // Without `setup` the tests look for a Python on the path by themselves, and skip if it lacks the package.
    let reference = python.is_some() || crate::shell::program("python3").args(["-c", "import cryptography"]).succeeds();
    rows.push(Row {
        what: "agreement with the Python reference implementation",
        skipped: (!reference).then(|| "no Python with the cryptography package: run `cargo xtask setup`".into()),
    });

    let with_schemas = ["test", "--locked", "-p", "paytend-model", "--all-features", "--lib", "--test", "it"];
    cargo(with_schemas).args(["--", "openapi", "schema"]).run()?;
    rows.push(Row { what: "the OpenAPI document, held against the types", skipped: None });

    cargo(["test", "--locked", "-p", "paytend-client", "--all-features", "--test", "it", "blocking"]).run()?;
    rows.push(Row { what: "the blocking client", skipped: None });

    cargo(["test", "--locked", "-p", "paytend-webhook", "--all-features"]).run()?;
    rows.push(Row { what: "every web framework's adapter, over real connections", skipped: None });

    if python.is_some() {
        openapi::validate()?;
    }
    rows.push(Row {
        what: "the OpenAPI document, valid, and its examples too",
        skipped: python.is_none().then(|| "no Python environment: run `cargo xtask setup`".into()),
    });

    // The crates that have a smaller form than their default.
    cargo(["test", "--locked", "-p", "paytend-crypto", "--no-default-features", "--lib"]).run()?;
    rows.push(Row { what: "paytend-crypto without a backend", skipped: None });

    // A feature of serde_json that any crate in a program may switch on for all, and that changes what a number is.
    let features = "paytend-crypto/testing,serde_json/arbitrary_precision";
    cargo(["test", "--locked", "-p", "paytend-crypto", "-p", "paytend-model", "--tests", "--features", features])
        .run()?;
    rows.push(Row { what: "crypto and model with serde_json's arbitrary_precision", skipped: None });

    // Together, so that each opens what the others have sealed.
    let languages = bindings::available();
    let here: Vec<&str> = languages.iter().filter(|(_, missing)| missing.is_none()).map(|(name, _)| *name).collect();
    if !here.is_empty() {
        bindings::run(&[&["test"], &here[..]].concat())?;
    }
    rows.extend(languages.into_iter().map(|(name, missing)| Row { what: bindings::describe(name), skipped: missing }));

    let missing = ui::missing();
    if missing.is_none() {
        ui::test()?;
    }
    rows.push(Row { what: "the sandbox's page, in a headless Chromium", skipped: missing });

    for example in EXAMPLES {
        cargo(["run", "--quiet", "--locked", "-p", "paytend-examples", "--example", example]).run()?;
    }
    rows.push(Row { what: "the examples, run", skipped: None });

    println!("\n{:<62} result", "what");
    for row in &rows {
        println!("{:<62} {}", row.what, row.skipped.as_ref().map_or("ran".to_owned(), |why| format!("SKIPPED: {why}")));
    }
    let skipped = rows.iter().filter(|row| row.skipped.is_some()).count();
    println!("{} passed, 0 failed, {skipped} skipped", rows.len() - skipped);
    if skipped > 0 && skipping == Skipping::Forbidden {
        return Err("nothing may be skipped here".into());
    }
    Ok(())
}
