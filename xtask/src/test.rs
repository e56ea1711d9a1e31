//! `test`: runs all tests that this machine supports, and prints a table with the skipped ones.

use std::time::Instant;

use crate::bindings;
use crate::built::Built;
use crate::features;
use crate::memory;
use crate::nats;
use crate::openapi;
use crate::setup;
use crate::shell::{cargo, program};
use crate::ui;

/// The programs in `examples/` that need no other server.
const EXAMPLES: [&str; 7] =
    ["inbox_service", "inbox_sqlite", "issue_card", "outbox_sqlite", "receive_notifications", "serverless", "topup"];

/// What happens if this machine cannot run some of the tests: the command reports them, or it fails.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Skipping {
    Reported,
    Forbidden,
}

struct Row {
    name: &'static str,
    skipped: Option<String>,
    seconds: u64,
}

/// The rows of the table, and when the tests of the next row started.
struct Rows(Vec<Row>, Instant);

impl Rows {
    /// Adds a row for the tests that ran since the previous row was added.
    fn add(&mut self, name: &'static str, skipped: Option<String>) {
        let seconds = self.1.elapsed().as_secs();
        self.1 = Instant::now();
        self.0.push(Row { name, skipped, seconds });
    }
}

pub(crate) fn run(skipping: Skipping) -> Result<(), String> {
    let python = setup::python();
    let mut rows = Rows(Vec::new(), Instant::now());

    let openssl = setup::openssl();
    let mut packages = vec!["--workspace"];
    if !openssl {
        packages.extend(["--exclude", "paytend-crypto-openssl", "--exclude", "paytend-bench"]);
    }
    let features = features::tested(&features::metadata()?);
    let tests = || cargo(["test", "--locked", "--features", &features]).args(&packages);
    let mut running = tests();
    if let Some(python) = &python {
        running = running.env("PAYTEND_PYTHON", python);
    }
    let postgres = setup::postgres();
    if let Some(postgres) = &postgres {
        running = running.env("PAYTEND_POSTGRES", postgres);
    }
    let nats = nats::server();
    if let Some(nats) = &nats {
        running = running.env("PAYTEND_NATS_SERVER", nats);
    }
    if skipping == Skipping::Forbidden {
        running = running.env("PAYTEND_NOTHING_SKIPPED", "1");
    }
    running.run()?;
    rows.add("unit, integration and documentation tests of every crate", None);
    let built = Built::new(tests())?;

    rows.add(
        "the OpenSSL backend, compared with the default backend",
        (!openssl).then(|| "OpenSSL 3.0.8 or its headers are missing: run `cargo xtask setup`".into()),
    );

    let missing = memory::missing();
    if missing.is_none() {
        memory::run(&built)?;
    }
    rows.add("the AWS-LC backend, with AddressSanitizer and valgrind", missing);

    rows.add(
        "the inbox on a PostgreSQL server",
        postgres.is_none().then(|| "PostgreSQL is missing: run `cargo xtask setup`".into()),
    );
    rows.add(
        "the inbox on a PostgreSQL server behind PgBouncer",
        (!setup::pgbouncer()).then(|| "PgBouncer is missing: run `cargo xtask setup`".into()),
    );
    rows.add(
        "the inbox on a cluster of NATS servers",
        nats.is_none().then(|| "the NATS server is missing: run `cargo xtask setup`".into()),
    );
    // Without `setup`, the tests use `python3` from PATH, and are skipped if this interpreter does not have the
    // `cryptography` package.
    let reference = python.is_some() || program("python3").args(["-c", "import cryptography"]).succeeds();
    rows.add(
        "agreement with the Python reference implementation",
        (!reference).then(|| "Python's cryptography package is missing: run `cargo xtask setup`".into()),
    );

    openapi::compare(program(built.program("crates/paytend-model/examples/openapi.rs")?))?;
    if python.is_some() {
        openapi::validate()?;
    }
    rows.add(
        "validity of the OpenAPI document and its examples",
        python.is_none().then(|| "the Python environment is missing: run `cargo xtask setup`".into()),
    );

    // paytend-crypto also supports a build without default features.
    cargo(["test", "--locked", "-p", "paytend-crypto", "--no-default-features", "--lib"]).run()?;
    rows.add("paytend-crypto without a backend", None);

    // If any crate in a program enables serde_json's `arbitrary_precision` feature, serde_json stores numbers
    // differently in all crates. The tests must pass with this feature, too.
    let features = "paytend-crypto/testing,serde_json/arbitrary_precision";
    cargo(["test", "--locked", "-p", "paytend-crypto", "-p", "paytend-model", "--tests", "--features", features])
        .run()?;
    rows.add("crypto and model with serde_json's arbitrary_precision", None);

    // All languages run together, because each must open the messages that the others sealed.
    let languages = bindings::available();
    let here: Vec<&str> = languages.iter().filter(|(_, missing)| missing.is_none()).map(|(name, _)| *name).collect();
    if !here.is_empty() {
        bindings::run(&[&["test"], &here[..]].concat())?;
    }
    for (name, missing) in languages {
        rows.add(bindings::describe(name), missing);
    }

    let missing = ui::missing();
    if missing.is_none() {
        ui::test(built.program("crates/paytend-cli/src/main.rs")?)?;
    }
    rows.add("the sandbox's web page, in a headless Chromium", missing);

    for example in EXAMPLES {
        program(built.program(&format!("examples/{example}.rs"))?).run()?;
    }
    rows.add("the examples", None);

    let rows = rows.0;
    println!("\n{:<62} seconds  result", "test");
    for row in &rows {
        println!(
            "{:<62} {:>7}  {}",
            row.name,
            row.seconds,
            row.skipped.as_ref().map_or("ran".to_owned(), |reason| format!("SKIPPED: {reason}"))
        );
    }
    let skipped = rows.iter().filter(|row| row.skipped.is_some()).count();
    println!("{} passed, 0 failed, {skipped} skipped", rows.len() - skipped);
    if skipped > 0 && skipping == Skipping::Forbidden {
        return Err("some tests were skipped: run `cargo xtask setup`".into());
    }
    Ok(())
}
