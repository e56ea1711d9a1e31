//! Asks questions on the terminal. They are written to standard error, because results are written to standard output.

use std::io::{self, IsTerminal as _, Write as _};

use crate::exit::Failure;
use crate::output::Style;

/// Returns whether the command can ask questions: standard input and standard error are terminals.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a value until it is not empty. An empty answer selects the default, if there is one.
pub(crate) fn ask(question: &str, default: Option<&str>) -> Result<String, Failure> {
    loop {
        let hint = default.map(|default| format!(" [{default}]")).unwrap_or_default();
        let answer = answer(&format!("{question}{hint}: "))?;
        match (answer.is_empty(), default) {
            (false, _) => return Ok(answer),
            (true, Some(default)) => return Ok(default.to_owned()),
            (true, None) => {}
        }
    }
}

/// Asks a question that is answered with `y` or `n`. An empty answer is `n`.
pub(crate) fn confirm(question: &str) -> Result<bool, Failure> {
    let answer = answer(&format!("{question} [y/N]: "))?.to_lowercase();
    Ok(matches!(answer.as_str(), "y" | "yes"))
}

fn answer(question: &str) -> Result<String, Failure> {
    let mut err = io::stderr().lock();
    err.write_all(Style::stderr().bold(question).as_bytes())?;
    err.flush()?;
    let mut line = String::new();
    if io::stdin().read_line(&mut line)? == 0 {
        return Err(Failure::usage("no answer: standard input has ended; pass the values as options"));
    }
    Ok(line.trim().to_owned())
}
