//! The output of the demo: text, or one JSON object per line.

use std::io::{self, IsTerminal as _, Write as _};

use serde_json::{Map, Value};

use crate::exit::{Category, Failure};
use crate::output::{Style, line};

/// The maximum width of a line of text, in characters.
const WIDTH: usize = 100;
/// The width of the column that contains the titles of the steps, in characters.
const TITLE: usize = 42;
/// The column in which the results start.
const RESULT: usize = 6 + TITLE + 2;

/// The output of the demo, written while its steps run.
pub(super) struct Report {
    json: bool,
    style: Style,
    /// Whether a step is shown before it ends.
    is_live: bool,
    steps: usize,
    step: Option<(&'static str, String)>,
    facts: Map<String, Value>,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let is_live = !json && !is_dumb && io::stdout().is_terminal();
        Self { json, style: Style::stdout(), is_live, steps: 0, step: None, facts: Map::new() }
    }

    /// Writes text that only human readers see. It is left out of the JSON output.
    pub(super) fn text(&self, text: &str) -> Result<(), Failure> {
        if self.json { Ok(()) } else { Ok(line(text)?) }
    }

    /// Starts a section, which groups several steps.
    pub(super) fn section(&self, title: &str) -> Result<(), Failure> {
        self.text(&format!("\n{}", self.style.bold(title)))
    }

    /// Starts a step.
    pub(super) fn begin(&mut self, step: &'static str, title: &str) -> Result<(), Failure> {
        self.step = Some((step, title.to_owned()));
        self.steps += 1;
        self.facts.clear();
        self.facts.insert("title".into(), title.into());
        if self.is_live {
            let mut out = io::stdout().lock();
            write!(out, "  ..  {title}")?;
            out.flush()?;
        }
        Ok(())
    }

    /// Adds a named value to the JSON of the current step.
    pub(super) fn fact(&mut self, name: &'static str, value: impl Into<Value>) {
        self.facts.insert(name.into(), value.into());
    }

    /// Adds a document to the JSON of the current step, exactly as it was sent.
    pub(super) fn wire(&mut self, name: &'static str, document: &str) {
        let value = serde_json::from_str(document).unwrap_or_else(|_| Value::from(document));
        self.fact(name, value);
    }

    /// Marks the current step as passed. `result` describes the result in one sentence.
    pub(super) fn end(&mut self, result: &str) -> Result<(), Failure> {
        let Some((step, title)) = self.step.take() else { return Ok(()) };
        if self.json {
            self.facts.insert("result".into(), result.into());
            return self.object(step, true);
        }
        let mut rest = wrapped(result, WIDTH - RESULT).into_iter();
        let first = self.style.dim(&rest.next().unwrap_or_default());
        // The new line overwrites the text that was shown while the step was running, and is at least as long as that
        // text.
        let start = if self.is_live { "\r" } else { "" };
        line(&format!("{start}  {}  {title:<TITLE$}  {first}", self.style.good("ok")))?;
        for more in rest {
            line(&format!("{:RESULT$}{}", "", self.style.dim(&more)))?;
        }
        Ok(())
    }

    /// Ends the output with the result of the demo. After a failure, the current step is reported as failed.
    pub(super) fn done(mut self, outcome: Result<(), Failure>) -> Result<(), Failure> {
        let Err(failure) = outcome else {
            if self.json {
                self.facts.clear();
                self.facts.insert("steps".into(), self.steps.into());
                return self.object("done", true);
            }
            let summary = format!("All {} steps passed.", self.steps);
            line(&format!("\n{}", self.style.good(&summary)))?;
            line("Show every message:  paytend demo --json")?;
            return Ok(line("Run a sandbox:       paytend sandbox --keys keys")?);
        };
        let step = self.step.take();
        if failure.category() == Category::Interrupted {
            if self.is_live {
                line("")?;
            }
        } else if self.json {
            for step in step.map(|(step, _)| step).into_iter().chain(["done"]) {
                self.facts.insert("error".into(), failure.message().into());
                self.facts.insert("exitCode".into(), (failure.category() as u8).into());
                self.object(step, false)?;
                self.facts.clear();
            }
        } else if let Some((_, title)) = step {
            let start = if self.is_live { "\r" } else { "" };
            line(&format!("{start}  {}  {title}", self.style.bad("failed")))?;
        }
        Err(failure)
    }

    /// Writes one line of JSON. `step` and `ok` come first, so that the lines are easier to read.
    fn object(&mut self, step: &str, ok: bool) -> Result<(), Failure> {
        let facts = Value::from(std::mem::take(&mut self.facts)).to_string();
        let rest = if facts == "{}" { "}" } else { &format!(",{}", &facts[1..]) };
        Ok(line(&format!(r#"{{"step":{},"ok":{ok}{rest}"#, Value::from(step)))?)
    }
}

/// Splits a text into lines at spaces. A word that is too long for a line gets its own line.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(last) if last.chars().count() + 1 + word.chars().count() <= width => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn text_is_broken_at_spaces() {
        assert_eq!(wrapped("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(wrapped("ąčę ė", 5), ["ąčę ė"]);
        assert_eq!(wrapped("toolong a", 3), ["toolong", "a"]);
        assert_eq!(wrapped("", 3), [""]);
    }
}
