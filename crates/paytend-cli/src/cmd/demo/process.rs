//! The process that sends the partner's orders. The demo starts it twice, and kills it once.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use super::partner::{POLL, Partner, TIMEOUT, unexpected};
use super::{Args, SendOrders};
use crate::exit::Failure;

/// Runs in the started process: sends all orders, and returns when their outcomes are known.
pub(super) async fn run(orders: &SendOrders) -> Result<(), Failure> {
    // The demo holds the other end of standard input, so this process also exits if the demo is killed.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    Partner::open(&orders.directory, &orders.base_url).await?.dispatch_all().await
}

/// A started process, which is killed on drop.
pub(super) struct OrderProcess(Child);

impl OrderProcess {
    /// Starts the process.
    pub(super) fn start(directory: &Path, base_url: &str) -> Result<Self, Failure> {
        let mut command = paytend()?;
        command.arg("demo").arg(Args::DIRECTORY).arg(directory).args([Args::BASE_URL, base_url]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(command.spawn()?))
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Ends the process immediately: with SIGKILL on Unix, with `TerminateProcess` on Windows.
    pub(super) fn kill(mut self) -> Result<ExitStatus, Failure> {
        self.0.kill()?;
        Ok(self.0.wait()?)
    }

    /// Returns an error if the process has ended.
    pub(super) fn check_running(&mut self) -> Result<(), Failure> {
        match self.0.try_wait()? {
            None => Ok(()),
            Some(status) => Err(unexpected(format!("the process that sends orders exited early: {status}"))),
        }
    }

    /// Waits until the process has completed the orders.
    pub(super) async fn complete(mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            match self.0.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(unexpected(format!("the process that sends orders failed: {status}"))),
                None if Instant::now() > deadline => return Err(unexpected("the orders were not completed in time")),
                None => tokio::time::sleep(POLL).await,
            }
        }
    }
}

impl Drop for OrderProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns a command that runs this program without the user's settings and proxies, because the sandbox runs on this
/// machine.
pub(super) fn paytend() -> Result<Command, Failure> {
    let program = std::env::current_exe().map_err(|error| unexpected(format!("cannot find this program: {error}")))?;
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_ascii_uppercase();
        if upper.starts_with("PAYTEND_") || upper.ends_with("_PROXY") {
            command.env_remove(name);
        }
    }
    Ok(command)
}
