//! `layers`: the dependency direction of ARCHITECTURE.md, held against what cargo says.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::shell::{cargo, root};

/// Each crate with the workspace's crates that it may use. Tests may use more; they are not part of what a user takes.
const LAYERS: [(&str, &[&str]); 14] = [
    ("paytend-json", &[]),
    ("paytend-crypto", &["paytend-json"]),
    // A foreign backend is a crate of its own, so that no feature of paytend-crypto needs C.
    ("paytend-crypto-openssl", &["paytend-crypto"]),
    ("paytend-model", &["paytend-json"]),
    ("paytend-client", &["paytend-crypto", "paytend-json", "paytend-model"]),
    ("paytend-webhook", &["paytend-crypto", "paytend-json", "paytend-model"]),
    // The other side of the wire: it must never share the client's code, or tests would test a bug against itself.
    ("paytend-sandbox", &["paytend-crypto", "paytend-model"]),
    ("paytend-cli", &["paytend-crypto", "paytend-model", "paytend-client", "paytend-webhook", "paytend-sandbox"]),
    // The second backend by a feature, which no default switches on.
    ("paytend-bindings", &["paytend-crypto", "paytend-crypto-openssl", "paytend-model", "paytend-webhook"]),
    ("paytend-ffi", &["paytend-bindings"]),
    ("paytend-java", &["paytend-bindings"]),
    ("paytend-node", &["paytend-bindings"]),
    ("paytend-python", &["paytend-bindings"]),
    ("paytend-vectors", &[]),
];

/// Packages that no other crate than the OpenSSL backend may bring along.
const NOWHERE: [&str; 3] = ["openssl-sys", "native-tls", "openssl"];

/// Packages that a crate must not bring along, because its users take it to be without.
const WITHOUT: [(&str, &[&str]); 3] = [
    ("paytend-crypto", &["tokio", "hyper", "reqwest", "cc"]),
    ("paytend-model", &["tokio", "hyper", "reqwest", "rsa", "aes", "cc"]),
    ("paytend-webhook", &["tokio", "hyper", "reqwest", "cc"]),
];

/// Crates that compile where there is no operating system, and what they must not bring along there.
const PORTABLE: [&str; 3] = ["paytend-crypto", "paytend-model", "paytend-webhook"];
const OF_A_SYSTEM: [&str; 5] = ["getrandom", "libc", "rustix", "tokio", "js-sys"];

pub(crate) fn run() -> Result<(), String> {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec().map_err(|e| e.to_string())?;
    let complaints = check(&metadata);
    if complaints.is_empty() {
        println!("layers: no crate depends on one above or beside it");
        return Ok(());
    }
    Err(complaints.join("\n"))
}

fn check(metadata: &Metadata) -> Vec<String> {
    let mut complaints = Vec::new();
    let layers: BTreeMap<&str, &[&str]> = LAYERS.into_iter().collect();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        if ["xtask", "paytend-examples", "paytend-bench"].contains(&name) {
            continue;
        }
        let Some(allowed) = layers.get(name) else {
            complaints.push(format!("{name} has no layer: give it one in xtask/src/layers.rs and in ARCHITECTURE.md"));
            continue;
        };
        for used in ours(package) {
            if !allowed.contains(&used) {
                complaints.push(format!("{name} must not depend on {used}"));
            }
        }
        if name == "paytend-crypto-openssl" {
            continue;
        }
        let brought = match brought_by(name, &[]) {
            Ok(brought) => brought,
            Err(error) => {
                complaints.push(error);
                continue;
            }
        };
        let forbidden = WITHOUT.iter().filter(|(of, _)| *of == name).flat_map(|(_, list)| list.iter()).chain(&NOWHERE);
        for unwanted in forbidden.filter(|unwanted| brought.contains(**unwanted)) {
            complaints.push(format!("{name} must not bring along {unwanted}"));
        }
    }
    for name in PORTABLE {
        match brought_by(name, &["--no-default-features", "--target", "wasm32-unknown-unknown"]) {
            Ok(brought) => complaints.extend(
                OF_A_SYSTEM
                    .iter()
                    .filter(|unwanted| brought.contains(**unwanted))
                    .map(|unwanted| format!("{name} must not need {unwanted} where there is no operating system")),
            ),
            Err(error) => complaints.push(error),
        }
    }
    for (name, _) in LAYERS {
        if !metadata.workspace_packages().iter().any(|package| package.name.as_str() == name) {
            complaints.push(format!("{name} has a layer and does not exist"));
        }
    }
    complaints
}

/// The workspace's crates that a package uses, other than in its tests.
fn ours(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.path.is_some() && dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
}

/// The names of all packages that a crate brings along, other than in tests, whatever the rest of the workspace switches on: on this machine's
/// platform with its default features, or as the options say.
fn brought_by(name: &str, options: &[&str]) -> Result<BTreeSet<String>, String> {
    let tree =
        ["tree", "--locked", "--package", name, "--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let listed = cargo(tree).args(options).output()?;
    Ok(listed.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}
