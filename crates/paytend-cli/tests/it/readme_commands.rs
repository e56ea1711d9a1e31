//! Runs the command lines of the READMEs and the guides.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

use crate::running::RunningSandbox;
use crate::shell::{self, link_command, shell};
use crate::support::{Keys, run};

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

/// Returns the text of a file in the repository.
fn text(path: impl AsRef<Path>) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap()
}

/// Returns the shell blocks of a text that call the command, except for the installation.
fn blocks(text: &str) -> Vec<String> {
    shell::blocks(text).into_iter().filter(|block| !block.starts_with("cargo ")).collect()
}

/// Creates a folder in which `paytend` is the tested command.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    link_command(folder.path());
    folder
}

/// Runs the blocks of a text. A service that a block starts keeps running. Fixed ports are replaced by free ports.
fn run_blocks(folder: &Path, blocks: Vec<String>, variables: &[(&str, &str)]) -> Services {
    let mut services = Services(Vec::new());
    let ports: Vec<(String, String)> = ["8080", "8090", "8070"]
        .map(|port| {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            (port.to_owned(), free.local_addr().unwrap().port().to_string())
        })
        .into();
    for block in blocks {
        let block = ports.iter().fold(block, |block, (port, free)| block.replace(port, free));
        // A service is the first line of its block.
        let is_service = ["paytend sandbox --", "paytend inbox serve", "paytend listen"];
        let (service, block) = match is_service.iter().any(|start| block.starts_with(start)) {
            true => block.split_once('\n').map(|(service, rest)| (service.to_owned(), rest.to_owned())).unwrap(),
            false => (String::new(), block),
        };
        if !service.is_empty() {
            let mut process = shell(folder, &format!("exec {service}")).stdout(Stdio::piped()).spawn().unwrap();
            let mut ready = String::new();
            let mut stdout = BufReader::new(process.stdout.take().unwrap());
            stdout.read_line(&mut ready).unwrap();
            // The output stays open, because a service stops when its reader exits.
            services.0.push((process, stdout));
            assert!(ready.contains("\"ready\":true"), "{service}: {ready}");
        }
        let ran = shell(folder, &block).envs(variables.iter().copied()).output().unwrap();
        let [stdout, stderr] = [ran.stdout, ran.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(ran.status.success(), "{block}\n{stdout}\n{stderr}");
    }
    services
}

#[test]
fn command_lines_of_the_readme_succeed() {
    let folder = folder();
    let blocks = blocks(&text("crates/paytend-cli/README.md"));
    assert!(blocks.len() >= 4, "{blocks:?}");
    run_blocks(folder.path(), blocks, &[]);
}

/// The guides need a profile, a store, a notification and a file with rules, which they describe elsewhere.
#[test]
fn command_lines_of_the_guides_succeed() {
    let guides: Vec<PathBuf> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs"))
        .unwrap()
        .map(|file| Path::new("docs").join(file.unwrap().file_name()))
        // Other tests run the command lines of this guide, with a store.
        .filter(|path| !path.ends_with("unknown-outcomes.md"))
        .collect();
    assert!(guides.len() >= 2, "{guides:?}");
    let readmes = ["README.md", "crates/paytend-sandbox/README.md"].map(PathBuf::from);
    let mut count = 0;
    for file in guides.into_iter().chain(readmes) {
        let folder = folder();
        let path = |name: &str| folder.path().join(name);
        let sandbox = RunningSandbox::start(&["--keys", path("other").to_str().unwrap()]);
        let init = "paytend config init production --from-sandbox other && touch rules.toml && mkdir fetched";
        assert!(shell(folder.path(), init).status().unwrap().success());
        // This command creates the store.
        let listen = vec!["paytend listen --keys other --inbox inbox.db\n".to_owned()];
        drop(run_blocks(folder.path(), listen, &[]));
        let case = paytend_vectors::detached().into_iter().find(|case| case.valid).unwrap();
        std::fs::copy(Keys::new().path(&format!("{}.pub", case.key)), path("payby.pem")).unwrap();
        std::fs::write(path("body.json"), case.body()).unwrap();
        let blocks: Vec<String> = blocks(&text(&file))
            .into_iter()
            .filter(|block| block.lines().all(|line| !line.starts_with("cargo ")))
            .collect();
        count += blocks.len();
        run_blocks(folder.path(), blocks, &[("SIGN", &case.sign)]);
        drop(sandbox);
    }
    assert!(count >= 5, "{count}");
}

/// Each command and option in the prose exists.
#[test]
fn commands_in_the_prose_exist() {
    let mut count = 0;
    for file in [
        "README.md",
        "crates/paytend-cli/README.md",
        "crates/paytend-sandbox/README.md",
        "docs/end-of-day.md",
        "docs/notifications-in-production.md",
    ] {
        let text = text(file);
        let spans = text.split("```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2));
        for span in spans.filter_map(|span| span.strip_prefix("paytend ")) {
            let words: Vec<&str> = span.split_whitespace().collect();
            let names: Vec<&str> = words
                .iter()
                .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
                .copied()
                .collect();
            let names: Vec<&str> = names.into_iter().take_while(|word| !word.starts_with('-')).collect();
            // A word after the command can be a value, such as the name of an operation.
            let found = (1..=names.len()).rev().map(|count| &names[..count]).find_map(|names| {
                let help = run(&[names, &["--help"]].concat(), b"");
                (help.code == 0).then_some(help.stdout)
            });
            let Some(help) = found.filter(|_| !names.is_empty() && names[0] != "help") else {
                assert!(names.first().is_none_or(|name| *name == "help" || name.starts_with('-')), "{file}: {span}");
                continue;
            };
            for option in words.iter().filter_map(|word| word.trim_start_matches('[').split([']', '=']).next()) {
                assert!(!option.starts_with("--") || help.contains(option), "{file}: {span}: {option}");
            }
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
}
