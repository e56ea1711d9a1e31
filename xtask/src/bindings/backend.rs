//! The RSA backend of the bindings, chosen once per run.

use std::sync::OnceLock;

/// The names of the backends. The first is the default, and the others are features of the bindings' crates.
pub(super) const NAMES: [&str; 3] = ["rustcrypto", "openssl", "vendored-openssl"];

static CHOSEN: OnceLock<&'static str> = OnceLock::new();

/// Applies `--backend NAME` and returns the other arguments.
pub(super) fn choose<'a>(arguments: &[&'a str]) -> Result<Vec<&'a str>, String> {
    let Some(at) = arguments.iter().position(|argument| *argument == "--backend") else { return Ok(arguments.into()) };
    let name = arguments.get(at + 1).ok_or("--backend requires a name")?;
    let name = NAMES.into_iter().find(|known| known == name);
    set(name.ok_or_else(|| format!("unknown backend; use one of: {}", NAMES.join(", ")))?);
    Ok([&arguments[..at], &arguments[at + 2..]].concat())
}

pub(super) fn set(name: &'static str) {
    // Each command sets the backend only once.
    let _ = CHOSEN.set(name);
}

fn chosen() -> &'static str {
    CHOSEN.get().copied().unwrap_or(NAMES[0])
}

/// Returns the arguments for cargo, and for maturin, that select the backend.
pub(super) fn features() -> &'static [&'static str] {
    match chosen() {
        "openssl" => &["--features", "openssl"],
        "vendored-openssl" => &["--features", "vendored-openssl"],
        _ => &[],
    }
}

/// Returns the kinds of leaks that valgrind reports as errors.
///
/// libcrypto keeps reachable memory until the process ends, so reachable blocks are errors only without libcrypto.
pub(super) fn leaks() -> &'static str {
    if chosen() == NAMES[0] { "all" } else { "definite,indirect" }
}

/// Returns the additional libraries for a program that links the static library.
pub(super) fn libraries() -> &'static [&'static str] {
    if chosen() == "openssl" { &["-lssl", "-lcrypto"] } else { &[] }
}
