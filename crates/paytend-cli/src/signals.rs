//! The signals that end a command: Ctrl-C with exit code 130 and, for services, a request to terminate with exit code
//! 0.

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::exit::{Category, Failure};

/// How long a service waits for blocking calls when it ends without Ctrl-C.
const BLOCKING_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs the work of a command until it completes. After Ctrl-C, drops the work and returns a failure with exit code
/// 130.
pub(crate) fn run<T>(runtime: Runtime, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    run_until(runtime, work, tokio::signal::ctrl_c())
}

fn run_until<T>(
    runtime: Runtime,
    work: impl Future<Output = Result<T, Failure>>,
    interrupt: impl Future<Output = std::io::Result<()>>,
) -> Result<T, Failure> {
    let done = runtime.block_on(async {
        tokio::select! {
            done = work => done,
            _ = interrupt => Err(Failure::interrupted()),
        }
    });
    // `shutdown_background` does not wait for blocking calls, such as name lookups, that are still in progress.
    runtime.shutdown_background();
    done
}

/// Runs a service, which handles signals itself. After Ctrl-C, does not wait for blocking calls, such as name lookups,
/// that are still in progress. Otherwise, waits for them for a limited time, because a blocked output never completes.
pub(crate) fn run_service<T>(runtime: Runtime, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let done = runtime.block_on(work);
    match done.as_ref().is_err_and(|failure| failure.category() == Category::Interrupted) {
        true => runtime.shutdown_background(),
        false => runtime.shutdown_timeout(BLOCKING_TIMEOUT),
    }
    done
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
    ///
    /// The service then finishes its work. A further interrupt ends the process immediately.
    pub(crate) async fn received(mut self) -> Result<(), Failure> {
        let ended = tokio::select! {
            _ = self.interrupt.recv() => Err(Failure::interrupted()),
            _ = self.terminate.recv() => Ok(()),
        };
        tokio::spawn(async move {
            if self.interrupt.recv().await.is_some() {
                exit();
            }
        });
        ended
    }
}

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for an interrupt, and returns a failure with exit code 130. A further interrupt ends the process
    /// immediately.
    pub(crate) async fn received(self) -> Result<(), Failure> {
        tokio::signal::ctrl_c().await?;
        tokio::spawn(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                exit();
            }
        });
        Err(Failure::interrupted())
    }
}

/// Ends the process with the exit code of an interrupt.
pub(crate) fn exit() -> ! {
    std::process::exit(Category::Interrupted as i32)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// For example, a name lookup is a blocking call. It can take a minute and cannot be cancelled.
    #[test]
    fn blocking_call_does_not_delay_an_interruption() {
        for workers in [0, 1] {
            let (release, released) = mpsc::channel::<()>();
            let (ended, end) = mpsc::channel();
            std::thread::spawn(move || {
                let mut builder = match workers {
                    0 => tokio::runtime::Builder::new_current_thread(),
                    _ => tokio::runtime::Builder::new_multi_thread(),
                };
                let (started, start) = tokio::sync::oneshot::channel();
                let work = async {
                    let lookup = tokio::task::spawn_blocking(move || {
                        let _ = started.send(());
                        let _ = released.recv();
                    });
                    lookup.await.map_err(|error| Failure::new(Category::Unexpected, error))
                };
                let interrupt = async {
                    let _ = start.await;
                    Ok(())
                };
                let done = run_until(builder.enable_all().build().unwrap(), work, interrupt);
                let _ = ended.send(done.map_err(|failure| failure.category()));
            });
            assert_eq!(end.recv_timeout(Duration::from_secs(60)), Ok(Err(Category::Interrupted)), "{workers} workers");
            drop(release);
        }
    }
}
