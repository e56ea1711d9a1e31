//! The signals that end a command: Ctrl-C with exit code 130 and, for services, a request to terminate with exit code
//! 0.

use crate::exit::Failure;

/// Runs work until it completes. Ctrl-C drops the work and returns a failure with the exit code 130.
pub(crate) async fn until_interrupted<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
    }
}

/// The signals that stop a service. Creating this value installs the signal handlers.
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for a signal. Returns a failure with exit code 130 after an interrupt, and `Ok` after a request to
    /// terminate.
    pub(crate) async fn received(&mut self) -> Result<(), Failure> {
        tokio::select! {
            _ = self.interrupt.recv() => Err(Failure::interrupted()),
            _ = self.terminate.recv() => Ok(()),
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for an interrupt, and returns a failure with exit code 130.
    pub(crate) async fn received(&mut self) -> Result<(), Failure> {
        tokio::signal::ctrl_c().await?;
        Err(Failure::interrupted())
    }
}
