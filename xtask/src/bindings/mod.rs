//! `bindings`: the crypto and webhook layers in other languages.

mod c;
mod go;
mod python;

use std::path::PathBuf;

use crate::shell::root;

/// A language, and what is done in it.
struct Binding {
    name: &'static str,
    /// What it needs of the machine, as far as it is missing.
    missing: fn() -> Vec<&'static str>,
    build: fn() -> Result<(), String>,
    test: fn() -> Result<(), String>,
    pack: fn() -> Result<(), String>,
}

const ALL: [Binding; 3] = [
    Binding { name: "c", missing: c::missing, build: c::build, test: c::test, pack: c::pack },
    Binding { name: "python", missing: python::missing, build: python::build, test: python::test, pack: python::pack },
    Binding { name: "go", missing: go::missing, build: go::build, test: go::test, pack: go::pack },
];

/// `bindings build|test|pack [LANGUAGE…]`, `bindings header [--check]`.
pub(crate) fn run(arguments: &[&str]) -> Result<(), String> {
    let (verb, languages) = match arguments {
        ["header"] => return c::header(false),
        ["header", "--check"] => return c::header(true),
        [verb @ ("build" | "test" | "pack"), languages @ ..] => (*verb, languages),
        _ => return Err("usage: bindings build|test|pack [c|python|go …], or bindings header [--check]".into()),
    };
    if let Some(unknown) = languages.iter().find(|name| !ALL.iter().any(|binding| binding.name == **name)) {
        return Err(format!("{unknown} is none of: {}", ALL.map(|binding| binding.name).join(", ")));
    }
    for binding in ALL.iter().filter(|binding| languages.is_empty() || languages.contains(&binding.name)) {
        let missing = (binding.missing)();
        if !missing.is_empty() {
            return Err(format!("{}: missing: {}", binding.name, missing.join("; ")));
        }
        println!("\n== {} ({verb})", binding.name);
        let work = match verb {
            "build" => binding.build,
            "test" => binding.test,
            _ => binding.pack,
        };
        work().map_err(|error| format!("{}: {error}", binding.name))?;
    }
    Ok(())
}

/// The languages whose tests can run here, and why the others' cannot.
pub(crate) fn available() -> Vec<(&'static str, Result<(), String>)> {
    ALL.iter()
        .map(|binding| {
            let missing = (binding.missing)();
            (binding.name, if missing.is_empty() { Ok(()) } else { Err(missing.join("; ")) })
        })
        .collect()
}

/// Where the bindings are built and packed.
fn folder() -> PathBuf {
    root().join("target/bindings")
}

/// The version of all bindings: the workspace's.
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

fn fresh(folder: &PathBuf) -> Result<(), String> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))
}

fn write(path: &PathBuf, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

fn copy(from: &PathBuf, to: &PathBuf) -> Result<(), String> {
    std::fs::copy(from, to).map(drop).map_err(|e| format!("{} to {}: {e}", from.display(), to.display()))
}
