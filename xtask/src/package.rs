//! `package`: packages every publishable crate in the same way as for crates.io, and compiles each crate from its
//! package, without generating code.

use std::collections::BTreeSet;
use std::path::PathBuf;

use cargo_metadata::{DependencyKind, Metadata, Package};

use crate::features;
use crate::shell::{cargo, program, root, target};

/// Returns the directory of the packages.
fn folder() -> PathBuf {
    target().join("xtask/package")
}

/// Returns the directory where the packages are unpacked.
fn unpacked() -> PathBuf {
    folder().join("unpacked")
}

pub(crate) fn run() -> Result<(), String> {
    let metadata = features::metadata()?;
    let order = publishing_order(&metadata)?;
    for package in &order {
        check_metadata(package)?;
    }
    let names: Vec<&str> = order.iter().map(|package| package.name.as_str()).collect();
    println!("packages in dependency order: {}", names.join(", "));
    let selected = names.iter().flat_map(|name| ["-p", name]);
    // `cargo package` can also build the packages, but that generates code for all dependencies, which takes minutes.
    let packing = cargo(["package", "--locked", "--allow-dirty", "--no-verify", "--target-dir"]);
    packing.args([folder()]).args(selected).run()?;
    unpack(&order)?;
    for package in &order {
        // Each package is checked alone, so that it cannot depend on a feature that a different package enables.
        cargo(["clippy", "--quiet", "--manifest-path"])
            .args([unpacked().join("Cargo.toml")])
            .args(["-p", &package.name, "--target-dir"])
            .args([target()])
            .args(["--", "-D", "warnings"])
            .run()?;
    }
    Ok(())
}

/// Unpacks the packages into a workspace in which they depend on each other.
fn unpack(packages: &[&Package]) -> Result<(), String> {
    let out = unpacked();
    let failed = |error: std::io::Error| format!("{}: {error}", out.display());
    if out.exists() {
        std::fs::remove_dir_all(&out).map_err(failed)?;
    }
    std::fs::create_dir_all(&out).map_err(failed)?;
    let mut manifest = "[workspace]\nresolver = \"3\"\nmembers = [\"*\"]\n\n[patch.crates-io]\n".to_owned();
    for package in packages {
        let name = format!("{}-{}", package.name, package.version);
        // Files in packages are dated in the past. With `-m`, they get the current time, so cargo checks them again.
        program("tar")
            .args(["-xzmf"])
            .args([folder().join("package").join(format!("{name}.crate"))])
            .args(["-C"])
            .args([&out])
            .run()?;
        manifest.push_str(&format!("{} = {{ path = \"{name}\" }}\n", package.name));
    }
    // With the same versions and profiles, the dependencies that other steps have checked are not checked again.
    let own = std::fs::read_to_string(root().join("Cargo.toml")).map_err(|e| e.to_string())?;
    let profiles = own.find("[profile.dev]").ok_or("Cargo.toml has no [profile.dev]")?;
    manifest.push_str(&format!("\n{}", &own[profiles..]));
    std::fs::write(out.join("Cargo.toml"), manifest).map_err(failed)?;
    std::fs::copy(root().join("Cargo.lock"), out.join("Cargo.lock")).map_err(failed)?;
    Ok(())
}

/// Returns the publishable packages, each after the packages that it depends on.
fn publishing_order(metadata: &Metadata) -> Result<Vec<&Package>, String> {
    let mut remaining: Vec<&Package> =
        metadata.workspace_packages().into_iter().filter(|package| package.publish.is_none()).collect();
    let publishable: BTreeSet<&str> = remaining.iter().map(|package| package.name.as_str()).collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut order = Vec::new();
    while !remaining.is_empty() {
        let ready = remaining.iter().position(|package| {
            package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development).all(
                |dependency| !publishable.contains(dependency.name.as_str()) || done.contains(dependency.name.as_str()),
            )
        });
        let next = remaining.remove(ready.ok_or("the crates have a circular dependency")?);
        done.insert(next.name.as_str());
        order.push(next);
    }
    Ok(order)
}

/// Checks that a package has the metadata that crates.io requires or displays.
fn check_metadata(package: &Package) -> Result<(), String> {
    let missing: Vec<&str> = [
        ("description", package.description.is_none()),
        ("license", package.license.is_none()),
        ("repository", package.repository.is_none()),
        ("readme", package.readme.is_none()),
        ("keywords", package.keywords.is_empty()),
        ("categories", package.categories.is_empty()),
        ("rust-version", package.rust_version.is_none()),
    ]
    .into_iter()
    .filter_map(|(name, missing)| missing.then_some(name))
    .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("{}: missing in Cargo.toml: {}", package.name, missing.join(", ")))
    }
}
