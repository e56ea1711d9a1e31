//! The features of the workspace's packages, as arguments for cargo.

use cargo_metadata::{Metadata, MetadataCommand, Package};

use crate::shell::root;

/// The feature of `paytend-cli` that stores keys in the system's keyring.
const KEYRING: &str = "keyring";

pub(crate) fn metadata() -> Result<Metadata, String> {
    MetadataCommand::new().current_dir(root()).no_deps().exec().map_err(|error| error.to_string())
}

/// Returns a package's features, without those that build OpenSSL from its source, because they add no code to check.
pub(crate) fn of(package: &Package) -> Vec<&str> {
    let names = package.features.keys().map(String::as_str);
    names.filter(|name| *name != "default" && !name.contains("vendored")).collect()
}

/// Returns the features for the tests of the workspace, for `--features`.
///
/// With them, a single build contains the tests of all features. Separate builds would compile most dependencies again.
/// The failpoints do nothing unless a test configures them.
/// The keyring is not included, because the tests must not change the keys of the person who runs them.
pub(crate) fn tested(metadata: &Metadata) -> String {
    let packages = metadata.workspace_packages();
    let features = packages.iter().flat_map(|package| of(package).into_iter().map(|name| (&package.name, name)));
    let tested = features.filter(|(_, name)| *name != KEYRING).map(|(package, name)| format!("{package}/{name}"));
    tested.collect::<Vec<_>>().join(",")
}
