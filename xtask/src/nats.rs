//! The NATS server program that the NATS store's tests start.

use std::path::PathBuf;

use crate::shell::{program, target};

/// The server version that `setup` installs.
const VERSION: &str = "2.15.3";
const MODULE: &str = "github.com/nats-io/nats-server/v2";

fn directory() -> PathBuf {
    target().join("xtask/nats")
}

/// Returns the path to the server program: the value of `PAYTEND_NATS_SERVER`, or else the program that [`install`] has
/// built.
pub(crate) fn server() -> Option<PathBuf> {
    let given = std::env::var_os("PAYTEND_NATS_SERVER").map(PathBuf::from);
    let built = directory().join(format!("nats-server{}", std::env::consts::EXE_SUFFIX));
    given.into_iter().chain([built]).find(|server| server.is_file())
}

/// Builds the server with Go, unless this version is already installed.
pub(crate) fn install() -> Result<(), String> {
    let version = |server| program(server).args(["--version"]).quiet_output().unwrap_or_default();
    if server().is_some_and(|server| version(server).trim_end().ends_with(&format!("v{VERSION}"))) {
        return Ok(());
    }
    program("go").args(["install", &format!("{MODULE}@v{VERSION}")]).env("GOBIN", directory()).run()?;
    if server().is_some() {
        Ok(())
    } else {
        Err("`go install` did not create the NATS server in target/xtask/nats".into())
    }
}
