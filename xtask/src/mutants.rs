//! `mutants`: introduces known faults into the SQLite store, the outbox and the client, and checks that the tests fail.
//!
//! The source files are changed in place and restored afterwards. Do not edit them while the command runs.

mod list;

use std::path::PathBuf;

use crate::shell::{cargo, root};

use list::{MUTANTS, Mutant, SQLITE};

/// Runs the tests against each mutant in a package, or in all packages.
pub(crate) fn run(package: Option<&str>) -> Result<(), String> {
    let mutants: Vec<&Mutant> =
        MUTANTS.iter().filter(|mutant| package.is_none_or(|wanted| mutant.package == wanted)).collect();
    let mut survivors = Vec::new();
    for mutant in &mutants {
        println!("mutant: {}", mutant.name);
        let _restored = Sources::change(mutant)?;
        let (binary, filter) = mutant.tests;
        let mut test = vec!["test", "--package", mutant.package];
        if mutant.package == SQLITE {
            test.extend(["--features", "failpoints"]);
        }
        test.extend(if binary == "lib" { vec!["--lib"] } else { vec!["--test", binary] });
        cargo(test.clone()).args(["--no-run"]).run()?;
        if cargo(test).args(["--", filter]).env("PAYTEND_FAULT_ROUNDS", "40").run().is_ok() {
            survivors.push(mutant.name);
        }
    }
    if survivors.is_empty() {
        println!("mutants: the tests fail for each of {} mutants", mutants.len());
        return Ok(());
    }
    Err(format!("no test fails for these mutants: {}", survivors.join(", ")))
}

/// The original source files, which are written back on drop.
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
        // Restores the files in reverse order, because a file can be changed twice.
        for (path, source) in self.0.drain(..).rev() {
            if let Err(error) = std::fs::write(&path, source) {
                eprintln!("cannot restore {}: {error}", path.display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soak;

    /// Returns whether a package has a test or a test module with this name.
    fn has_test(package: &str, filter: &str) -> bool {
        let name = filter.trim_end_matches(':').rsplit(':').next().unwrap();
        let mut directories = vec![root().join("crates").join(package)];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let is_module = path.file_stem().is_some_and(|stem| stem == name);
                if path.is_dir() {
                    directories.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs")
                    && (is_module || std::fs::read_to_string(path).unwrap().contains(&format!("fn {name}")))
                {
                    return true;
                }
            }
        }
        false
    }

    #[test]
    fn texts_and_tests_of_all_mutants_exist() {
        for mutant in &MUTANTS {
            for (path, from, _) in mutant.changes {
                let source = std::fs::read_to_string(root().join(path)).unwrap();
                assert_eq!(source.matches(from).count(), 1, "{}: {path}: {from}", mutant.name);
            }
            assert!(has_test(mutant.package, mutant.tests.1), "{}: {}", mutant.name, mutant.tests.1);
        }
    }

    #[test]
    fn long_tests_exist() {
        for (package, _, name) in soak::TESTS {
            assert!(has_test(package, name), "{name}");
        }
        assert!(!has_test(SQLITE, "orders::no_such_test"));
    }
}
