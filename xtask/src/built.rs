//! The programs that a cargo command has built.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cargo_metadata::Message;

use crate::shell::{Program, root};

/// The programs, by the source file of their `main` function or, for a test, of its root module.
pub(crate) struct Built(BTreeMap<PathBuf, PathBuf>);

impl Built {
    /// Runs a `cargo test` command without running its tests.
    pub(crate) fn new(test: Program) -> Result<Self, String> {
        let messages = test.args(["--no-run", "--message-format", "json-render-diagnostics"]).output()?;
        let artifacts = Message::parse_stream(messages.as_bytes()).filter_map(|message| match message {
            // The unit tests of a program have the same source file as the program itself.
            Ok(Message::CompilerArtifact(artifact)) if !(artifact.target.is_bin() && artifact.profile.test) => {
                Some((artifact.target.src_path.into_std_path_buf(), artifact.executable?.into_std_path_buf()))
            }
            _ => None,
        });
        Ok(Self(artifacts.collect()))
    }

    /// Returns the program of a source file, which is given by its path in the workspace.
    pub(crate) fn program(&self, source: &str) -> Result<&Path, String> {
        let found = self.0.get(&root().join(source)).map(PathBuf::as_path);
        found.ok_or_else(|| format!("cargo did not build a program from {source}"))
    }
}
