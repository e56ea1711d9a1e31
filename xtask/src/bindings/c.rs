//! The C binding, which consists of a header, a static library and a shared library.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{copy, folder, fresh, released, version, write};
use crate::shell::{Program, cargo, program, root};

/// The additional libraries that the static library needs on Linux.
const PRIVATE_LIBRARIES: [&str; 3] = ["-lpthread", "-ldl", "-lm"];

pub(super) fn missing() -> Vec<&'static str> {
    let works = |name: &str, argument: &str| program(name).args([argument]).succeeds();
    let mut missing = Vec::new();
    if !works("cc", "--version") || !works("c++", "--version") {
        missing.push("a C and a C++ compiler (Debian: build-essential)");
    }
    if !program("pkg-config").args(["--exists", "libcjson"]).succeeds() {
        missing.push("cJSON with its header, for the tests (Debian: libcjson-dev, pkg-config)");
    }
    if !works("valgrind", "--version") {
        missing.push("valgrind, for the tests (Debian: valgrind)");
    }
    missing
}

fn source() -> PathBuf {
    root().join("crates/paytend-ffi")
}

pub(super) fn library(name: &str) -> PathBuf {
    released().join(name)
}

pub(super) fn build() -> Result<(), String> {
    cargo(["build", "--release", "--locked", "-p", "paytend-ffi"]).run()
}

/// Writes the header, or, with `check`, returns an error if it is stale.
pub(super) fn header(check: bool) -> Result<(), String> {
    let config = cbindgen::Config::from_file(source().join("cbindgen.toml"))?;
    let bindings = cbindgen::Builder::new().with_crate(source()).with_config(config).generate();
    let mut made = Vec::new();
    bindings.map_err(|e| e.to_string())?.write(&mut made);
    let path = source().join("include/paytend.h");
    if !check {
        return std::fs::write(&path, made).map_err(|e| format!("{}: {e}", path.display()));
    }
    if std::fs::read(&path).is_ok_and(|there| there == made) {
        println!("bindings: paytend.h is up to date");
        return Ok(());
    }
    Err("paytend.h is stale: run `cargo xtask bindings header`".into())
}

pub(super) fn test() -> Result<(), String> {
    build()?;
    header(true)?;
    symbols()?;
    let out = folder().join("c");
    fresh(&out)?;
    let include = format!("-I{}", source().join("include").display());
    let vectors = root().join("vectors");
    // The header must also compile as C++.
    let cpp = out.join("header.cpp");
    write(&cpp, "#include <paytend.h>\nint main() { return paytend_version() == nullptr; }\n")?;
    program("c++").args(["-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", &include]).args([&cpp]).run()?;
    let plain = out.join("test");
    compile("test", &plain, &[], "libpaytend.a")?;
    program(&plain).args([&vectors]).run()?;
    let shared = out.join("test-shared");
    compile("test", &shared, &[], "libpaytend.so")?;
    program(&shared).args([&vectors]).env("LD_LIBRARY_PATH", released()).run()?;
    // `readme` and `failures` ignore their argument, the path of the vectors.
    for name in ["test", "readme", "failures"] {
        let sanitized = out.join(format!("{name}-asan"));
        let flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
        compile(name, &sanitized, &flags, "libpaytend.a")?;
        program(&sanitized).args([&vectors]).env("ASAN_OPTIONS", "detect_leaks=1").run()?;
    }
    // AWS-LC keeps some memory for each thread until the process exits. The memory stays reachable, so it is not a
    // leak.
    let kinds = ["--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect"];
    program("valgrind")
        .args(["--quiet", "--error-exitcode=9", "--leak-check=full"])
        .args(kinds)
        .args([&plain, &vectors])
        .run()
}

/// Compiles a test program and links it with the static or the shared library.
fn compile(name: &str, binary: &PathBuf, flags: &[&str], linked: &str) -> Result<(), String> {
    let file = source().join(format!("tests/c/{name}.c"));
    program("cc")
        .args(["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-g", "-O1"])
        .args([format!("-I{}", source().join("include").display())])
        .args(flags)
        .args(["-o"])
        .args([binary, &file, &library(linked)])
        .args(["-lcjson"])
        .args(PRIVATE_LIBRARIES)
        .run()
}

/// Returns the conformance program.
pub(super) fn conformance() -> Result<Program, String> {
    Ok(program(folder().join("c/test")).args([root().join("vectors")]))
}

/// Builds and returns the benchmark program.
pub(super) fn bench() -> Result<Program, String> {
    build()?;
    let binary = folder().join("c-bench");
    program("cc")
        .args(["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O2"])
        .args([format!("-I{}", source().join("include").display())])
        .args(["-o"])
        .args([&binary, &source().join("tests/c/bench.c"), &library("libpaytend.a")])
        .args(["-lcjson"])
        .args(PRIVATE_LIBRARIES)
        .run()?;
    Ok(program(binary))
}

/// Checks that the shared library exports exactly the symbols in `abi.txt`, because users depend on each of them.
fn symbols() -> Result<(), String> {
    let listed =
        program("nm").args(["-D", "--defined-only", "--format=posix"]).args([library("libpaytend.so")]).output()?;
    let exported: BTreeSet<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    let text = std::fs::read_to_string(source().join("abi.txt")).map_err(|e| format!("abi.txt: {e}"))?;
    let expected: BTreeSet<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let missing: Vec<_> = expected.difference(&exported).collect();
    let new: Vec<_> = exported.difference(&expected).collect();
    if missing.is_empty() && new.is_empty() {
        println!("bindings: the {} exported symbols match abi.txt", expected.len());
        return Ok(());
    }
    Err(format!("the exported symbols differ from crates/paytend-ffi/abi.txt: missing {missing:?}, new {new:?}"))
}

/// Creates `paytend-c-VERSION-PLATFORM.tar.gz` with the header, the libraries and `paytend.pc`.
pub(super) fn pack(platform: &str) -> Result<(), String> {
    build()?;
    header(true)?;
    let name = format!("paytend-c-{}-{platform}", version());
    let out = folder().join(&name);
    fresh(&out)?;
    for subfolder in ["include", "lib/pkgconfig"] {
        std::fs::create_dir_all(out.join(subfolder)).map_err(|e| e.to_string())?;
    }
    copy(&source().join("include/paytend.h"), &out.join("include/paytend.h"))?;
    for file in ["libpaytend.a", "libpaytend.so"] {
        copy(&library(file), &out.join("lib").join(file))?;
    }
    for file in ["LICENSE-MIT", "LICENSE-APACHE"] {
        copy(&root().join(file), &out.join(file))?;
    }
    copy(&source().join("README.md"), &out.join("README.md"))?;
    let pc = format!(
        "prefix=${{pcfiledir}}/../..\nincludedir=${{prefix}}/include\nlibdir=${{prefix}}/lib\n\n\
         Name: paytend\nDescription: Seal and open Paytend messages, and verify PayBy and PayerMax notifications\n\
         Version: {}\nCflags: -I${{includedir}}\nLibs: -L${{libdir}} -lpaytend\nLibs.private: {}\n",
        version(),
        PRIVATE_LIBRARIES.join(" ")
    );
    write(&out.join("lib/pkgconfig/paytend.pc"), &pc)?;
    let archive = folder().join(format!("{name}.tar.gz"));
    program("tar").args(["-C"]).args([folder()]).args(["-czf"]).args([&archive]).args([&name]).run()?;
    // Tests the package with pkg-config, as a user would.
    let flags = program("pkg-config")
        .args(["--define-prefix", "--cflags", "--libs", "--static", "paytend"])
        .env("PKG_CONFIG_PATH", out.join("lib/pkgconfig"))
        .output()?;
    let user = folder().join("user.c");
    write(&user, "#include <paytend.h>\n#include <stdio.h>\nint main(void) { puts(paytend_version()); return 0; }\n")?;
    let binary = folder().join("user");
    program("cc").args(["-o"]).args([&binary, &user]).args(flags.split_whitespace()).run()?;
    let printed = program(&binary).env("LD_LIBRARY_PATH", out.join("lib")).output()?;
    if printed.trim() != version() {
        return Err(format!("the packaged library reports the wrong version {}", printed.trim()));
    }
    println!("bindings: packaged {}", archive.display());
    Ok(())
}
