//! `screenshots`: tests the sandbox's web page in a headless Chromium and takes screenshots of it.

use std::path::{Path, PathBuf};

use crate::shell::{cargo, program, root, target};

/// Returns the browser's path, if a browser is installed.
pub(crate) fn chromium() -> Option<PathBuf> {
    let given = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].map(PathBuf::from);
    given.into_iter().chain(usual).find(|path| path.is_file())
}

/// Returns an error message if a tool that these tests need is missing.
pub(crate) fn missing() -> Option<String> {
    if chromium().is_none() {
        return Some("Chromium is missing: run `cargo xtask setup`, or set CHROMIUM to its path".into());
    }
    (!program("npm").args(["--version"]).succeeds()).then(|| "Node with npm is missing: run `cargo xtask setup`".into())
}

fn folder() -> PathBuf {
    target().join("ui")
}

/// Tests the page that this `paytend` command serves, and writes screenshots to `ui` in Cargo's target directory.
pub(crate) fn test(paytend: &Path) -> Result<(), String> {
    let browser = chromium().ok_or("Chromium is missing: run `cargo xtask setup`")?;
    let out = folder();
    let failed = |error: std::io::Error| format!("{}: {error}", out.display());
    if out.join("keys").exists() {
        std::fs::remove_dir_all(out.join("keys")).map_err(failed)?;
    }
    std::fs::create_dir_all(&out).map_err(failed)?;
    std::fs::write(out.join("package.json"), "{ \"private\": true, \"type\": \"module\" }\n").map_err(failed)?;
    std::fs::copy(root().join("crates/paytend-sandbox/tests/ui/ui.mjs"), out.join("ui.mjs")).map_err(failed)?;
    // Installs only the library, because the tests use the system's browser.
    let install = ["--silent", "--no-audit", "--no-fund", "playwright-core@1.65.1"];
    program("npm").args(["install", "--prefix"]).args([&out]).args(install).run()?;
    let arguments = [paytend, &browser, &out].map(|path| path.display().to_string()).join("\n");
    program("node").args(["--test"]).args([out.join("ui.mjs")]).env("PAYTEND_UI", arguments).run()
}

/// Runs the tests and copies the screenshots for the README into the repository.
pub(crate) fn screenshots() -> Result<(), String> {
    cargo(["build", "--locked", "-p", "paytend-cli"]).run()?;
    test(&target().join(format!("debug/paytend{}", std::env::consts::EXE_SUFFIX)))?;
    for name in ["sandbox-light.png", "sandbox-dark.png"] {
        let to = root().join("crates/paytend-sandbox/screenshots").join(name);
        std::fs::create_dir_all(to.parent().unwrap_or(&to)).map_err(|e| e.to_string())?;
        std::fs::copy(folder().join(name), &to).map_err(|e| format!("{}: {e}", to.display()))?;
        println!("screenshots: {}", to.display());
    }
    Ok(())
}
