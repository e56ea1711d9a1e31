//! The Node binding, which uses Node-API through napi. The tests run against the tarball from `npm pack`, installed
//! into a new directory.

use std::path::PathBuf;

use super::{at_least, copy, folder, fresh, released, version, write};
use crate::shell::{Program, cargo, program, root};

/// The additional packages that the tests need.
const PACKAGES: [&str; 5] =
    ["express@5.1.0", "fastify@5.6.1", "typescript@5.9.3", "@types/node@20.19.24", "@types/express@5.0.5"];

pub(super) fn missing() -> Vec<&'static str> {
    let npm = npm().args(["--version"]).succeeds();
    if at_least(program("node").args(["--version"]), (20, 0)) && npm {
        Vec::new()
    } else {
        vec!["Node 20 or newer with npm (Debian: nodejs, npm)"]
    }
}

/// Returns the command that runs npm. On Windows, npm is a script that can be run only with its file extension.
fn npm() -> Program {
    program(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

fn source() -> PathBuf {
    root().join("crates/paytend-node")
}

/// Returns the name of the file that `index.js` loads on this platform.
fn addon() -> String {
    let os = if cfg!(windows) {
        "win32"
    } else if cfg!(target_os = "macos") {
        "darwin"
    } else {
        "linux"
    };
    let architecture = if cfg!(target_arch = "x86_64") { "x64" } else { "arm64" };
    let libc = if cfg!(target_env = "musl") { "-musl" } else { "" };
    format!("paytend.{os}-{architecture}{libc}.node")
}

pub(super) fn build() -> Result<(), String> {
    cargo(["build", "--release", "--locked", "-p", "paytend-node"]).run()?;
    let built = format!("{}paytend_node{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    copy(&released().join(built), &source().join(addon()))
}

/// Runs `npm pack` and returns the path of the tarball.
fn packed() -> Result<PathBuf, String> {
    build()?;
    let manifest = std::fs::read_to_string(source().join("package.json")).map_err(|e| e.to_string())?;
    if !manifest.contains(&format!("\"version\": \"{}\"", version())) {
        return Err(format!("crates/paytend-node/package.json must have the workspace's version, {}", version()));
    }
    std::fs::create_dir_all(folder()).map_err(|e| e.to_string())?;
    npm().args(["pack", "--silent", "--pack-destination"]).args([folder(), source()]).run()?;
    Ok(folder().join(format!("paytend-sdk-{}.tgz", version())))
}

fn installed() -> PathBuf {
    folder().join("node")
}

pub(super) fn test() -> Result<(), String> {
    let package = packed()?;
    let out = installed();
    fresh(&out)?;
    write(&out.join("package.json"), "{ \"private\": true, \"type\": \"module\" }\n")?;
    let prefix = |verb: &str| npm().args([verb, "--prefix"]).args([&out]);
    let quiet = ["--silent", "--no-audit", "--no-fund"];
    prefix("install").args(quiet).args([&package]).args(PACKAGES).run()?;
    // The files are copied next to the installed package, so that they import it.
    for file in [
        "tests/conformance.mjs",
        "tests/paytend.test.mjs",
        "tests/readme.test.mjs",
        "tests/failures.test.mjs",
        "tests/types.mts",
        "examples/express.mjs",
        "examples/fastify.mjs",
    ] {
        let from = source().join(file);
        copy(&from, &out.join(from.file_name().unwrap_or_default()))?;
    }
    let tests = ["paytend.test.mjs", "readme.test.mjs", "failures.test.mjs"];
    program("node").args(["--test"]).args(tests.map(|file| out.join(file))).run()?;
    let compiler = out.join("node_modules/typescript/bin/tsc");
    let options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--types", "node"];
    let types = out.join("node_modules/@types");
    program("node").args([compiler]).args(options).args(["--typeRoots"]).args([types, out.join("types.mts")]).run()
}

/// Returns the conformance program.
pub(super) fn conformance() -> Result<Program, String> {
    Ok(program("node").args([installed().join("conformance.mjs"), root().join("vectors")]))
}

/// Builds and returns the benchmark program.
pub(super) fn bench() -> Result<Program, String> {
    let (package, out) = (packed()?, folder().join("node-bench"));
    fresh(&out)?;
    write(&out.join("package.json"), "{ \"private\": true, \"type\": \"module\" }\n")?;
    let install = ["--silent", "--no-audit", "--no-fund"];
    npm().args(["install", "--prefix"]).args([&out]).args(install).args([&package]).run()?;
    copy(&source().join("tests/bench.mjs"), &out.join("bench.mjs"))?;
    Ok(program("node").args([out.join("bench.mjs")]))
}

/// Returns the package's directory and the addon's name. The addon is next to `index.js`.
pub(super) fn native() -> (PathBuf, PathBuf) {
    (source(), addon().into())
}

pub(super) fn pack(platform: &str) -> Result<(), String> {
    let named = folder().join(format!("paytend-sdk-{}-{platform}.tgz", version()));
    copy(&packed()?, &named)?;
    println!("bindings: packaged {}", named.display());
    Ok(())
}
