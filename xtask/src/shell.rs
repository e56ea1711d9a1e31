//! Functions that run other programs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use cargo_metadata::MetadataCommand;

/// Returns the workspace's root directory.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Returns Cargo's target directory, including one set by `CARGO_TARGET_DIR` or `build.target-dir`.
pub(crate) fn target() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| target_of(&mut MetadataCommand::new()))
}

fn target_of(command: &mut MetadataCommand) -> PathBuf {
    match command.current_dir(root()).no_deps().exec() {
        Ok(metadata) => metadata.target_directory.into_std_path_buf(),
        // If cargo fails here, the first build command will show the error.
        Err(_) => root().join("target"),
    }
}

/// Returns the standard output of a program, if it runs and succeeds.
pub(crate) fn output(name: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(name).args(arguments).current_dir(root()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A program that runs in the workspace's root.
pub(crate) struct Program(Command);

/// Returns a command with the given arguments for the same cargo that runs xtask.
pub(crate) fn cargo<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Program {
    program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args(arguments)
}

pub(crate) fn program(name: impl AsRef<OsStr>) -> Program {
    let mut command = Command::new(name);
    command.current_dir(root());
    Program(command)
}

impl Program {
    pub(crate) fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.0.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs the program with inherited output.
    ///
    /// # Errors
    /// Returns the command line if the program cannot be run or fails.
    pub(crate) fn run(mut self) -> Result<(), String> {
        println!("$ {}", self.command_line());
        self.run_without_echo()
    }

    fn run_without_echo(&mut self) -> Result<(), String> {
        match self.0.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("`{}` failed ({status})", self.command_line())),
            Err(error) => Err(format!("cannot run `{}`: {error}", self.command_line())),
        }
    }

    /// Returns the command, so that the caller can run it alongside other processes.
    pub(crate) fn into_command(self) -> Command {
        self.0
    }

    /// Runs the program and writes its output to a file.
    pub(crate) fn run_into(mut self, log: &Path) -> Result<(), String> {
        println!("$ {}", self.command_line());
        let named = |error: std::io::Error| format!("{}: {error}", log.display());
        let file = std::fs::File::create(log).map_err(named)?;
        self.0.stdout(file.try_clone().map_err(named)?).stderr(file);
        self.run_without_echo().map_err(|error| format!("{error}; see {}", log.display()))
    }

    /// Runs the program and returns its standard output.
    pub(crate) fn output(mut self) -> Result<String, String> {
        let output = self
            .0
            .stderr(Stdio::inherit())
            .output()
            .map_err(|e| format!("cannot run `{}`: {e}", self.command_line()))?;
        if !output.status.success() {
            return Err(format!("`{}` failed ({})", self.command_line(), output.status));
        }
        String::from_utf8(output.stdout).map_err(|_| format!("the output of `{}` is not UTF-8", self.command_line()))
    }

    /// Returns the program's standard output, if it runs and succeeds.
    pub(crate) fn quiet_output(mut self) -> Option<String> {
        let output = self.0.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Returns whether the program runs and succeeds. Its output is discarded.
    pub(crate) fn succeeds(mut self) -> bool {
        self.0.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    }

    fn command_line(&self) -> String {
        let name = Path::new(self.0.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let arguments = self.0.get_args().map(|argument| argument.to_string_lossy().into_owned());
        std::iter::once(name).chain(arguments).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the source files in a directory, recursively.
    fn sources(folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                found.extend(sources(&entry));
            } else if entry.extension().is_some_and(|ending| ending == "rs") {
                found.push(entry);
            }
        }
        found
    }

    #[test]
    fn no_command_hard_codes_the_target_directory() {
        let literal = concat!("\"target", "/");
        let sources = sources(&root().join("xtask/src"));
        assert!(sources.len() > 10, "{sources:?}");
        for path in sources {
            let text = std::fs::read_to_string(&path).unwrap();
            let found = text.lines().find(|line| line.contains(literal) || line.contains("root().join(\"target\")"));
            let allowed = path.ends_with("shell.rs");
            assert!(allowed || found.is_none(), "{}: {}", path.display(), found.unwrap_or_default());
        }
    }

    #[test]
    fn target_directory_follows_cargo_configuration() {
        let elsewhere = std::env::temp_dir().join("paytend target");
        let found = target_of(MetadataCommand::new().env("CARGO_TARGET_DIR", &elsewhere));
        assert_eq!(found, elsewhere);
        let found =
            target_of(MetadataCommand::new().env_remove("CARGO_TARGET_DIR").env("CARGO_BUILD_TARGET_DIR", &elsewhere));
        assert_eq!(found, elsewhere);
    }
}
