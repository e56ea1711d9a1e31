//! A command that runs on a pseudo-terminal, for tests of prompts and colours.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A command that runs on a pseudo-terminal, and is killed on drop.
pub(crate) struct Terminal {
    child: Child,
    master: File,
    shown: Arc<Mutex<String>>,
}

impl Terminal {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with(command.env_remove("NO_COLOR"), "TERM", "xterm")
    }

    /// Starts the command with an additional environment variable.
    pub(crate) fn start_with(command: &mut Command, name: &str, value: &str) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        let slave = OpenOptions::new().read(true).write(true).open(path.to_str().unwrap()).unwrap();
        let clone = || slave.try_clone().unwrap();
        let child = command.env("TERM", "xterm").env(name, value);
        let child = child.stdin(clone()).stdout(clone()).stderr(clone()).spawn().unwrap();
        let master = File::from(master);
        let shown = Arc::new(Mutex::new(String::new()));
        let (mut reader, to) = (master.try_clone().unwrap(), shown.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // On some systems, reading fails after the command has exited.
            while let Ok(count) = reader.read(&mut buffer) {
                if count == 0 {
                    break;
                }
                to.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        Self { child, master, shown }
    }

    /// Waits until the terminal shows a text.
    pub(crate) fn expect(&self, text: &str) {
        let start = Instant::now();
        while !self.shown().contains(text) {
            assert!(start.elapsed() < Duration::from_secs(60), "`{text}` is not shown: {}", self.shown());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn shown(&self) -> String {
        self.shown.lock().unwrap().clone()
    }

    pub(crate) fn type_line(&mut self, text: &str) {
        self.type_text(&format!("{text}\n"));
    }

    pub(crate) fn type_text(&mut self, text: &str) {
        self.type_bytes(text.as_bytes());
    }

    pub(crate) fn type_bytes(&mut self, bytes: &[u8]) {
        self.master.write_all(bytes).unwrap();
    }

    /// Waits until the command exits, and returns its exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
