//! Runs the `sh` code blocks of Markdown documents.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::support::command;

/// Returns the `sh` code blocks of a document, without indentation, because blocks in lists are indented.
pub(crate) fn blocks(document: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() == "```sh" {
            let block = lines.by_ref().take_while(|line| line.trim_start() != "```");
            blocks.push(block.map(|line| format!("{}\n", line.trim_start())).collect());
        }
    }
    blocks
}

/// Links the tested command as `bin/paytend` in a folder.
pub(crate) fn link_command(folder: &Path) {
    std::fs::create_dir(folder.join("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_paytend"), folder.join("bin/paytend")).unwrap();
}

/// Returns a shell that runs a script in a folder. In the script, `paytend` is the tested command.
pub(crate) fn shell(folder: &Path, text: &str) -> Command {
    let path = format!("{}/bin:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.env_clear().envs(command().get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.env("PATH", path).env("PAYTEND_CONFIG", folder.join("config.toml"));
    shell.args(["-e", "-c", text]).current_dir(folder);
    shell
}
