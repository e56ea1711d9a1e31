//! `layers`: checks that the dependencies between crates are allowed, and that the paths in ARCHITECTURE.md exist.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::architecture;
use crate::shell::{cargo, root};

/// Each crate with the workspace crates that it may depend on.
///
/// Tests may depend on additional crates, because users do not build tests.
const LAYERS: [(&str, &[&str]); 21] = [
    ("paytend-json", &[]),
    ("paytend-crypto", &["paytend-json"]),
    // Backends in C are separate crates, so that no feature of paytend-crypto needs C.
    ("paytend-crypto-aws-lc", &["paytend-crypto"]),
    ("paytend-crypto-openssl", &["paytend-crypto"]),
    ("paytend-model", &["paytend-json"]),
    ("paytend-client", &["paytend-crypto", "paytend-json", "paytend-model"]),
    ("paytend-webhook", &["paytend-crypto", "paytend-json", "paytend-model"]),
    // The inbox contains no database code, because each store is a separate crate that depends on the inbox.
    ("paytend-inbox", &["paytend-crypto", "paytend-model", "paytend-webhook"]),
    // The outbox uses the inbox's keys, leases and errors.
    ("paytend-outbox", &["paytend-client", "paytend-crypto", "paytend-inbox", "paytend-model"]),
    // Reconciliation uses no I/O and no async runtime.
    ("paytend-reconcile", &["paytend-model"]),
    ("paytend-store-nats", &["paytend-inbox"]),
    ("paytend-store-postgres", &["paytend-client", "paytend-inbox", "paytend-outbox"]),
    ("paytend-store-sqlite", &["paytend-client", "paytend-inbox", "paytend-outbox"]),
    // The sandbox implements the server side of the protocol. It must not use the client's code, because tests would
    // not find a bug that affects both sides.
    ("paytend-sandbox", &["paytend-crypto", "paytend-model", "paytend-webhook"]),
    (
        "paytend-cli",
        &[
            "paytend-crypto",
            "paytend-crypto-aws-lc",
            "paytend-model",
            "paytend-client",
            "paytend-webhook",
            "paytend-inbox",
            "paytend-outbox",
            "paytend-reconcile",
            "paytend-store-nats",
            "paytend-store-postgres",
            "paytend-store-sqlite",
            "paytend-sandbox",
        ],
    ),
    ("paytend-bindings", &["paytend-crypto", "paytend-crypto-aws-lc", "paytend-model", "paytend-webhook"]),
    ("paytend-ffi", &["paytend-bindings"]),
    ("paytend-java", &["paytend-bindings"]),
    ("paytend-node", &["paytend-bindings"]),
    ("paytend-python", &["paytend-bindings"]),
    ("paytend-vectors", &["paytend-crypto"]),
];

/// Packages that only the OpenSSL backend may depend on.
const OPENSSL_ONLY: [&str; 3] = ["openssl-sys", "native-tls", "openssl"];

/// Packages that a crate must not depend on, directly or indirectly.
const FORBIDDEN: [(&str, &[&str]); 6] = [
    ("paytend-crypto", &["tokio", "hyper", "reqwest", "cc"]),
    ("paytend-model", &["tokio", "hyper", "reqwest", "rsa", "aes", "cc"]),
    ("paytend-webhook", &["tokio", "hyper", "reqwest", "cc"]),
    ("paytend-reconcile", &["tokio", "hyper", "reqwest", "cc"]),
    ("paytend-inbox", &["hyper", "reqwest", "rusqlite", "tokio-postgres", "cc"]),
    ("paytend-outbox", &["rusqlite", "tokio-postgres"]),
];

/// Crates that compile on targets without an operating system.
const PORTABLE: [&str; 3] = ["paytend-crypto", "paytend-model", "paytend-webhook"];
/// Packages that the portable crates must not depend on for a target without an operating system.
const SYSTEM_PACKAGES: [&str; 5] = ["getrandom", "libc", "rustix", "tokio", "js-sys"];

pub(crate) fn run() -> Result<(), String> {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec().map_err(|e| e.to_string())?;
    let mut problems = check(&metadata);
    problems.extend(architecture::check()?);
    problems.extend(aws_lc_versions(&all_packages()?));
    if problems.is_empty() {
        println!(
            "layers: all dependencies are allowed, AWS-LC is compiled once, and every path in ARCHITECTURE.md exists"
        );
        return Ok(());
    }
    Err(problems.join("\n"))
}

/// Returns the packages in the whole dependency graph.
fn all_packages() -> Result<Metadata, String> {
    let options = vec!["--locked".to_owned()];
    MetadataCommand::new().current_dir(root()).other_options(options).exec().map_err(|e| e.to_string())
}

/// Returns the version of `aws-lc-sys` in the lock file.
pub(crate) fn aws_lc_version() -> Result<String, String> {
    let packages = all_packages()?.packages;
    let package = packages.iter().find(|package| package.name.as_str() == "aws-lc-sys");
    package.map(|package| package.version.to_string()).ok_or_else(|| "aws-lc-sys is not in the lock file".into())
}

/// Checks that AWS-LC is compiled once: the backend and `aws-lc-rs`, which rustls uses, need the same `aws-lc-sys`.
fn aws_lc_versions(metadata: &Metadata) -> Option<String> {
    let versions: BTreeSet<String> = metadata
        .packages
        .iter()
        .filter(|package| package.name.as_str() == "aws-lc-sys")
        .map(|package| package.version.to_string())
        .collect();
    (versions.len() > 1).then(|| {
        format!("the lock file has several versions of aws-lc-sys, {versions:?}: use aws-lc-rs' version in Cargo.toml")
    })
}

fn check(metadata: &Metadata) -> Vec<String> {
    let mut problems = Vec::new();
    let layers: BTreeMap<&str, &[&str]> = LAYERS.into_iter().collect();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        if ["xtask", "paytend-examples", "paytend-bench"].contains(&name) {
            continue;
        }
        let Some(allowed) = layers.get(name) else {
            problems.push(format!("{name} has no layer: add it to xtask/src/layers.rs and ARCHITECTURE.md"));
            continue;
        };
        for used in workspace_dependencies(package) {
            if !allowed.contains(&used) {
                problems.push(format!("{name} must not depend on {used}"));
            }
        }
        if name == "paytend-crypto-openssl" {
            continue;
        }
        let found = match dependencies_of(name, &[]) {
            Ok(found) => found,
            Err(error) => {
                problems.push(error);
                continue;
            }
        };
        let forbidden = FORBIDDEN
            .iter()
            .filter(|(crate_name, _)| *crate_name == name)
            .flat_map(|(_, list)| list.iter())
            .chain(&OPENSSL_ONLY);
        for unwanted in forbidden.filter(|unwanted| found.contains(**unwanted)) {
            problems.push(format!("{name} must not depend on {unwanted}, directly or indirectly"));
        }
    }
    for name in PORTABLE {
        match dependencies_of(name, &["--no-default-features", "--target", "wasm32-unknown-unknown"]) {
            Ok(found) => {
                problems.extend(SYSTEM_PACKAGES.iter().filter(|unwanted| found.contains(**unwanted)).map(|unwanted| {
                    format!("{name} must not depend on {unwanted} on a target without an operating system")
                }));
            }
            Err(error) => problems.push(error),
        }
    }
    for (name, _) in LAYERS {
        if !metadata.workspace_packages().iter().any(|package| package.name.as_str() == name) {
            problems.push(format!("{name} does not exist: remove it from xtask/src/layers.rs"));
        }
    }
    problems
}

/// Returns the workspace crates that a package depends on, except the crates that only its tests use.
fn workspace_dependencies(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.path.is_some() && dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
}

/// Returns the names of all direct and indirect dependencies of a crate, except the crates that only tests use.
///
/// Features that other workspace crates enable are not included. By default, the result is for this machine's platform
/// and the default features; `options` can change both.
fn dependencies_of(name: &str, options: &[&str]) -> Result<BTreeSet<String>, String> {
    let tree =
        ["tree", "--locked", "--package", name, "--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let listed = cargo(tree).args(options).output()?;
    Ok(listed.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}
