//! `dist`: builds an archive that contains the `paytend` command, its manual pages and its completions, in the
//! directories where a system looks for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{cargo, program, root, target};

/// The completion script for each shell.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "usr/share/bash-completion/completions/paytend"),
    ("zsh", "usr/share/zsh/vendor-completions/_paytend"),
    ("fish", "usr/share/fish/vendor_completions.d/paytend.fish"),
];
const PAGES: &str = "usr/share/man/man1";
const DOCUMENTATION: &str = "usr/share/doc/paytend";

/// Builds the command, and writes `paytend.tar.gz` to the target directory.
pub(crate) fn run() -> Result<(), String> {
    cargo(["build", "--release", "--locked", "-p", "paytend-cli"]).run()?;
    let folder = target().join("xtask/dist");
    let archive = pack(&target().join("release/paytend"), &folder)?;
    check(&folder.join("root"))?;
    println!("dist: wrote {}", archive.display());
    Ok(())
}

/// Writes the files to `root` in the given directory, and packs them into an archive next to `root`.
fn pack(command: &Path, folder: &Path) -> Result<PathBuf, String> {
    let tree = folder.join("root");
    if tree.exists() {
        fs::remove_dir_all(&tree).map_err(|error| named(&tree, &error))?;
    }
    write_tree(command, &tree)?;
    let archive = folder.join("paytend.tar.gz");
    // The archive does not depend on the user or the file system: root owns all files, and they are sorted by name.
    program("tar")
        .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "-czf"])
        .args([&archive])
        .args(["-C"])
        .args([&tree])
        .args(["usr"])
        .run()?;
    Ok(archive)
}

/// Writes the command, its manual pages, its completions and its documentation.
fn write_tree(command: &Path, tree: &Path) -> Result<(), String> {
    let place = |path: &str| -> Result<PathBuf, String> {
        let path = tree.join(path);
        let folder = path.parent().unwrap_or(tree);
        fs::create_dir_all(folder).map_err(|error| named(folder, &error))?;
        Ok(path)
    };
    let copy = |from: &Path, to: &str| {
        let to = place(to)?;
        fs::copy(from, &to).map(drop).map_err(|error| named(from, &error))
    };
    copy(command, "usr/bin/paytend")?;
    for (shell, path) in COMPLETIONS {
        let script = output(Command::new(command).args(["completions", shell]))?;
        let path = place(path)?;
        fs::write(&path, script).map_err(|error| named(&path, &error))?;
    }
    output(Command::new(command).args(["man", "--out"]).arg(place(&format!("{PAGES}/x"))?.with_file_name("")))?;
    for name in ["README.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        copy(&root().join("crates/paytend-cli").join(name), &format!("{DOCUMENTATION}/{name}"))?;
    }
    Ok(())
}

/// Runs the command, and checks the scripts and pages with the programs that read them, if they are installed.
fn check(tree: &Path) -> Result<(), String> {
    output(Command::new(tree.join("usr/bin/paytend")).arg("--version"))?;
    for (shell, path) in COMPLETIONS {
        if program(shell).args(["--version"]).succeeds() {
            // The shells read the script without running it.
            output(Command::new(shell).arg("-n").arg(tree.join(path)))?;
        }
    }
    let pages = tree.join(PAGES);
    let pages = fs::read_dir(&pages).map_err(|error| named(&pages, &error))?;
    let pages: Vec<PathBuf> = pages.flatten().map(|page| page.path()).collect();
    if !pages.iter().any(|page| page.ends_with("paytend-sandbox-fault-set.1")) {
        return Err(format!("paytend-sandbox-fault-set.1 is not among the {} manual pages", pages.len()));
    }
    if program("man").args(["--version"]).succeeds() {
        for page in &pages {
            output(Command::new("man").args(["--warnings", "-l"]).arg(page).env("MANPAGER", "cat"))?;
        }
    }
    println!("dist: checked {} manual pages and {} completion scripts", pages.len(), COMPLETIONS.len());
    Ok(())
}

/// Returns the standard output of a program that succeeds.
fn output(command: &mut Command) -> Result<Vec<u8>, String> {
    let ran = command.output().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    match ran.status.success() {
        true => Ok(ran.stdout),
        false => Err(format!("{command:?} failed ({}): {}", ran.status, String::from_utf8_lossy(&ran.stderr))),
    }
}

fn named(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// In place of the real command, the test uses a program that prints its arguments.
    #[test]
    fn archive_contains_the_command_its_pages_and_its_completions() {
        let folder = std::env::temp_dir().join(format!("paytend-dist-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let command = folder.join("paytend");
        let program = "#!/bin/sh\n[ \"$1\" != man ] || { echo page > \"$3/paytend.1\"; exit; }\necho \"$@\"\n";
        fs::write(&command, program).unwrap();
        fs::set_permissions(&command, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let archive = pack(&command, &folder).unwrap();
        let listed = output(Command::new("tar").arg("-tvzf").arg(&archive)).unwrap();
        let listed = String::from_utf8(listed).unwrap();
        let files = ["usr/bin/paytend", "usr/share/man/man1/paytend.1", "usr/share/doc/paytend/LICENSE-MIT"];
        for file in files.into_iter().chain(COMPLETIONS.iter().map(|(_, path)| *path)) {
            let line = listed.lines().find(|line| line.ends_with(&format!(" {file}")));
            let line = line.unwrap_or_else(|| panic!("{file} is missing: {listed}"));
            let mode = if file == "usr/bin/paytend" { "-rwxr-xr-x" } else { "-rw-" };
            assert!(line.starts_with(mode) && line.contains(" 0/0 "), "{line}");
        }
        let script = fs::read_to_string(folder.join("root").join(COMPLETIONS[2].1)).unwrap();
        assert_eq!(script, "completions fish\n");
        fs::remove_dir_all(&folder).unwrap();
    }
}
