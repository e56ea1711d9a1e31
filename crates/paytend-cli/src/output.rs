//! Writes to standard output and standard error. Colours are used only on terminals, and a closed pipe does not cause
//! a panic.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use clap::ColorChoice;
use serde::Serialize;

use crate::exit::{Category, Failure};

/// The value of the `--color` option.
static COLORS: OnceLock<ColorChoice> = OnceLock::new();

/// Sets when colours are used.
pub(crate) fn set_colors(choice: ColorChoice) {
    let _ = COLORS.set(choice);
}

/// Writes a line to standard output.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Writes a value to standard output, as one line of JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::new(Category::Unexpected, error))?;
    Ok(json_line(&text)?)
}

/// Writes JSON to standard output, as one line.
pub(crate) fn json_line(text: &str) -> io::Result<()> {
    line(&escaped(text))
}

/// Escapes the control characters that JSON allows in strings without an escape, so that they do not reach the
/// terminal.
fn escaped(json: &str) -> Cow<'_, str> {
    let is_control = |c| ('\u{7f}'..='\u{9f}').contains(&c);
    if !json.contains(is_control) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_control(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Replaces characters that can control the terminal, or change the direction of the text, by `?`. Use this function
/// for texts that come from a sender or a server.
pub(crate) fn visible(text: &str) -> String {
    let is_direction =
        |c| matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || is_direction(c) { '?' } else { c }).collect()
}

/// Like [`visible`], but keeps the line breaks of a message.
fn visible_lines(message: impl std::fmt::Display) -> String {
    message.to_string().split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// Writes the result of a command to standard output: as one line of JSON, or as text.
pub(crate) fn result(as_json: bool, value: &impl Serialize, text: &str) -> Result<(), Failure> {
    if as_json { json(value) } else { Ok(line(text)?) }
}

/// Writes JSON to standard output, indented on a terminal and unchanged otherwise. Numbers are printed exactly as
/// received.
pub(crate) fn json_text(text: &str) -> io::Result<()> {
    if io::stdout().is_terminal() { line(&indented(text)) } else { line(text) }
}

/// Indents valid JSON.
fn indented(text: &str) -> String {
    let (mut out, mut depth, mut in_string, mut escaped) = (String::new(), 0usize, false, false);
    let mut rest = text.trim().chars().filter(|c| *c != '\n' && *c != '\r').peekable();
    while let Some(c) = rest.next() {
        if in_string {
            // JSON strings may contain control characters such as U+007F, which must not reach the terminal.
            match c.is_control() {
                true => out.push_str(&format!("\\u{:04x}", u32::from(c))),
                false => out.push(c),
            }
            in_string = c != '"' || escaped;
            escaped = c == '\\' && !escaped;
            continue;
        }
        let newline = |out: &mut String, depth: usize| {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", depth));
        };
        match c {
            '"' => {
                in_string = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                while rest.next_if(|c| c.is_whitespace()).is_some() {}
                match rest.next_if(|c| matches!(c, '}' | ']')) {
                    Some(end) => out.push(end),
                    None => {
                        depth += 1;
                        newline(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                newline(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                newline(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

/// Writes a note to standard error. A failure to write is ignored.
pub(crate) fn note(message: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{}", visible_lines(message));
}

/// Writes the next step after an error to standard error. A failure to write is ignored.
pub(crate) fn hint(message: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{} {}", Style::stderr().bold("hint:"), visible_lines(message));
}

/// Writes an error to standard error. A failure to write is ignored.
pub(crate) fn error(message: &str) {
    let style = Style::stderr();
    let _ = writeln!(io::stderr(), "{} {}", style.bad("error:"), visible_lines(message));
}

/// Writes a warning to standard error. A failure to write is ignored.
pub(crate) fn warn(message: impl std::fmt::Display) {
    let style = Style::stderr();
    let _ = writeln!(io::stderr(), "{} {}", style.bold("warning:"), visible_lines(message));
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

    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { coloured: false }
    }

    pub(crate) fn stderr() -> Self {
        Self::for_terminal(io::stderr().is_terminal())
    }

    /// Creates the style for an output. `--color` overrides the default, which uses colours on a terminal. A non-empty
    /// `NO_COLOR` turns colours off; see <https://no-color.org>.
    fn for_terminal(is_terminal: bool) -> Self {
        match COLORS.get() {
            Some(ColorChoice::Always) => return Self { coloured: true },
            Some(ColorChoice::Never) => return Self { coloured: false },
            _ => {}
        }
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self { coloured: is_terminal && !refused && !dumb }
    }

    /// Returns whether text is coloured.
    pub(crate) fn is_coloured(self) -> bool {
        self.coloured
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

#[cfg(test)]
mod tests {
    use super::{escaped, indented, visible, visible_lines};

    #[test]
    fn json_is_indented_and_keeps_its_digits() {
        let text = r#"{"a":1.10,"b":[],"c":[{"d":"x, \"{y}\\"}, -0.0e+5],"e":{ }}"#;
        let expected = [
            "{",
            "  \"a\": 1.10,",
            "  \"b\": [],",
            "  \"c\": [",
            "    {",
            r#"      "d": "x, \"{y}\\""#,
            "    },",
            "    -0.0e+5",
            "  ],",
            "  \"e\": {}",
            "}",
        ];
        let expected = expected.join("\n");
        assert_eq!(indented(text), expected);
        assert_eq!(indented("{}"), "{}");
        assert_eq!(indented("\"\u{9b}31m\u{7f}\""), r#""\u009b31m\u007f""#);
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let json = serde_json::to_string("\u{1b}[31m \u{9b}31m\u{7f} ž").unwrap();
        assert_eq!(escaped(&json), r#""\u001b[31m \u009b31m\u007f ž""#);
        assert_eq!(visible("\u{1b}[31m \u{9b}31m\r\n \u{202e}abc\u{2066} ž\u{7f}"), "?[31m ?31m?? ?abc? ž?");
        assert_eq!(visible_lines("one\ntwo\u{1b}c\r"), "one\ntwo?c?");
    }
}
