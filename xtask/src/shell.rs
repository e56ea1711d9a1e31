//! Running other programs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// What a program prints, if it runs and succeeds.
pub(crate) fn output(name: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(name).args(arguments).current_dir(root()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A program to run in the workspace's root.
pub(crate) struct Program(Command);

/// Cargo, the one that runs this.
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

    /// Runs it, with its output on ours. A failure says what was run.
    pub(crate) fn run(mut self) -> Result<(), String> {
        println!("$ {}", self.shown());
        self.run_as_it_is()
    }

    fn run_as_it_is(&mut self) -> Result<(), String> {
        match self.0.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("`{}` failed ({status})", self.shown())),
            Err(error) => Err(format!("`{}` cannot be run: {error}", self.shown())),
        }
    }

    /// The command itself, to be run beside others.
    pub(crate) fn into_command(self) -> Command {
        self.0
    }

    /// Runs it, with its output in a file.
    pub(crate) fn run_into(mut self, log: &Path) -> Result<(), String> {
        println!("$ {}", self.shown());
        let named = |error: std::io::Error| format!("{}: {error}", log.display());
        let file = std::fs::File::create(log).map_err(named)?;
        self.0.stdout(file.try_clone().map_err(named)?).stderr(file);
        self.run_as_it_is().map_err(|error| format!("{error}; see {}", log.display()))
    }

    /// Runs it; what it prints on standard output.
    pub(crate) fn output(mut self) -> Result<String, String> {
        let output = self.0.stderr(Stdio::inherit()).output().map_err(|e| format!("`{}`: {e}", self.shown()))?;
        if !output.status.success() {
            return Err(format!("`{}` failed ({})", self.shown(), output.status));
        }
        String::from_utf8(output.stdout).map_err(|_| format!("`{}` printed no UTF-8", self.shown()))
    }

    /// Whether it runs and succeeds; its output is thrown away.
    pub(crate) fn succeeds(mut self) -> bool {
        self.0.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    }

    fn shown(&self) -> String {
        let name = Path::new(self.0.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let arguments = self.0.get_args().map(|argument| argument.to_string_lossy().into_owned());
        std::iter::once(name).chain(arguments).collect::<Vec<_>>().join(" ")
    }
}
