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

/// Returns the shell blocks of a document, without blocks that begin with `cargo`.
fn blocks(text: &str) -> Vec<String> {
    shell::blocks(text).into_iter().filter(|block| !block.starts_with("cargo ")).collect()
}

/// Creates a folder in which `paytend` is the tested command.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    link_command(folder.path());
    folder
}

/// The ports that the documents use. The second value is the member of the service's ready line that contains its URL.
const PORTS: [(&str, &str); 3] = [("8080", "base_url"), ("8090", "url"), ("8070", "url")];

/// How commands begin that start a service. Such a command must be the first line of its block.
const SERVICES: [&str; 3] = ["paytend sandbox --", "paytend inbox serve", "paytend listen"];

/// Replaces the ports in a command. `known` contains the actual ports of the services that are running. All other ports
/// are replaced by `other`.
fn with_ports(text: &str, known: &[(&str, String)], other: &str) -> String {
    // First replaces each port by a mark. Otherwise, digits of an actual port could be replaced again.
    let marks = || PORTS.iter().enumerate().map(|(index, (port, _))| (*port, format!("<port {index}>")));
    let marked = marks().fold(text.to_owned(), |text, (port, mark)| text.replace(port, &mark));
    marks().fold(marked, |text, (port, mark)| {
        let found = known.iter().find(|known| known.0 == port);
        text.replace(&mark, found.map_or(other, |(_, known)| known))
    })
}

/// Runs the blocks of a document. If a block starts a service, the service listens on a free port and keeps running.
/// The later commands use this port.
fn run_blocks(folder: &Path, blocks: Vec<String>, variables: &[(&str, &str)]) -> Services {
    let mut services = Services(Vec::new());
    let mut ports: Vec<(&str, String)> = Vec::new();
    for block in blocks {
        let (service, block) = match SERVICES.iter().any(|start| block.starts_with(start)) {
            true => block.split_once('\n').map(|(service, rest)| (service.to_owned(), rest.to_owned())).unwrap(),
            false => (String::new(), block),
        };
        if !service.is_empty() {
            // With port 0, the service listens on a free port.
            let free = with_ports(&service, &ports, "0");
            let mut process = shell(folder, &format!("exec {free}")).stdout(Stdio::piped()).spawn().unwrap();
            let mut ready = String::new();
            let mut stdout = BufReader::new(process.stdout.take().unwrap());
            stdout.read_line(&mut ready).unwrap();
            // The pipe is kept open, because a service stops when its output is a closed pipe.
            services.0.push((process, stdout));
            assert!(ready.contains("\"ready\":true"), "{service}: {ready}");
            let ready: serde_json::Value = serde_json::from_str(&ready).unwrap();
            for (port, member) in PORTS.iter().filter(|(port, _)| service.contains(port)) {
                if let Some(url) = ready[member].as_str() {
                    ports.push((port, url.rsplit(':').next().unwrap().to_owned()));
                }
            }
        }
        // Port 1 stands for services that are not running.
        let block = with_ports(&block, &ports, "1");
        let ran = shell(folder, &block).envs(variables.iter().copied()).output().unwrap();
        let [stdout, stderr] = [ran.stdout, ran.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(ran.status.success(), "{block}\n{stdout}\n{stderr}");
    }
    services
}

#[test]
fn commands_in_the_readme_succeed() {
    let folder = folder();
    let blocks = blocks(&text("crates/paytend-cli/README.md"));
    assert!(blocks.len() >= 4, "{blocks:?}");
    run_blocks(folder.path(), blocks, &[]);
}

/// The guides assume that a profile, a store, a notification and a file with rules exist, so this test creates them.
#[test]
fn commands_in_the_guides_succeed() {
    let guides: Vec<PathBuf> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs"))
        .unwrap()
        .map(|file| Path::new("docs").join(file.unwrap().file_name()))
        // `guide.rs` tests this guide, which needs a store with orders.
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

/// Checks the commands and options that are mentioned outside of code blocks.
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
        let prose: String = text(file).split("```").step_by(2).collect();
        count += check_mentioned(file, &prose);
    }
    assert!(count > 40, "{count}");
}

/// Checks the commands and options that are mentioned in messages and help texts.
#[test]
fn commands_in_messages_exist() {
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut count = 0;
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                // A mention can continue on the next line of a string or of a comment.
                let source = std::fs::read_to_string(&path).unwrap();
                let lines = source.lines().map(|line| line.trim_start().trim_end_matches('\\'));
                let lines = lines.map(|line| line.trim_start_matches('/').trim_start_matches('!'));
                count += check_mentioned(path.to_str().unwrap(), &lines.collect::<Vec<_>>().join(" "));
            }
        }
    }
    assert!(count > 100, "{count}");
}

/// Checks the commands in backticks. Returns their number.
fn check_mentioned(file: &str, text: &str) -> usize {
    let mut count = 0;
    for span in text.split('`').filter_map(|span| span.strip_prefix("paytend ")) {
        let words: Vec<&str> = span.split_whitespace().collect();
        let names: Vec<&str> = words
            .iter()
            .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
            .take_while(|word| !word.starts_with('-'))
            .copied()
            .collect();
        // The last words can be values, such as the name of an operation, so the longest sequence that is a command is
        // used.
        let found = (1..=names.len()).rev().map(|count| &names[..count]).find_map(|names| {
            let help = run(&[names, &["--help"]].concat(), b"");
            (help.code == 0).then_some(help.stdout)
        });
        let Some(help) = found.filter(|_| names[0] != "help") else {
            assert!(names.first().is_none_or(|name| *name == "help"), "{file}: {span}");
            continue;
        };
        let known: Vec<&str> = help.split(|c: char| c != '-' && !c.is_ascii_alphanumeric()).collect();
        for option in words.iter().filter_map(|word| word.trim_start_matches('[').split([']', '=']).next()) {
            assert!(!option.starts_with("--") || option == "--" || known.contains(&option), "{file}: {span}: {option}");
        }
        count += 1;
    }
    count
}
