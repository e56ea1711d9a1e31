//! `stress`: runs every test binary many times, to find tests that fail intermittently. Every second run is under CPU
//! load.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cargo_metadata::{Message, MetadataCommand, Package};

use crate::setup;
use crate::shell::{cargo, root, target};

/// The default number of runs per binary.
const RUNS: u32 = 20;
/// The maximum duration of a run. A longer run is stopped and counts as failed.
const MAX_DURATION: Duration = Duration::from_secs(600);
/// The interval between checks on a running binary.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A test binary.
struct Binary {
    /// The package and the target, such as `paytend-client/it`.
    name: String,
    path: PathBuf,
    /// The package's directory, which is the working directory of its tests.
    folder: PathBuf,
}

/// The results of all runs of one binary.
#[derive(Default)]
struct Outcome {
    failed: u32,
    /// The number of failed runs under CPU load.
    failed_busy: u32,
    slowest: Duration,
    /// The output of the first failed run.
    log: Option<PathBuf>,
}

/// Runs `stress [RUNS] [FILTER…]`. A binary runs if its name, `package/target`, contains any of the filters.
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
    copy_binaries(&mut binaries, &logs.join("bin"))?;
    let mut table = format!("{:<44} {:>5} {:>7} {:>5} {:>9}\n", "binary", "runs", "failed", "busy", "slowest");
    let mut failed = Vec::new();
    for binary in &binaries {
        let outcome = repeat(&binary.name, runs, &logs, |log| run_once(binary, log))?;
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
    println!("\n{table}\n`failed` counts all failed runs, and `busy` counts the failed runs under CPU load");
    if failed.is_empty() { Ok(()) } else { Err(format!("failed at least once: {}", failed.join(", "))) }
}

/// Links or copies each binary to a path that a concurrent build does not overwrite.
fn copy_binaries(binaries: &mut [Binary], folder: &Path) -> Result<(), String> {
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

/// Builds the test binaries of the packages that match a filter, with the features that the tests need.
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
    let mut cargo = command.stdout(Stdio::piped()).spawn().map_err(|error| format!("cannot run cargo: {error}"))?;
    let output = cargo.stdout.take().ok_or("cannot read the output of cargo")?;
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
        return Err(format!("cannot build the tests ({status})"));
    }
    binaries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(binaries)
}

/// Returns the features that enable tests: all features of the core crates except `default`.
fn features(package: &Package) -> Vec<String> {
    let core = ["paytend-client", "paytend-crypto", "paytend-model", "paytend-sandbox", "paytend-webhook"];
    let names = package.features.keys().filter(|name| *name != "default" && core.contains(&package.name.as_str()));
    names.map(|name| format!("{}/{name}", package.name)).collect()
}

/// Runs a binary the given number of times. Every second run is under CPU load.
///
/// `run_once` runs the binary, writes the output to a file and returns whether the run passed.
fn repeat(
    name: &str,
    runs: u32,
    logs: &Path,
    run_once: impl Fn(&Path) -> Result<bool, String>,
) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    for run in 1..=runs {
        let busy = run % 2 == 0;
        let log = logs.join(format!("{}-{run}.log", name.replace('/', "-")));
        let start = Instant::now();
        let passed = with_busy_loops(busy, || run_once(&log))?;
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

/// Runs a binary once, writes its output to a file, and returns whether the run passed.
fn run_once(binary: &Binary, log: &Path) -> Result<bool, String> {
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
        if start.elapsed() > MAX_DURATION {
            child.kill().and_then(|()| child.wait()).map_err(failed)?;
            println!("{}: stopped after {} s", binary.name, MAX_DURATION.as_secs());
            return Ok(false);
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// Runs `work`. If `busy` is set, one busy-looping thread per processor runs at the same time.
fn with_busy_loops<T>(busy: bool, work: impl FnOnce() -> T) -> T {
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

    /// A temporary directory that is removed on drop.
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
    fn failed_runs_are_counted_and_logged() {
        let folder = Folder::new("counted");
        let runs = std::cell::Cell::new(0);
        // Run 2 is under CPU load, and run 5 is not.
        let outcome = repeat("package/target", 6, &folder.0, |log| {
            runs.set(runs.get() + 1);
            std::fs::write(log, format!("run {}", runs.get())).unwrap();
            Ok(runs.get() != 2 && runs.get() != 5)
        });
        let outcome = outcome.unwrap();
        assert_eq!((runs.get(), outcome.failed, outcome.failed_busy), (6, 2, 1));
        assert_eq!(std::fs::read_to_string(outcome.log.unwrap()).unwrap(), "run 2");
        assert!(folder.0.join("package-target-5.log").exists());
        assert!(!folder.0.join("package-target-1.log").exists(), "the log of a passed run was not removed");
    }

    #[test]
    fn run_passes_if_its_program_succeeds() {
        let folder = Folder::new("passes");
        let log = folder.0.join("log");
        let cargo = PathBuf::from(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // Cargo is used as the test binary, because it prints its help and succeeds if it is called without arguments.
        let mut binary = Binary { name: "package/target".into(), path: cargo, folder: folder.0.clone() };
        assert!(run_once(&binary, &log).unwrap());
        assert!(std::fs::read_to_string(&log).unwrap().contains("Usage"));
        binary.path = folder.0.join("absent");
        assert!(run_once(&binary, &log).unwrap_err().contains("package/target"));
    }

    #[test]
    fn filter_matches_part_of_package_and_target() {
        assert!(matches("paytend-client/memory", &[]));
        assert!(matches("paytend-client/memory", &["sandbox", "client/mem"]));
        assert!(!matches("paytend-client/memory", &["sandbox"]));
    }

    #[test]
    fn invalid_arguments_are_rejected() {
        assert!(run(&["0"]).unwrap_err().contains("number of runs"));
        assert!(run(&["--all"]).unwrap_err().contains("unknown option --all"));
    }
}
