//! Checks that the paths in the tables of ARCHITECTURE.md exist.

use std::path::{Path, PathBuf};

use crate::shell::root;

/// A name without a slash is a path if it has one of these extensions.
const EXTENSIONS: [&str; 4] = [".rs", ".toml", ".json", ".md"];

/// Returns an error message for each path that does not exist.
pub(crate) fn check() -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).map_err(|e| format!("ARCHITECTURE.md: {e}"))?;
    let missing = missing(&text, |path| root().join(path).exists());
    Ok(missing.into_iter().map(|(line, path)| format!("ARCHITECTURE.md:{line}: {path} does not exist")).collect())
}

/// Returns each path in a table that does not exist, with its line number.
///
/// A path is relative to the workspace, to `crates`, to the previous path in the same row, or to a parent directory of
/// that path.
fn missing(text: &str, exists: impl Fn(&Path) -> bool) -> Vec<(usize, String)> {
    let mut missing = Vec::new();
    for (line, row) in text.lines().enumerate().filter(|(_, row)| row.starts_with('|')) {
        let mut base = PathBuf::new();
        for shown in row.split('`').skip(1).step_by(2).filter(|shown| is_path(shown)) {
            // Checks only the part before a placeholder such as `<area>`.
            let path = Path::new(shown.split('<').next().unwrap_or_default());
            let whole = [PathBuf::new(), PathBuf::from("crates")].into_iter().map(|folder| folder.join(path));
            let around = base.ancestors().filter(|folder| !folder.as_os_str().is_empty());
            match whole.chain(around.map(|folder| folder.join(path))).find(|path| exists(path)) {
                Some(found) => base = found,
                None => missing.push((line + 1, shown.to_owned())),
            }
        }
    }
    missing
}

fn is_path(text: &str) -> bool {
    !text.contains(' ') && (text.contains('/') || EXTENSIONS.iter().any(|extension| text.ends_with(extension)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_paths_are_reported() {
        let present =
            ["crates/a/src/x/mod.rs", "crates/a/src/x", "crates/a/src/y.rs", "crates/a/tests/z.rs", "deny.toml"];
        let missing = |row: &str| missing(row, |path| present.iter().any(|known| Path::new(known) == path));
        for good in [
            "| see x | `a/src/x/mod.rs`, then `y.rs`; `tests/z.rs` |",
            "| see x | `crates/a/src/x/<area>`, `mod.rs` |",
            "| see `a::b()` | `deny.toml`, run `cargo a/b --c` |",
            "Not a table: `a/src/missing.rs`",
        ] {
            assert!(missing(good).is_empty(), "{good}");
        }
        for (bad, path) in [
            ("| see x | `a/src/missing.rs` |", "a/src/missing.rs"),
            ("| see x | `a/src/x/mod.rs`, then `missing.rs` |", "missing.rs"),
            ("| see x | `y.rs` |", "y.rs"),
            ("| see x | `missing.toml` |", "missing.toml"),
        ] {
            assert_eq!(missing(&format!("\n{bad}")), [(2, path.to_owned())], "{bad}");
        }
    }
}
