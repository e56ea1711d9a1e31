//! `memory`: runs the AWS-LC backend's tests with AddressSanitizer and valgrind, because this backend contains unsafe
//! code.

use std::path::PathBuf;

use cargo_metadata::Message;

use crate::shell::{cargo, output, program, target};

/// The tests' target platform. It is passed explicitly, so that the flags do not apply to build scripts.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Returns why the tests cannot run, or `None` if everything is installed.
pub(crate) fn missing() -> Option<String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Some("only for x86-64 Linux".into());
    }
    let installed = program("valgrind").args(["--version"]).succeeds() && sanitizer().is_some();
    (!installed).then(|| "valgrind or the compiler's AddressSanitizer is missing: run `cargo xtask setup`".into())
}

pub(crate) fn run() -> Result<(), String> {
    if let Some(reason) = missing() {
        return Err(reason);
    }
    let sanitizer = sanitizer().ok_or("cannot find libasan.so")?;
    // All memory accesses of the C code are checked. The Rust code is not instrumented, so only its allocations and its
    // calls to C library functions are checked.
    let flags = "-fsanitize=address -fno-omit-frame-pointer";
    let sanitized = build(&[("CFLAGS", flags), ("RUSTFLAGS", "-Clink-arg=-lasan")], "memory-asan")?;
    program(&sanitized).env("LD_PRELOAD", sanitizer).env("ASAN_OPTIONS", "detect_leaks=1").run()?;
    // AWS-LC keeps some memory for each thread until the process exits. The memory stays reachable, so it is not a
    // leak.
    let kinds = ["--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect"];
    let plain = build(&[], "memory")?;
    program("valgrind")
        .args(["--quiet", "--error-exitcode=9", "--leak-check=full"])
        .args(kinds)
        .args([plain])
        .args(["--test-threads", "1"])
        .run()
}

/// Builds the conformance test and returns its path.
fn build(variables: &[(&str, &str)], folder: &str) -> Result<PathBuf, String> {
    let folder = target().join(folder);
    let test = ["test", "--locked", "--no-run", "-p", "paytend-crypto-aws-lc", "--test", "conformance"];
    let mut building = cargo(test).args(["--target", PLATFORM, "--message-format", "json", "--target-dir"]);
    building = building.args([&folder]);
    for (name, value) in variables {
        building = building.env(name, value);
    }
    let messages = building.output()?;
    let executables = Message::parse_stream(messages.as_bytes()).filter_map(|message| match message {
        Ok(Message::CompilerArtifact(artifact)) => artifact.executable.map(PathBuf::from),
        _ => None,
    });
    executables.last().ok_or_else(|| "cargo did not report the test's executable".into())
}

/// Returns the path of the compiler's AddressSanitizer library, which must be loaded before all others.
fn sanitizer() -> Option<PathBuf> {
    let path = PathBuf::from(output("cc", &["-print-file-name=libasan.so"])?.trim());
    // If the compiler does not have the library, it prints the library's name instead of a path.
    path.is_absolute().then_some(path)
}
