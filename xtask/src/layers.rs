//! `layers`: the dependency direction of ARCHITECTURE.md, held against what cargo says.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

use crate::shell::root;

/// Each crate with the workspace's crates that it may use. Tests may use more; they are not part of what a user takes.
const LAYERS: [(&str, &[&str]); 8] = [
    ("paytend-crypto", &[]),
    // A foreign backend is a crate of its own, so that no feature of paytend-crypto needs C.
    ("paytend-crypto-openssl", &["paytend-crypto"]),
    ("paytend-model", &[]),
    ("paytend-client", &["paytend-crypto", "paytend-model"]),
    ("paytend-webhook", &["paytend-crypto", "paytend-model"]),
    // The other side of the wire: it must never share the client's code, or tests would test a bug against itself.
    ("paytend-sandbox", &["paytend-crypto", "paytend-model"]),
    ("paytend-cli", &["paytend-crypto", "paytend-model", "paytend-client", "paytend-webhook", "paytend-sandbox"]),
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

pub(crate) fn run() -> Result<(), String> {
    let metadata = MetadataCommand::new().current_dir(root()).exec().map_err(|e| e.to_string())?;
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
    let tree = Tree::of(metadata);
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
        let brought = tree.below(&package.id);
        if name == "paytend-crypto-openssl" {
            continue;
        }
        let forbidden = WITHOUT.iter().filter(|(of, _)| *of == name).flat_map(|(_, list)| list.iter()).chain(&NOWHERE);
        for unwanted in forbidden.filter(|unwanted| brought.contains(**unwanted)) {
            complaints.push(format!("{name} must not bring along {unwanted}"));
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

/// Who brings whom along on this machine's platform, other than in tests.
struct Tree<'m> {
    names: BTreeMap<&'m PackageId, &'m str>,
    edges: BTreeMap<&'m PackageId, Vec<&'m PackageId>>,
}

impl<'m> Tree<'m> {
    fn of(metadata: &'m Metadata) -> Self {
        let names = metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
        let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
        let edges = nodes
            .map(|node| {
                let used = node.deps.iter().filter(|dependency| {
                    dependency
                        .dep_kinds
                        .iter()
                        .any(|kind| kind.kind != DependencyKind::Development && kind.target.is_none())
                });
                (&node.id, used.map(|dependency| &dependency.pkg).collect())
            })
            .collect();
        Self { names, edges }
    }

    fn below(&self, package: &'m PackageId) -> BTreeSet<&'m str> {
        let mut seen: BTreeSet<&PackageId> = BTreeSet::new();
        let mut left = vec![package];
        while let Some(next) = left.pop() {
            left.extend(self.edges.get(next).into_iter().flatten().copied().filter(|id| seen.insert(id)));
        }
        seen.into_iter().filter_map(|id| self.names.get(id).copied()).collect()
    }
}
