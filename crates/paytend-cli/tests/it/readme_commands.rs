//! Runs the command lines of the README.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::support::command;

/// The processes of services, which are killed on drop.
struct Services(Vec<(Child, BufReader<ChildStdout>)>);

impl Drop for Services {
    fn drop(&mut self) {
        for (service, _) in &mut self.0 {
            let _ = service.kill();
            let _ = service.wait();
        }
    }
}

/// Returns the shell blocks of the README, without the installation commands.
fn blocks(readme: &str) -> Vec<String> {
    let blocks = readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| !block.starts_with("cargo ")).map(str::to_owned).collect()
}

/// Returns a shell command that runs `text` in a folder, with the tested `paytend` in its `PATH`.
fn shell(folder: &Path, text: &str) -> Command {
    let path = format!("{}/bin:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.env_clear().envs(command().get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.env("PATH", path).env("PAYTEND_CONFIG", folder.join("config.toml"));
    shell.args(["-e", "-c", text]).current_dir(folder);
    shell
}

/// A service that a block starts continues to run. The ports in the README are replaced by free ports.
#[test]
fn command_lines_of_the_readme_succeed() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_paytend"), folder.path().join("bin/paytend")).unwrap();
    let mut services = Services(Vec::new());
    let ports: Vec<(String, String)> = ["8080", "8090", "8070"]
        .map(|port| {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            (port.to_owned(), free.local_addr().unwrap().port().to_string())
        })
        .into();
    let blocks = blocks(&readme);
    assert!(blocks.len() >= 4, "{blocks:?}");
    for block in blocks {
        let block = ports.iter().fold(block, |block, (port, free)| block.replace(port, free));
        let is_service = ["paytend sandbox --", "paytend inbox serve", "paytend listen"];
        if is_service.iter().any(|start| block.starts_with(start)) {
            let text = format!("exec {block}");
            let mut service = shell(folder.path(), &text).stdout(Stdio::piped()).spawn().unwrap();
            let mut ready = String::new();
            let mut stdout = BufReader::new(service.stdout.take().unwrap());
            stdout.read_line(&mut ready).unwrap();
            // The output is kept open, because the service stops when the pipe is closed.
            services.0.push((service, stdout));
            assert!(ready.contains("\"ready\":true"), "{block}: {ready}");
        } else {
            let ran = shell(folder.path(), &block).output().unwrap();
            let [stdout, stderr] = [ran.stdout, ran.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
            assert!(ran.status.success(), "{block}\n{stdout}\n{stderr}");
        }
    }
}
