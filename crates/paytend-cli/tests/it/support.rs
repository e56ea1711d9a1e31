//! Helpers that run the command and write the test keys to files.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

pub(crate) struct RunOutput {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paytend"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PAYTEND_")) {
        command.env_remove(name);
    }
    // Tests must not read the user's profiles.
    command.env("PAYTEND_CONFIG", "/nonexistent/paytend/config.toml");
    command
}

pub(crate) fn run(args: &[&str], stdin: &[u8]) -> RunOutput {
    finish(command().args(args), stdin)
}

pub(crate) fn finish(command: &mut Command, stdin: &[u8]) -> RunOutput {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = stdin.to_vec();
    // The write can fail, because the command can exit before it has read all input.
    let writer = std::thread::spawn(move || drop(input.write_all(&bytes)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    RunOutput {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A temporary directory with the test keys: `NAME.pem` (mode 0600) and `NAME.pub`.
pub(crate) struct Keys(TempDir);

impl Keys {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, key) in paytend_vectors::keys() {
            let path = dir.path().join(format!("{name}.pem"));
            std::fs::write(&path, key.private_pkcs8_pem).unwrap();
            set_mode(&path, 0o600);
            std::fs::write(dir.path().join(format!("{name}.pub")), key.public).unwrap();
        }
        Self(dir)
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    pub(crate) fn arg(&self, file: &str) -> String {
        self.path(file).to_str().unwrap().to_owned()
    }
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    #[cfg(not(unix))]
    let _ = (path, mode);
}
