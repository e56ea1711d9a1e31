//! `stress`: runs every test binary many times, every second time on busy processors, to find tests that fail now and
//! then.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cargo_metadata::{Message, MetadataCommand, Package};

use crate::setup;
use crate::shell::{cargo, root, target};

/// How often each binary runs if no number is given.
const RUNS: u32 = 20;
/// A run that takes longer is stopped, and has failed.
const LONGEST: Duration = Duration::from_secs(600);
/// How often a running binary is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// A test binary.
struct Binary {
    /// Package and target: `paytend-client/it`.
    name: String,
    path: PathBuf,
    /// The package's folder, in which cargo runs its tests.
    folder: PathBuf,
}

/// What became of the runs of one binary.
#[derive(Default)]
struct Outcome {
    failed: u32,
    /// Failed runs that had busy loops beside them.
    failed_busy: u32,
    slowest: Duration,
    /// The output of the first failed run.
    log: Option<PathBuf>,
}

/// `stress [RUNS] [FILTER…]`: a filter is a part of `package/target`; a binary runs if it matches any.
pub(crate) fn run(arguments: &[&str]) -> Result<(), String> {
    let (runs, filters) = match arguments {
        [first, rest @ ..] if first.bytes().all(|byte| byte.is_ascii_digit()) => {
            (first.parse().ok().filter(|runs| *runs > 0).ok_or(format!("invalid number of runs: {first}"))?, rest)
        }
        filters => (RUNS, filters),
    };
    if let Some(option) = filters.iter().find(|filter| filter.starts_with('-')) {
        return Err(format!("unknown option {option}; usage: stress [RUNS] [FILTER...]"));
    }
    let mut binaries: Vec<Binary> = build(filters)?;
    binaries.retain(|binary| matches(&binary.name, filters));
    if binaries.is_empty() {
        return Err(format!("no test binary matches {}", filters.join(", ")));
    }
    let logs = target().join("xtask/stress");
    keep(&mut binaries, &logs.join("bin"))?;
    let mut table = format!("{:<44} {:>5} {:>7} {:>5} {:>9}\n", "binary", "runs", "failed", "busy", "slowest");
    let mut failed = Vec::new();
    for binary in &binaries {
        let outcome = repeat(&binary.name, runs, &logs, |log| once(binary, log))?;
        let slowest = format!("{}.{:03} s", outcome.slowest.as_secs(), outcome.slowest.subsec_millis());
        let Outcome { failed: count, failed_busy: busy, log, .. } = outcome;
        let row = format!("{:<44} {runs:>5} {count:>7} {busy:>5} {slowest:>9}", binary.name);
        println!("{row}");
        table.push_str(&format!("{row}\n"));
        if let Some(log) = log {
            table.push_str(&format!("    the first failure is in {}\n", log.display()));
            failed.push(binary.name.as_str());
        }
    }
    println!("\n{table}\n`failed` counts all failed runs, `busy` those of them beside busy loops");
    if failed.is_empty() { Ok(()) } else { Err(format!("failed at least once: {}", failed.join(", "))) }
}

/// Gives each binary a name that a build in the meantime does not write to.
fn keep(binaries: &mut [Binary], folder: &Path) -> Result<(), String> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for binary in binaries {
        let kept = folder.join(binary.path.file_name().unwrap_or_default());
        let linked = std::fs::hard_link(&binary.path, &kept).or_else(|_| std::fs::copy(&binary.path, &kept).map(drop));
        linked.map_err(|error| format!("{}: {error}", binary.path.display()))?;
        binary.path = kept;
    }
    Ok(())
}

fn matches(name: &str, filters: &[&str]) -> bool {
    filters.is_empty() || filters.iter().any(|filter| name.contains(filter))
}

/// Builds the test binaries of the packages that have one to run, with the features that tests need.
fn build(filters: &[&str]) -> Result<Vec<Binary>, String> {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec().map_err(|error| error.to_string())?;
    let openssl = setup::openssl();
    let mut packages = metadata.workspace_packages();
    packages.retain(|package| openssl || !["paytend-crypto-openssl", "paytend-bench"].contains(&package.name.as_str()));
    packages.retain(|package| {
        package.targets.iter().any(|target| matches(&format!("{}/{}", package.name, target.name), filters))
    });
    let selected = packages.iter().flat_map(|package| ["-p", package.name.as_str()]);
    let features = packages.iter().flat_map(|package| features(package)).collect::<Vec<_>>().join(",");
    let mut command = cargo(["test", "--no-run", "--locked", "--message-format=json-render-diagnostics"])
        .args(selected)
        .args(["--features", &features])
        .into_command();
    let mut cargo = command.stdout(Stdio::piped()).spawn().map_err(|error| format!("cargo cannot be run: {error}"))?;
    let output = cargo.stdout.take().ok_or("cargo has no output")?;
    let mut binaries = Vec::new();
    for message in Message::parse_stream(std::io::BufReader::new(output)) {
        let Message::CompilerArtifact(artifact) = message.map_err(|error| error.to_string())? else { continue };
        let (Some(path), true) = (artifact.executable, artifact.profile.test) else { continue };
        let package = packages.iter().find(|package| package.id == artifact.package_id);
        let folder = artifact.manifest_path.parent().map(|folder| folder.as_std_path().to_owned());
        let (Some(package), Some(folder)) = (package, folder) else { continue };
        let name = format!("{}/{}", package.name, artifact.target.name);
        binaries.push(Binary { name, path: path.into(), folder });
    }
    let status = cargo.wait().map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(format!("the tests cannot be built ({status})"));
    }
    binaries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(binaries)
}

/// The features that switch on tests: all of the core crates' but those that only choose how something is built.
fn features(package: &Package) -> Vec<String> {
    let core = ["paytend-client", "paytend-crypto", "paytend-model", "paytend-sandbox", "paytend-webhook"];
    let names = package.features.keys().filter(|name| *name != "default" && core.contains(&package.name.as_str()));
    names.map(|name| format!("{}/{name}", package.name)).collect()
}

/// Runs a binary so many times, every second time beside busy loops. `once` writes its output to a file and returns
/// whether it passed.
fn repeat(name: &str, runs: u32, logs: &Path, once: impl Fn(&Path) -> Result<bool, String>) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    for run in 1..=runs {
        let busy = run % 2 == 0;
        let log = logs.join(format!("{}-{run}.log", name.replace('/', "-")));
        let start = Instant::now();
        let passed = beside_busy_loops(busy, || once(&log))?;
        outcome.slowest = outcome.slowest.max(start.elapsed());
        if passed {
            std::fs::remove_file(&log).map_err(|error| format!("{}: {error}", log.display()))?;
            continue;
        }
        println!("{name}: run {run} failed{}: {}", if busy { " (busy)" } else { "" }, log.display());
        outcome.failed += 1;
        outcome.failed_busy += u32::from(busy);
        outcome.log.get_or_insert(log);
    }
    Ok(outcome)
}

/// Runs a binary once with its output in a file. Returns whether it passed.
fn once(binary: &Binary, log: &Path) -> Result<bool, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", binary.name);
    let file = File::create(log).map_err(failed)?;
    let mut command = Command::new(&binary.path);
    command.current_dir(&binary.folder).env("CARGO_MANIFEST_DIR", &binary.folder).stdin(Stdio::null());
    command.stdout(file.try_clone().map_err(failed)?).stderr(file);
    if let Some(python) = setup::python() {
        command.env("PAYTEND_PYTHON", python);
    }
    let mut child = command.spawn().map_err(failed)?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            return Ok(status.success());
        }
        if start.elapsed() > LONGEST {
            child.kill().and_then(|()| child.wait()).map_err(failed)?;
            println!("{}: stopped after {} s", binary.name, LONGEST.as_secs());
            return Ok(false);
        }
        thread::sleep(LOOK);
    }
}

/// Does something while as many threads as there are processors do nothing but count, if asked to.
fn beside_busy_loops<T>(busy: bool, work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    let processors = if busy { thread::available_parallelism().map_or(2, usize::from) } else { 0 };
    thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                let mut count = 0u64;
                while !done.load(Ordering::Relaxed) {
                    count = std::hint::black_box(count.wrapping_add(1));
                }
            });
        }
        let result = work();
        done.store(true, Ordering::Relaxed);
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new folder, removed on drop.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("paytend-stress-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn failed_runs_are_counted_and_their_output_is_kept() {
        let folder = Folder::new("counted");
        let runs = std::cell::Cell::new(0);
        // The second run is a busy one, the fifth is not.
        let outcome = repeat("package/target", 6, &folder.0, |log| {
            runs.set(runs.get() + 1);
            std::fs::write(log, format!("run {}", runs.get())).unwrap();
            Ok(runs.get() != 2 && runs.get() != 5)
        });
        let outcome = outcome.unwrap();
        assert_eq!((runs.get(), outcome.failed, outcome.failed_busy), (6, 2, 1));
        assert_eq!(std::fs::read_to_string(outcome.log.unwrap()).unwrap(), "run 2");
        assert!(folder.0.join("package-target-5.log").exists());
        assert!(!folder.0.join("package-target-1.log").exists(), "the output of a run that passed is removed");
    }

    #[test]
    fn run_passes_if_its_program_succeeds() {
        let folder = Folder::new("passes");
        let log = folder.0.join("log");
        let cargo = PathBuf::from(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // Cargo without arguments prints its help; a program that does not exist cannot be run.
        let mut binary = Binary { name: "package/target".into(), path: cargo, folder: folder.0.clone() };
        assert!(once(&binary, &log).unwrap());
        assert!(std::fs::read_to_string(&log).unwrap().contains("Usage"));
        binary.path = folder.0.join("absent");
        assert!(once(&binary, &log).unwrap_err().contains("package/target"));
    }

    #[test]
    fn filter_is_part_of_package_and_target() {
        assert!(matches("paytend-client/memory", &[]));
        assert!(matches("paytend-client/memory", &["sandbox", "client/mem"]));
        assert!(!matches("paytend-client/memory", &["sandbox"]));
    }

    #[test]
    fn wrong_arguments_are_refused() {
        assert!(run(&["0"]).unwrap_err().contains("number of runs"));
        assert!(run(&["--all"]).unwrap_err().contains("unknown option --all"));
    }
}
