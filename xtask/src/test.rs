//! `test`: runs all tests that this machine supports, and prints a table with the skipped ones.

use crate::bindings;
use crate::memory;
use crate::nats;
use crate::openapi;
use crate::setup;
use crate::shell::cargo;
use crate::ui;

/// The programs in `examples/` that need no other server.
const EXAMPLES: [&str; 6] =
    ["inbox_service", "inbox_sqlite", "issue_card", "receive_notifications", "serverless", "topup"];

/// Whether tests that this machine cannot run are only reported or cause a failure.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Skipping {
    Reported,
    Forbidden,
}

struct Row {
    name: &'static str,
    skipped: Option<String>,
}

pub(crate) fn run(skipping: Skipping) -> Result<(), String> {
    let python = setup::python();
    let mut rows = Vec::new();

    let openssl = setup::openssl();
    // paytend-webhook's tests run once, below, with all features.
    let mut tests = cargo(["test", "--workspace", "--locked", "--exclude", "paytend-webhook"]);
    if !openssl {
        tests = tests.args(["--exclude", "paytend-crypto-openssl", "--exclude", "paytend-bench"]);
    }
    if let Some(python) = &python {
        tests = tests.env("PAYTEND_PYTHON", python);
    }
    let postgres = setup::postgres();
    if let Some(postgres) = &postgres {
        tests = tests.env("PAYTEND_POSTGRES", postgres);
    }
    let nats = nats::server();
    if let Some(nats) = &nats {
        tests = tests.env("PAYTEND_NATS_SERVER", nats);
    }
    if skipping == Skipping::Forbidden {
        tests = tests.env("PAYTEND_NOTHING_SKIPPED", "1");
    }
    tests.run()?;
    rows.push(Row { name: "unit, integration and documentation tests of every crate", skipped: None });

    rows.push(Row {
        name: "the OpenSSL backend, compared with the default backend",
        skipped: (!openssl).then(|| "OpenSSL 3.0.8 or its headers are missing: run `cargo xtask setup`".into()),
    });

    if openssl {
        // Runs each benchmark once, to check that it still works.
        cargo(["test", "--locked", "-p", "paytend-bench", "--benches"]).run()?;
        cargo(["run", "--locked", "-p", "paytend-bench", "--", "--quick"]).run()?;
    }

    let missing = memory::missing();
    if missing.is_none() {
        memory::run()?;
    }
    rows.push(Row { name: "the AWS-LC backend, with AddressSanitizer and valgrind", skipped: missing });

    rows.push(Row {
        name: "the inbox on a PostgreSQL server",
        skipped: postgres.is_none().then(|| "PostgreSQL is missing: run `cargo xtask setup`".into()),
    });
    rows.push(Row {
        name: "the inbox on a PostgreSQL server behind PgBouncer",
        skipped: (!setup::pgbouncer()).then(|| "PgBouncer is missing: run `cargo xtask setup`".into()),
    });
    rows.push(Row {
        name: "the inbox on a cluster of NATS servers",
        skipped: nats.is_none().then(|| "the NATS server is missing: run `cargo xtask setup`".into()),
    });
    let faults = ["test", "--locked", "-p", "paytend-store-sqlite", "--features", "failpoints", "--test", "faults"];
    cargo(faults).run()?;
    rows.push(Row { name: "the inbox on SQLite with kills, power cuts and failing disks", skipped: None });

    // Without `setup`, the tests use `python3` from PATH, and are skipped if this interpreter does not have the
    // `cryptography` package.
    let reference = python.is_some() || crate::shell::program("python3").args(["-c", "import cryptography"]).succeeds();
    rows.push(Row {
        name: "agreement with the Python reference implementation",
        skipped: (!reference).then(|| "Python's cryptography package is missing: run `cargo xtask setup`".into()),
    });

    let with_schemas = ["test", "--locked", "-p", "paytend-model", "--all-features", "--lib", "--test", "it"];
    cargo(with_schemas).args(["--", "openapi", "schema"]).run()?;
    rows.push(Row { name: "the OpenAPI document, compared with the types", skipped: None });

    cargo(["test", "--locked", "-p", "paytend-client", "--all-features", "--test", "it", "blocking"]).run()?;
    rows.push(Row { name: "the blocking client", skipped: None });

    cargo(["test", "--locked", "-p", "paytend-webhook", "--all-features"]).run()?;
    rows.push(Row { name: "the adapters of all web frameworks, over real connections", skipped: None });

    if python.is_some() {
        openapi::validate()?;
    }
    rows.push(Row {
        name: "validity of the OpenAPI document and its examples",
        skipped: python.is_none().then(|| "the Python environment is missing: run `cargo xtask setup`".into()),
    });

    // paytend-crypto also supports a build without default features.
    cargo(["test", "--locked", "-p", "paytend-crypto", "--no-default-features", "--lib"]).run()?;
    rows.push(Row { name: "paytend-crypto without a backend", skipped: None });

    // If any crate in a program enables serde_json's `arbitrary_precision`, numbers are stored differently in all
    // crates.
    let features = "paytend-crypto/testing,serde_json/arbitrary_precision";
    cargo(["test", "--locked", "-p", "paytend-crypto", "-p", "paytend-model", "--tests", "--features", features])
        .run()?;
    rows.push(Row { name: "crypto and model with serde_json's arbitrary_precision", skipped: None });

    // All languages run together, because each must open the messages that the others sealed.
    let languages = bindings::available();
    let here: Vec<&str> = languages.iter().filter(|(_, missing)| missing.is_none()).map(|(name, _)| *name).collect();
    if !here.is_empty() {
        bindings::run(&[&["test"], &here[..]].concat())?;
    }
    rows.extend(languages.into_iter().map(|(name, missing)| Row { name: bindings::describe(name), skipped: missing }));

    let missing = ui::missing();
    if missing.is_none() {
        ui::test()?;
    }
    rows.push(Row { name: "the sandbox's web page, in a headless Chromium", skipped: missing });

    for example in EXAMPLES {
        cargo(["run", "--quiet", "--locked", "-p", "paytend-examples", "--example", example]).run()?;
    }
    rows.push(Row { name: "the examples", skipped: None });

    println!("\n{:<62} result", "test");
    for row in &rows {
        println!(
            "{:<62} {}",
            row.name,
            row.skipped.as_ref().map_or("ran".to_owned(), |reason| format!("SKIPPED: {reason}"))
        );
    }
    let skipped = rows.iter().filter(|row| row.skipped.is_some()).count();
    println!("{} passed, 0 failed, {skipped} skipped", rows.len() - skipped);
    if skipped > 0 && skipping == Skipping::Forbidden {
        return Err("tests were skipped: run `cargo xtask setup`".into());
    }
    Ok(())
}
