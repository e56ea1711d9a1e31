//! Writes to standard output and standard error. Colours are used only on terminals, and a closed pipe does not cause
//! a panic.

use std::io::{self, IsTerminal, Write};

/// Writes a line to standard output.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Writes an error to standard error. A failure to write is ignored.
pub(crate) fn error(message: &str) {
    let style = Style::for_terminal(io::stderr().is_terminal());
    let _ = writeln!(io::stderr(), "{} {message}", style.bad("error:"));
}

/// Writes a warning to standard error. A failure to write is ignored.
pub(crate) fn warn(message: impl std::fmt::Display) {
    let style = Style::for_terminal(io::stderr().is_terminal());
    let _ = writeln!(io::stderr(), "{} {message}", style.bold("warning:"));
}

/// Text styles, which have no effect if colours are off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    coloured: bool,
}

impl Style {
    pub(crate) fn stdout() -> Self {
        Self::for_terminal(io::stdout().is_terminal())
    }

    /// Creates the style for a terminal. A non-empty `NO_COLOR` turns colours off; see <https://no-color.org>.
    fn for_terminal(is_terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self { coloured: is_terminal && !refused && !dumb }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.coloured { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
