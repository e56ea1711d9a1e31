//! `bindings`: builds, tests and packages the crypto and webhook layers for other languages.

pub(crate) mod bench;
mod c;
mod go;
mod java;
mod node;
mod python;
mod readme;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::shell::{Program, cargo, target};

/// A function that returns a program. The caller adds the program's arguments.
type ProgramFn = fn() -> Result<Program, String>;

/// A language and its commands.
struct Binding {
    name: &'static str,
    /// A description of the language's tests.
    tests: &'static str,
    /// Returns the required tools that are missing on this machine.
    missing: fn() -> Vec<&'static str>,
    build: fn() -> Result<(), String>,
    test: fn() -> Result<(), String>,
    /// Packages the binding. The names of packages with native libraries contain the platform.
    pack: fn(platform: &str) -> Result<(), String>,
    /// Returns the native library directory and the path of this platform's library in it. `None` means that a package
    /// never contains libraries for several platforms.
    native: Option<fn() -> (PathBuf, PathBuf)>,
    /// Returns the program that is compared with `examples/conformance.rs` in paytend-bindings.
    conformance: ProgramFn,
    /// Builds and returns the benchmark program.
    bench: ProgramFn,
}

/// The subcommands that run for each language.
const VERBS: [&str; 3] = ["build", "test", "pack"];

const ALL: [Binding; 5] = [
    Binding {
        name: "c",
        tests: "C: the interface, with valgrind and AddressSanitizer",
        missing: c::missing,
        build: c::build,
        test: c::test,
        pack: c::pack,
        native: None,
        conformance: c::conformance,
        bench: c::bench,
    },
    Binding {
        name: "python",
        tests: "Python: the installed wheel, its types, FastAPI and Django",
        missing: python::missing,
        build: python::build,
        test: python::test,
        pack: python::pack,
        native: None,
        conformance: python::conformance,
        bench: python::bench,
    },
    Binding {
        name: "node",
        tests: "Node: the installed package, its types, Express and Fastify",
        missing: node::missing,
        build: node::build,
        test: node::test,
        pack: node::pack,
        native: Some(node::native),
        conformance: node::conformance,
        bench: node::bench,
    },
    Binding {
        name: "java",
        tests: "Java: JUnit, a Spring controller, the packaged jar",
        missing: java::missing,
        build: java::build,
        test: java::test,
        pack: java::pack,
        native: Some(java::native),
        conformance: java::conformance,
        bench: java::bench,
    },
    Binding {
        name: "go",
        tests: "Go: the tests, with the race detector",
        missing: go::missing,
        build: go::build,
        test: go::test,
        pack: go::pack,
        native: Some(go::native),
        conformance: go::conformance,
        bench: go::bench,
    },
];

/// Runs one of `bindings build|test|pack [LANGUAGE…]`, `bindings header [--check]` and
/// `bindings merge FOLDER`.
pub(crate) fn run(arguments: &[&str]) -> Result<(), String> {
    let (verb, languages) = match arguments {
        ["header"] => return c::header(false),
        ["header", "--check"] => return c::header(true),
        [verb, languages @ ..] if VERBS.contains(verb) => (*verb, languages),
        ["merge", folder] => return merge(&PathBuf::from(folder)),
        _ => {
            return Err("usage: bindings build|test|pack [c|python|node|java|go …], or bindings header [--check], or \
                 bindings merge FOLDER"
                .into());
        }
    };
    if let Some(unknown) = languages.iter().find(|name| !ALL.iter().any(|binding| binding.name == **name)) {
        return Err(format!("unknown language {unknown}; use one of: {}", ALL.map(|binding| binding.name).join(", ")));
    }
    let chosen: Vec<&Binding> =
        ALL.iter().filter(|binding| languages.is_empty() || languages.contains(&binding.name)).collect();
    for binding in &chosen {
        let missing = (binding.missing)();
        if !missing.is_empty() {
            return Err(format!("{}: missing: {}", binding.name, missing.join("; ")));
        }
        println!("\n== {} ({verb})", binding.name);
        let result = match verb {
            "build" => (binding.build)(),
            "test" => readme::check(binding.name).and_then(|()| (binding.test)()),
            _ => (binding.pack)(&platform()).and_then(|()| keep_library(binding)),
        };
        result.map_err(|error| format!("{}: {error}", binding.name))?;
    }
    if verb == "test" { check_conformance(&chosen) } else { Ok(()) }
}

/// Returns the directory where `pack` stores this platform's libraries, for `merge` on another machine.
fn natives() -> PathBuf {
    folder().join("natives")
}

/// Copies this platform's library to the directory for `merge`.
fn keep_library(binding: &Binding) -> Result<(), String> {
    let Some(native) = binding.native else { return Ok(()) };
    let (base, relative) = native();
    let kept = natives().join(binding.name).join(&relative);
    std::fs::create_dir_all(kept.parent().unwrap_or(&kept)).map_err(|e| format!("{}: {e}", kept.display()))?;
    copy(&base.join(relative), &kept)
}

/// Creates the packages that contain libraries for several platforms.
///
/// `from` contains the `natives` directories that `pack` created on each platform.
fn merge(from: &Path) -> Result<(), String> {
    for binding in &ALL {
        let Some(native) = binding.native else { continue };
        println!("\n== {} (merge)", binding.name);
        let (base, mut platforms) = (native().0, BTreeSet::new());
        for file in files(from)? {
            // The path is …/natives/LANGUAGE/RELATIVE.
            let parts: Vec<_> = file.components().map(|part| part.as_os_str()).collect();
            let Some(at) = parts.windows(2).position(|pair| pair[0] == "natives" && pair[1] == binding.name) else {
                continue;
            };
            let relative: PathBuf = parts[at + 2..].iter().collect();
            let target = base.join(&relative);
            std::fs::create_dir_all(target.parent().unwrap_or(&base)).map_err(|e| e.to_string())?;
            copy(&file, &target)?;
            platforms.insert(relative);
        }
        if platforms.is_empty() {
            return Err(format!("{}: no files found in any natives/{} directory", from.display(), binding.name));
        }
        (binding.pack)("all")?;
        println!("bindings: {} contains {platforms:?}", binding.name);
    }
    Ok(())
}

/// Returns all files in a directory, recursively.
fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let path = entry.map_err(|e| e.to_string())?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

/// Returns the Rust conformance program, which the other languages are compared with.
fn rust() -> Result<Program, String> {
    let run = ["run", "--quiet", "--release", "--locked", "-p", "paytend-bindings", "--example", "conformance", "--"];
    Ok(cargo(run[..6].iter()).args(&run[6..]))
}

/// Checks that each language has the same outcome as Rust for each case in `vectors/`, and can open the messages that
/// the other languages have sealed.
fn check_conformance(bindings: &[&Binding]) -> Result<(), String> {
    println!("\n== conformance");
    let out = folder().join("conformance");
    fresh(&out)?;
    let all: Vec<(&str, ProgramFn)> = std::iter::once(("rust", rust as ProgramFn))
        .chain(bindings.iter().map(|binding| (binding.name, binding.conformance)))
        .collect();
    let outcomes = |name: &str| -> Result<BTreeSet<String>, String> {
        let text = std::fs::read_to_string(out.join(format!("{name}.txt"))).map_err(|e| format!("{name}: {e}"))?;
        Ok(text.lines().map(str::to_owned).collect())
    };
    for (name, program) in &all {
        program()?.args(["vectors"]).args([out.join(format!("{name}.txt"))]).run()?;
        program()?.args(["seal"]).args([out.join(format!("{name}.json"))]).run()?;
        let (found, expected) = (outcomes(name)?, outcomes("rust")?);
        let different: Vec<_> = found.symmetric_difference(&expected).collect();
        if !different.is_empty() {
            return Err(format!("the outcomes of {name} and Rust differ: {different:#?}"));
        }
    }
    let sealed: Vec<PathBuf> = all.iter().map(|(name, _)| out.join(format!("{name}.json"))).collect();
    for (_, program) in &all {
        program()?.args(["open"]).args(&sealed).run()?;
    }
    println!(
        "bindings: {} languages agree on {} cases, and each opens the messages that the others sealed",
        all.len(),
        outcomes("rust")?.len()
    );
    Ok(())
}

/// Returns all languages, each with the tools that are missing for its tests.
pub(crate) fn available() -> Vec<(&'static str, Option<String>)> {
    let missing = |binding: &Binding| {
        let missing = (binding.missing)();
        (!missing.is_empty()).then(|| format!("missing: {}; run `cargo xtask setup`", missing.join("; ")))
    };
    ALL.iter().map(|binding| (binding.name, missing(binding))).collect()
}

/// Returns the description of a language's tests.
pub(crate) fn describe(name: &str) -> &'static str {
    ALL.iter().find(|binding| binding.name == name).map_or("a binding", |binding| binding.tests)
}

/// Returns the directory where the bindings are built and packaged.
fn folder() -> PathBuf {
    target().join("bindings")
}

/// Returns cargo's directory for release builds.
fn released() -> PathBuf {
    target().join("release")
}

/// Returns the version shared by all bindings, which is the workspace's version.
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Returns the platform's name for package names, such as `linux-x86_64`.
fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

/// Returns whether a program prints at least the given version, in a format such as `go1.26.8` or `v20.1.0`.
fn at_least(program: Program, minimum: (u32, u32)) -> bool {
    let printed = program.output().unwrap_or_default();
    let mut numbers = printed.trim().trim_start_matches(|c: char| !c.is_ascii_digit()).split('.').map(str::parse);
    matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= minimum)
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
