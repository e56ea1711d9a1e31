//! The Java binding, which uses JNI and is built with Maven. The conformance program runs against the packaged jar.

use std::path::PathBuf;

use super::{copy, folder, platform, released, version};
use crate::shell::{Program, cargo, program, root};

pub(super) fn missing() -> Vec<&'static str> {
    let mut missing = Vec::new();
    if !program("javac").args(["-version"]).succeeds() {
        missing.push("JDK 17 or newer (Debian: openjdk-17-jdk-headless)");
    }
    if !maven_command().args(["--version"]).succeeds() {
        missing.push("Maven (Debian: maven)");
    }
    missing
}

fn source() -> PathBuf {
    root().join("crates/paytend-java")
}

/// Returns Maven's build directory, which does not depend on cargo's configuration.
fn built() -> PathBuf {
    source().join("target")
}

/// Returns the command that runs Maven. On Windows, Maven is a script that can be run only with its file extension.
fn maven_command() -> Program {
    program(if cfg!(windows) { "mvn.cmd" } else { "mvn" })
}

fn maven(arguments: &[&str]) -> Program {
    maven_command().args(["--batch-mode", "--quiet", "--file"]).args([source().join("pom.xml")]).args(arguments)
}

/// Builds this platform's library and copies it to the jar's resources.
fn copy_library() -> Result<(), String> {
    cargo(["build", "--release", "--locked", "-p", "paytend-java"]).run()?;
    let manifest = std::fs::read_to_string(source().join("pom.xml")).map_err(|e| e.to_string())?;
    if !manifest.contains(&format!("<artifactId>paytend</artifactId>\n  <version>{}</version>", version())) {
        return Err(format!("crates/paytend-java/pom.xml must have the workspace's version, {}", version()));
    }
    let place = resources().join(platform());
    std::fs::create_dir_all(&place).map_err(|e| format!("{}: {e}", place.display()))?;
    copy(&released().join(library()), &place.join(library()))
}

pub(super) fn build() -> Result<(), String> {
    copy_library()?;
    maven(&["package", "-DskipTests"]).run()
}

fn class_path() -> PathBuf {
    folder().join("java-class-path")
}

pub(super) fn test() -> Result<(), String> {
    prepare(&[])
}

/// Packages the jar and writes the tests' class path to a file.
fn prepare(options: &[&str]) -> Result<(), String> {
    copy_library()?;
    std::fs::create_dir_all(folder()).map_err(|e| e.to_string())?;
    let output = format!("-Dmdep.outputFile={}", class_path().display());
    maven(&["package", "dependency:build-classpath", "-Dmdep.includeScope=test", &output]).args(options).run()
}

/// Returns the conformance program, which uses the packaged jar, not the compiled classes.
pub(super) fn conformance() -> Result<Program, String> {
    Ok(main("Conformance")?.args([root().join("vectors")]))
}

/// Builds and returns the benchmark program.
pub(super) fn bench() -> Result<Program, String> {
    prepare(&["-DskipTests"])?;
    main("Bench")
}

/// Returns a command that runs a test class with the packaged jar.
fn main(class: &str) -> Result<Program, String> {
    let libraries = std::fs::read_to_string(class_path()).map_err(|e| e.to_string())?;
    let jar = built().join(format!("paytend-{}.jar", version()));
    let separator = if cfg!(windows) { ";" } else { ":" };
    let tests = built().join("test-classes");
    let path = [jar.to_string_lossy(), tests.to_string_lossy(), libraries.trim().into()].join(separator);
    Ok(program("java").args(["-cp", &path, &format!("io.github.paytendrs.paytend.{class}")]))
}

/// Returns the resources directory and the path of this platform's library in it.
pub(super) fn native() -> (PathBuf, PathBuf) {
    (resources(), PathBuf::from(platform()).join(library()))
}

fn resources() -> PathBuf {
    source().join("src/main/resources/io/github/paytendrs/paytend/natives")
}

fn library() -> String {
    format!("{}paytend_java{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}

pub(super) fn pack(platform: &str) -> Result<(), String> {
    build()?;
    let named = folder().join(format!("paytend-{}-{platform}.jar", version()));
    copy(&built().join(format!("paytend-{}.jar", version())), &named)?;
    println!("bindings: packaged {}", named.display());
    Ok(())
}
