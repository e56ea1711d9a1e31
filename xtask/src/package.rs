//! `package`: every publishable crate as crates.io would get it, built from its package.

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::shell::{cargo, root};

pub(crate) fn run() -> Result<(), String> {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec().map_err(|e| e.to_string())?;
    let order = publishing_order(&metadata)?;
    for package in &order {
        complete(package)?;
    }
    let names: Vec<&str> = order.iter().map(|package| package.name.as_str()).collect();
    println!("in dependency order: {}", names.join(", "));
    // One call: cargo builds each from its package, with those before it taken from theirs.
    let selected = names.iter().flat_map(|name| ["-p", name]);
    cargo(["package", "--locked", "--allow-dirty"]).args(selected).run()
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
