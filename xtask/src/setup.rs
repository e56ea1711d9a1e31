//! `setup`: installs the tools that the full test run needs, in addition to a Rust toolchain and a C compiler.

use std::path::{Path, PathBuf};

use crate::deny;
use crate::nats;
use crate::shell::{Program, cargo, program, root, target};
use crate::ui;

/// Returns the directory of the Python environment, which is in the target directory.
fn environment() -> PathBuf {
    target().join("xtask/python")
}

/// Returns the interpreter that can run the reference implementation, if `setup` has created it.
pub(crate) fn python() -> Option<PathBuf> {
    let interpreter = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    let python = environment().join(interpreter);
    has_required_packages(&python).then_some(python)
}

fn has_required_packages(python: &Path) -> bool {
    typos(python).is_file()
        && python.is_file()
        && program(python).args(["-c", "import cryptography, jsonschema, openapi_spec_validator"]).succeeds()
}

/// Returns the path of the spell checker in this interpreter's environment.
pub(crate) fn typos(python: &Path) -> PathBuf {
    python.with_file_name(format!("typos{}", std::env::consts::EXE_SUFFIX))
}

pub(crate) fn run() -> Result<(), String> {
    for (component, works) in
        [("rustfmt", cargo(["fmt", "--version"]).succeeds()), ("clippy", cargo(["clippy", "--version"]).succeeds())]
    {
        if !works {
            program("rustup").args(["component", "add", component]).run()?;
        }
    }
    ensure("a C compiler", &["build-essential"], || program("cc").args(["--version"]).succeeds() || cfg!(windows))?;
    ensure("a C++ compiler, for the fuzzer", &["g++"], || {
        program("c++").args(["--version"]).succeeds() || cfg!(windows)
    })?;
    if cfg!(target_os = "linux") {
        bindings_tools()?;
    }
    ensure("OpenSSL 3 with its headers", &["libssl-dev", "pkg-config"], openssl)?;
    ensure("Python 3 with venv and pip", &["python3", "python3-venv"], || find_python().is_some())?;
    if python().is_none() {
        let base = find_python().ok_or("cannot find Python 3 with venv and pip")?;
        // `--clear` removes an incomplete environment left by an earlier run.
        base.args(["-m", "venv", "--clear"]).args([environment()]).run()?;
        let interpreter = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
        let requirements = root().join("xtask/requirements.txt");
        program(environment().join(interpreter))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .args([requirements])
            .run()?;
    }
    if python().is_none() {
        return Err("the Python environment cannot import the packages in xtask/requirements.txt".into());
    }
    deny::install()?;
    println!("setup: everything that the full test run needs is installed");
    Ok(())
}

/// Installs the tools needed by the tests for the bindings, the web page and the stores.
fn bindings_tools() -> Result<(), String> {
    ensure("cJSON with its header", &["libcjson-dev", "pkg-config"], || {
        program("pkg-config").args(["--exists", "libcjson"]).succeeds()
    })?;
    ensure("valgrind", &["valgrind"], || program("valgrind").args(["--version"]).succeeds())?;
    ensure("Node with npm", &["nodejs", "npm"], || program("npm").args(["--version"]).succeeds())?;
    ensure("a JDK", &["default-jdk-headless"], || program("javac").args(["-version"]).succeeds())?;
    ensure("Maven", &["maven"], || program("mvn").args(["--version"]).succeeds())?;
    ensure("Chromium, for the sandbox's web page", &["chromium", "fonts-dejavu-core"], || ui::chromium().is_some())?;
    ensure("PostgreSQL, for the PostgreSQL store's tests", &["postgresql"], || postgres().is_some())?;
    ensure("PgBouncer, for the PostgreSQL store's tests", &["pgbouncer"], pgbouncer)?;
    ensure("zsh and fish, for the completion tests", &["zsh", "fish"], || {
        ["zsh", "fish"].into_iter().all(|shell| program(shell).args(["--version"]).succeeds())
    })?;
    ensure("Go", &["golang-go"], || program("go").args(["version"]).succeeds())?;
    nats::install()
}

/// Returns whether the OpenSSL backend can be built, that is, whether its build finds the headers of OpenSSL 3.0.8 or
/// newer.
pub(crate) fn openssl() -> bool {
    std::env::var_os("OPENSSL_DIR").is_some()
        || program("pkg-config").args(["--atleast-version=3.0.8", "openssl"]).succeeds()
}

/// Checks that a tool is installed. On Debian, as root, installs it if it is missing.
fn ensure(tool: &str, packages: &[&str], is_installed: impl Fn() -> bool) -> Result<(), String> {
    if is_installed() {
        return Ok(());
    }
    let advice = format!("{tool} is missing; on Debian, install {}", packages.join(" "));
    let debian = program("apt-get").args(["--version"]).succeeds();
    let root = is_root();
    if !debian || !(root || program("sudo").args(["-n", "true"]).succeeds()) {
        return Err(advice);
    }
    let apt = || if root { program("apt-get") } else { program("sudo").args(["-n", "apt-get"]) };
    // Update the package lists first, because a new machine does not have them yet.
    apt().args(["update", "-qq"]).run()?;
    apt()
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(packages)
        .run()?;
    if is_installed() { Ok(()) } else { Err(advice) }
}

/// Returns the directory of PostgreSQL's server programs: the newest version in `/usr/lib/postgresql`, where Debian
/// installs them, or else a directory in `PATH`.
pub(crate) fn postgres() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|version| version.path().join("bin")).max();
    let path = std::env::var_os("PATH").unwrap_or_default();
    newest.into_iter().chain(std::env::split_paths(&path)).find(|directory| directory.join("initdb").is_file())
}

/// Returns whether PgBouncer is in a directory where the tests look for it.
pub(crate) fn pgbouncer() -> bool {
    ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().any(|path| Path::new(path).is_file())
}

fn is_root() -> bool {
    program("sh").args(["-c", "test \"$(id -u)\" = 0"]).succeeds()
}

/// Returns a Python interpreter that can create environments with pip.
pub(crate) fn find_python() -> Option<Program> {
    ["python3", "/usr/bin/python3", "python"]
        .into_iter()
        .find(|name| program(name).args(["-c", "import venv, ensurepip"]).succeeds())
        .map(program)
}
