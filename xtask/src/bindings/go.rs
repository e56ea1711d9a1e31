//! The Go binding, which calls the C interface through cgo and links the library statically.

use std::path::{Path, PathBuf};

use super::{at_least, c, copy, files, folder, fresh, version};
use crate::shell::{Program, program, root};

pub(super) fn missing() -> Vec<&'static str> {
    let mut missing = Vec::new();
    if !at_least(program("go").args(["env", "GOVERSION"]), (1, 22)) {
        missing.push("Go 1.22 or newer (Debian 13: golang-go; otherwise from go.dev)");
    }
    if !program("cc").args(["--version"]).succeeds() {
        missing.push("a C compiler (Debian: build-essential)");
    }
    missing
}

fn source() -> PathBuf {
    root().join("crates/paytend-ffi/go")
}

/// Returns the directory where cgo looks for this platform's library.
fn library(module: &Path) -> PathBuf {
    let os = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
    let architecture = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    module.join(format!("lib/{os}_{architecture}"))
}

/// Copies the library and the header into the module.
fn copy_library(module: &Path) -> Result<(), String> {
    let (library, include) = (library(module), module.join("include"));
    for folder in [&library, &include] {
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    copy(&c::library("libpaytend.a"), &library.join("libpaytend.a"))?;
    copy(&root().join("crates/paytend-ffi/include/paytend.h"), &include.join("paytend.h"))
}

fn go(arguments: &[&str]) -> Program {
    // Go's build cache does not detect that the library was rebuilt. The compiler flags therefore contain the library's
    // modification time.
    let flags = format!("-DPAYTEND_BUILD={}", library_modified());
    program("go").args(["-C"]).args([source()]).args(arguments).env("CGO_CFLAGS", flags).env("GOFLAGS", "-mod=mod")
}

fn library_modified() -> u64 {
    let modified = std::fs::metadata(c::library("libpaytend.a")).and_then(|file| file.modified());
    let since = modified.ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.unwrap_or_default().as_secs()
}

pub(super) fn build() -> Result<(), String> {
    c::build()?;
    copy_library(&source())?;
    go(&["build", "./..."]).run()
}

pub(super) fn test() -> Result<(), String> {
    build()?;
    let unformatted = program("gofmt").args(["-l"]).args([source()]).output()?;
    if !unformatted.trim().is_empty() {
        return Err(format!("run gofmt on the unformatted files: {}", unformatted.trim()));
    }
    go(&["vet", "./..."]).run()?;
    go(&["test", "-race", "-count=1", "./..."]).run()
}

/// Builds and returns the conformance program.
pub(super) fn conformance() -> Result<Program, String> {
    let binary = folder().join("go-conformance");
    go(&["build", "-o"]).args([&binary]).args(["./internal/conformance"]).run()?;
    Ok(program(binary).args([root().join("vectors")]))
}

/// Builds and returns the benchmark program.
pub(super) fn bench() -> Result<Program, String> {
    build()?;
    let binary = folder().join("go-bench");
    go(&["build", "-o"]).args([&binary]).args(["./internal/bench"]).run()?;
    Ok(program(binary))
}

/// Returns the `lib` directory and the path of this platform's library in it.
pub(super) fn native() -> (PathBuf, PathBuf) {
    let base = source().join("lib");
    let inside = library(&source()).strip_prefix(&base).map(Path::to_path_buf).unwrap_or_default();
    (base, inside.join("libpaytend.a"))
}

/// Packages the module with this platform's library.
pub(super) fn pack(platform: &str) -> Result<(), String> {
    build()?;
    let name = format!("paytend-go-{}-{platform}", version());
    let out = folder().join(&name);
    fresh(&out)?;
    for file in ["go.mod", "paytend.go", "keys.go", "message.go", "receive.go", "handler.go", "README.md"] {
        copy(&source().join(file), &out.join(file))?;
    }
    copy_library(&out)?;
    // After a merge, `lib` also contains the libraries of other platforms.
    for file in files(&source().join("lib"))? {
        let inside = out.join("lib").join(file.strip_prefix(source().join("lib")).unwrap_or(&file));
        std::fs::create_dir_all(inside.parent().unwrap_or(&out)).map_err(|e| e.to_string())?;
        copy(&file, &inside)?;
    }
    let archive = folder().join(format!("{name}.tar.gz"));
    program("tar").args(["-C"]).args([folder()]).args(["-czf"]).args([&archive]).args([&name]).run()?;
    // The packaged module must build without the workspace.
    program("go").args(["-C"]).args([&out]).args(["vet", "."]).run()?;
    println!("bindings: packaged {}", archive.display());
    Ok(())
}
