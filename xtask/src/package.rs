//! `package`: packages every publishable crate in the same way as for crates.io, and builds each crate from its
//! package.

use std::collections::BTreeSet;
use std::path::PathBuf;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::shell::{cargo, root, target};

/// Returns the directory where packages are built. No other command uses it, because earlier builds are removed from
/// it.
fn folder() -> PathBuf {
    target().join("xtask/package")
}

pub(crate) fn run() -> Result<(), String> {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec().map_err(|e| e.to_string())?;
    let order = publishing_order(&metadata)?;
    for package in &order {
        check_metadata(package)?;
    }
    let names: Vec<&str> = order.iter().map(|package| package.name.as_str()).collect();
    remove_earlier_packages(&order)?;
    println!("packages in dependency order: {}", names.join(", "));
    // All packages are built in a single call, so that cargo builds each package against the new packages that it
    // depends on.
    let selected = names.iter().flat_map(|name| ["-p", name]);
    cargo(["package", "--locked", "--allow-dirty", "--target-dir"])
        .args([folder()])
        .args(selected)
        // The packages are built but never run, so they need no debug information. Without it, the build takes less
        // time.
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        // Overrides the user's configuration, because earlier builds must be removed from this directory.
        .env("CARGO_BUILD_BUILD_DIR", folder())
        .run()
}

/// Removes this workspace's packages that earlier runs unpacked and built.
///
/// Cargo unpacks and builds each version only once, so it would build the current crates against outdated ones.
fn remove_earlier_packages(packages: &[&Package]) -> Result<(), String> {
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
        // Skips the directories of real registries, which have a host name before the dash. The name of the directory
        // of local packages begins with the dash.
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
