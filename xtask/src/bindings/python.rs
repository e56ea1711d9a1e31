//! The Python binding, which uses PyO3 and is built with maturin. The tests run against the wheel, installed into a new
//! environment.

use std::path::PathBuf;

use super::{folder, fresh};
use crate::setup;
use crate::shell::{Program, program, root, target};

pub(super) fn missing() -> Vec<&'static str> {
    if setup::find_python().is_some() {
        Vec::new()
    } else {
        vec!["Python 3.9 or newer with venv and pip (Debian: python3, python3-venv)"]
    }
}

fn source() -> PathBuf {
    root().join("crates/paytend-python")
}

fn wheels() -> PathBuf {
    folder().join("wheels")
}

/// Returns the interpreter of a virtual environment, and creates the environment if it is missing or `recreate` is set.
fn environment(name: &str, packages: &[&str], recreate: bool) -> Result<PathBuf, String> {
    let environment = folder().join(name);
    let interpreter = environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let incomplete = || recreate || !program(&interpreter).args(["-c", "import maturin"]).succeeds();
    if incomplete() {
        std::fs::create_dir_all(folder()).map_err(|e| e.to_string())?;
        let base = setup::find_python().ok_or("cannot find Python 3 with venv and pip")?;
        base.args(["-m", "venv", "--clear"]).args([&environment]).run()?;
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        program(&interpreter).args(install).args(packages).run()?;
    }
    Ok(interpreter)
}

/// Builds the wheel for this machine.
pub(super) fn build() -> Result<(), String> {
    // This wheel can use the machine's libraries, so no library is copied into it.
    maturin(&["maturin==1.16.0"], &["--auditwheel", "skip"])
}

fn maturin(packages: &[&str], options: &[&str]) -> Result<(), String> {
    fresh(&wheels())?;
    let name = if packages.len() == 1 { "maturin" } else { "maturin-zig" };
    let python = environment(name, packages, false)?;
    program(python)
        .args(["-m", "maturin", "build", "--release", "--locked", "--manifest-path"])
        .args([source().join("Cargo.toml")])
        .args(options)
        .args(["--out"])
        .args([wheels()])
        .env("CARGO_TARGET_DIR", target())
        .run()
}

fn wheel() -> Result<PathBuf, String> {
    let mut found = std::fs::read_dir(wheels()).map_err(|e| e.to_string())?.flatten().map(|file| file.path());
    found.find(|path| path.extension().is_some_and(|ending| ending == "whl")).ok_or("no wheel was built".into())
}

/// Returns the interpreter of the environment that the wheel was installed into.
fn installed() -> PathBuf {
    folder().join("python").join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

pub(super) fn test() -> Result<(), String> {
    build()?;
    let requirements = source().join("tests/requirements.txt");
    let (wheel, requirements) = (wheel()?, requirements.to_string_lossy().into_owned());
    let python = environment("python", &[&wheel.to_string_lossy(), "-r", &requirements], true)?;
    let run = |arguments: &[&str], paths: &[PathBuf]| {
        // The source directory is not on the path, so the tests use the installed wheel.
        program(&python).args(["-I", "-B"]).args(arguments).args(paths).run()
    };
    run(&["-m", "pytest", "-q", "-p", "no:cacheprovider"], &[source().join("tests")])?;
    run(&["-c", "import doctest, paytend; raise SystemExit(doctest.testmod(paytend)[0])"], &[])?;
    let checked = [source().join("python/paytend"), source().join("examples")];
    let cache = format!("--cache-dir={}", folder().join("mypy").display());
    run(&["-m", "mypy", "--strict", "--allow-untyped-decorators", &cache], &checked)
}

/// Returns the conformance program.
pub(super) fn conformance() -> Result<Program, String> {
    Ok(program(installed()).args(["-I", "-B"]).args([source().join("tests/conformance.py"), root().join("vectors")]))
}

/// Builds and returns the benchmark program.
pub(super) fn bench() -> Result<Program, String> {
    build()?;
    let python = environment("python-bench", &[&wheel()?.to_string_lossy(), "cryptography==46.0.3"], true)?;
    Ok(program(python).args(["-I", "-B"]).args([source().join("tests/bench.py")]))
}

/// Builds a wheel that also runs on other machines. On Linux, these machines need glibc 2.17 or newer.
pub(super) fn pack(_: &str) -> Result<(), String> {
    if cfg!(target_os = "linux") {
        maturin(&["maturin==1.16.0", "ziglang==0.17.1"], &["--zig", "--compatibility", "manylinux2014"])?;
    } else {
        maturin(&["maturin==1.16.0"], &[])?;
    }
    println!("bindings: packaged {}", wheel()?.display());
    Ok(())
}
