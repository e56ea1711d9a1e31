//! `mutants`: breaks the store of the inbox in known ways, and checks that its tests fail each time.
//!
//! The sources are changed in place and restored. Do not edit them meanwhile.

use std::path::PathBuf;

use crate::shell::{cargo, root};

struct Mutant {
    name: &'static str,
    /// Each change: the file, a string that occurs once in it, and its replacement.
    changes: &'static [(&'static str, &'static str, &'static str)],
    /// The test binary and the filter of the tests that must fail.
    tests: (&'static str, &'static str),
}

const STORE: &str = "crates/paytend-store-sqlite/src/store.rs";
const CLAIM: &str = "crates/paytend-store-sqlite/src/claim.rs";
const FINISH: &str = "crates/paytend-store-sqlite/src/finish.rs";
const ACCEPT: &str = "crates/paytend-store-sqlite/src/accept.rs";
const DUPLICATES: &str = "crates/paytend-store-sqlite/src/duplicates.rs";
const ENGINE: &str = "crates/paytend-store-sqlite/src/engine.rs";
const WRITER: &str = "crates/paytend-store-sqlite/src/writer.rs";
const SCHEMA: &str = "crates/paytend-store-sqlite/src/schema/0001.sql";
const CONFORMS: (&str, &str) = ("it", "conforms::sqlite_store_conforms");

const MUTANTS: [Mutant; 11] = [
    Mutant {
        name: "acknowledge before the commit",
        changes: &[(
            STORE,
            "        accepted.await.map_err(without_lease)\n",
            "        let id = paytend_inbox::Id::new(1);\n        tokio::select! {\n            biased;\n            \
             result = accepted => result.map_err(without_lease),\n            \
             () = tokio::task::yield_now() => Ok(Accepted::New(id)),\n        }\n",
        )],
        tests: ("faults", "kill::"),
    },
    Mutant {
        name: "effect in a different transaction than the completion",
        changes: &[(
            STORE,
            "            finish::complete(transaction, clock.now(), &held)\n",
            "            transaction.execute_batch(\"COMMIT; BEGIN; SAVEPOINT paytend_operation\")?;\n            \
             finish::complete(transaction, clock.now(), &held)\n",
        )],
        tests: ("faults", "kill::"),
    },
    Mutant {
        name: "failed effect is not rolled back",
        changes: &[(WRITER, "if verdict != Verdict::Keep {", "if verdict != verdict {")],
        tests: CONFORMS,
    },
    Mutant {
        name: "no unique key",
        changes: &[
            (SCHEMA, "dedup BLOB NOT NULL UNIQUE", "dedup BLOB NOT NULL"),
            (
                ACCEPT,
                "FROM paytend_notification WHERE dedup = ?1\"",
                "FROM paytend_notification WHERE dedup <> dedup AND dedup = ?1\"",
            ),
        ],
        tests: CONFORMS,
    },
    Mutant {
        name: "lease without fence",
        changes: &[(FINISH, "AND fence = ?2 AND holder = ?3", "AND ?2 = ?2 AND holder = ?3")],
        tests: CONFORMS,
    },
    Mutant {
        name: "lease without holder",
        changes: &[(FINISH, "AND fence = ?2 AND holder = ?3", "AND fence = ?2 AND ?3 = ?3")],
        tests: CONFORMS,
    },
    Mutant {
        name: "state that repeats is only counted",
        changes: &[(DUPLICATES, "Some((id, tag, false)) if", "Some((id, tag, _)) if")],
        tests: ("it", "duplicates::"),
    },
    Mutant {
        name: "synchronous = OFF",
        changes: &[(ENGINE, "Synchronous::Full => 2", "Synchronous::Full => 0")],
        tests: ("faults", "power::power_cuts_lose_nothing"),
    },
    Mutant {
        name: "tries used as fence",
        changes: &[(CLAIM, "fence = fence + 1, tries", "fence = tries + 1, tries")],
        tests: CONFORMS,
    },
    Mutant {
        name: "fence starts again after completion",
        changes: &[(ACCEPT, "Ok(Pending { fence: row.get(0)?,", "Ok(Pending { fence: row.get::<_, i64>(0)? * 0,")],
        tests: CONFORMS,
    },
    Mutant {
        name: "order key is released twice",
        changes: &[(
            FINISH,
            "if let (Some(key), true) = (order_key, head)",
            "if let (Some(key), _) = (order_key, head)",
        )],
        tests: CONFORMS,
    },
];

pub(crate) fn run() -> Result<(), String> {
    let mut survivors = Vec::new();
    for mutant in &MUTANTS {
        println!("mutant: {}", mutant.name);
        let _restored = Sources::change(mutant)?;
        let (binary, filter) = mutant.tests;
        let test = ["test", "--package", "paytend-store-sqlite", "--features", "failpoints", "--test", binary];
        cargo(test).args(["--no-run"]).run()?;
        if cargo(test).args(["--", filter]).env("PAYTEND_FAULT_ROUNDS", "40").run().is_ok() {
            survivors.push(mutant.name);
        }
    }
    if survivors.is_empty() {
        println!("mutants: the tests fail for each of {} mutants", MUTANTS.len());
        return Ok(());
    }
    Err(format!("the tests do not fail for: {}", survivors.join(", ")))
}

/// The original sources, which are written back on drop.
struct Sources(Vec<(PathBuf, String)>);

impl Sources {
    fn change(mutant: &Mutant) -> Result<Self, String> {
        let mut sources = Self(Vec::new());
        for (path, from, to) in mutant.changes {
            let path = root().join(path);
            let source = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            if source.matches(from).count() != 1 {
                return Err(format!(
                    "{}: the text of the mutant {:?} does not occur once",
                    path.display(),
                    mutant.name
                ));
            }
            let changed = source.replace(from, to);
            sources.0.push((path.clone(), source));
            std::fs::write(&path, changed).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(sources)
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        for (path, source) in self.0.drain(..) {
            if let Err(error) = std::fs::write(&path, source) {
                eprintln!("cannot restore {}: {error}", path.display());
            }
        }
    }
}
