//! `package`: every publishable crate as crates.io would get it, built from its package.

use std::collections::BTreeSet;
use std::path::PathBuf;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::shell::{cargo, root, target};

/// The folder in which packages are built: separate, because what was built of them is removed each time.
fn folder() -> PathBuf {
    target().join("xtask/package")
}

pub(crate) fn run() -> Result<(), String> {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec().map_err(|e| e.to_string())?;
    let order = publishing_order(&metadata)?;
    for package in &order {
        complete(package)?;
    }
    let names: Vec<&str> = order.iter().map(|package| package.name.as_str()).collect();
    forget_earlier_packages(&order)?;
    println!("in dependency order: {}", names.join(", "));
    // One call: cargo builds each from its package, with those before it taken from theirs.
    let selected = names.iter().flat_map(|name| ["-p", name]);
    cargo(["package", "--locked", "--allow-dirty", "--target-dir"])
        .args([folder()])
        .args(selected)
        // A build folder of the user's configuration would hold what has to be removed.
        .env("CARGO_BUILD_BUILD_DIR", folder())
        .run()
}

/// Removes what cargo has unpacked and built of our packages when they were last built here. It does either once a version, and
/// would build today's crates against yesterday's.
fn forget_earlier_packages(packages: &[&Package]) -> Result<(), String> {
    for built in std::fs::read_dir(folder().join("debug/.fingerprint")).into_iter().flatten().flatten() {
        let name = built.file_name().to_string_lossy().into_owned();
        if packages.iter().any(|package| name.starts_with(package.name.as_str())) {
            std::fs::remove_dir_all(built.path()).map_err(|e| format!("{}: {e}", built.path().display()))?;
        }
    }
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let Some(home) = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo"))) else { return Ok(()) };
    let Ok(sources) = std::fs::read_dir(home.join("registry/src")) else { return Ok(()) };
    for source in sources.flatten() {
        // Packages on this disk have no host before the dash.
        if !source.file_name().to_string_lossy().starts_with('-') {
            continue;
        }
        for package in packages {
            let unpacked = source.path().join(format!("{}-{}", package.name, package.version));
            if unpacked.is_dir() {
                std::fs::remove_dir_all(&unpacked).map_err(|e| format!("{}: {e}", unpacked.display()))?;
            }
        }
    }
    Ok(())
}

/// Publishable packages, each after those it depends on.
fn publishing_order(metadata: &Metadata) -> Result<Vec<&Package>, String> {
    let mut left: Vec<&Package> =
        metadata.workspace_packages().into_iter().filter(|package| package.publish.is_none()).collect();
    let publishable: BTreeSet<&str> = left.iter().map(|package| package.name.as_str()).collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut order = Vec::new();
    while !left.is_empty() {
        let ready = left.iter().position(|package| {
            package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development).all(
                |dependency| !publishable.contains(dependency.name.as_str()) || done.contains(dependency.name.as_str()),
            )
        });
        let next = left.remove(ready.ok_or("the crates depend on each other in a circle")?);
        done.insert(next.name.as_str());
        order.push(next);
    }
    Ok(order)
}

/// What crates.io asks for, and what its readers look for.
fn complete(package: &Package) -> Result<(), String> {
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
    if missing.is_empty() { Ok(()) } else { Err(format!("{} lacks: {}", package.name, missing.join(", "))) }
}
