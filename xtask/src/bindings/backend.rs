//! What the bindings do RSA with: one choice for a whole run.

use std::sync::OnceLock;

/// The backends, by the features of the bindings' crates.
pub(super) const NAMES: [&str; 3] = ["rustcrypto", "openssl", "vendored-openssl"];

static CHOSEN: OnceLock<&'static str> = OnceLock::new();

/// Takes `--backend NAME` out of the arguments; the first is the default.
pub(super) fn choose<'a>(arguments: &[&'a str]) -> Result<Vec<&'a str>, String> {
    let Some(at) = arguments.iter().position(|argument| *argument == "--backend") else { return Ok(arguments.into()) };
    let name = arguments.get(at + 1).ok_or("--backend wants a name")?;
    let name = NAMES.into_iter().find(|known| known == name);
    set(name.ok_or_else(|| format!("a backend is one of: {}", NAMES.join(", ")))?);
    Ok([&arguments[..at], &arguments[at + 2..]].concat())
}

pub(super) fn set(name: &'static str) {
    // One command chooses once.
    let _ = CHOSEN.set(name);
}

fn chosen() -> &'static str {
    CHOSEN.get().copied().unwrap_or(NAMES[0])
}

/// Cargo's arguments for it, which maturin takes, too.
pub(super) fn features() -> &'static [&'static str] {
    match chosen() {
        "openssl" => &["--features", "openssl"],
        "vendored-openssl" => &["--features", "vendored-openssl"],
        _ => &[],
    }
}

/// The leaks that valgrind must not find: libcrypto keeps what it reaches until the end.
pub(super) fn leaks() -> &'static str {
    if chosen() == NAMES[0] { "all" } else { "definite,indirect" }
}

/// What a program that is linked with the static library needs besides.
pub(super) fn libraries() -> &'static [&'static str] {
    if chosen() == "openssl" { &["-lssl", "-lcrypto"] } else { &[] }
}
