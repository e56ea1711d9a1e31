//! `memory`: runs the AWS-LC backend's tests with AddressSanitizer and valgrind, because this backend contains unsafe
//! code.

use std::path::PathBuf;

use crate::built::Built;
use crate::shell::{Program, cargo, output, program, target};

/// The tests' target platform. It is passed explicitly, so that the flags do not apply to build scripts.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// The source of the tests.
const SOURCE: &str = "crates/paytend-crypto-aws-lc/tests/conformance.rs";

fn tests() -> Program {
    cargo(["test", "--locked", "-p", "paytend-crypto-aws-lc", "--test", "conformance"])
}

/// Returns why the tests cannot run, or `None` if everything is installed.
pub(crate) fn missing() -> Option<String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Some("only for x86-64 Linux".into());
    }
    let installed = program("valgrind").args(["--version"]).succeeds() && sanitizer().is_some();
    (!installed).then(|| "valgrind or the compiler's AddressSanitizer is missing: run `cargo xtask setup`".into())
}

pub(crate) fn build_and_run() -> Result<(), String> {
    match missing() {
        Some(reason) => Err(reason),
        None => run(&Built::new(tests())?),
    }
}

/// Runs the tests with AddressSanitizer, in a separate build, and with valgrind, as they are built already.
pub(crate) fn run(built: &Built) -> Result<(), String> {
    let sanitizer = sanitizer().ok_or("cannot find libasan.so")?;
    // All memory accesses of the C code are checked. The Rust code is not instrumented, so only its allocations and its
    // calls to C library functions are checked.
    let flags = "-fsanitize=address -fno-omit-frame-pointer";
    let sanitized = tests().args(["--target", PLATFORM, "--target-dir"]).args([target().join("memory-asan")]);
    let sanitized = Built::new(sanitized.env("CFLAGS", flags).env("RUSTFLAGS", "-Clink-arg=-lasan"))?;
    let sanitized = sanitized.program(SOURCE)?;
    program(sanitized).env("LD_PRELOAD", sanitizer).env("ASAN_OPTIONS", "detect_leaks=1").run()?;
    // AWS-LC keeps some memory for each thread until the process exits. The memory stays reachable, so it is not a
    // leak.
    let kinds = ["--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect"];
    program("valgrind")
        .args(["--quiet", "--error-exitcode=9", "--leak-check=full"])
        .args(kinds)
        .args([built.program(SOURCE)?])
        .args(["--test-threads", "1"])
        .run()
}

/// Returns the path of the compiler's AddressSanitizer library, which must be loaded before all others.
fn sanitizer() -> Option<PathBuf> {
    let path = PathBuf::from(output("cc", &["-print-file-name=libasan.so"])?.trim());
    // If the compiler does not have the library, it prints the library's name instead of a path.
    path.is_absolute().then_some(path)
}
