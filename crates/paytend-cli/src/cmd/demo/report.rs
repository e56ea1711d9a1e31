//! The output of the demo: text, or one JSON object per line.

use serde_json::{Map, Value};

use crate::exit::Failure;
use crate::output::{Style, line};

/// The maximum length of a document in the text output, in characters.
const MAX_SHOWN: usize = 150;

/// The output of the demo, written while its steps run.
pub(crate) struct Report {
    json: bool,
    style: Style,
    steps: usize,
    step: Option<&'static str>,
    facts: Map<String, Value>,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, style: Style::stdout(), steps: 0, step: None, facts: Map::new() }
    }

    /// Starts a step.
    pub(crate) fn begin(&mut self, step: &'static str, title: &str) -> Result<(), Failure> {
        self.step = Some(step);
        self.steps += 1;
        if self.json {
            self.facts.clear();
            self.facts.insert("title".into(), title.into());
            return Ok(());
        }
        Ok(line(&format!("\n{} {title}", self.style.bold(&format!("{:>2}. {step}:", self.steps))))?)
    }

    /// Reports a named value for the current step.
    pub(crate) fn fact(&mut self, name: &'static str, value: impl Into<Value>) -> Result<(), Failure> {
        let value = value.into();
        if self.json {
            self.facts.insert(name.into(), value);
            return Ok(());
        }
        let shown = match &value {
            Value::String(text) => text.clone(),
            Value::Object(members) => {
                members.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect::<Vec<_>>().join(", ")
            }
            other => other.to_string(),
        };
        self.detail(name, &shown)
    }

    /// Reports an encrypted document. The text output shortens it.
    pub(crate) fn wire(&mut self, name: &'static str, document: &str) -> Result<(), Failure> {
        if self.json {
            let value: Value = serde_json::from_str(document).unwrap_or_else(|_| document.into());
            return self.fact(name, value);
        }
        let mut shown: String = document.chars().take(MAX_SHOWN).collect();
        if shown.len() < document.len() {
            shown.push('…');
        }
        let label = format!("wire {name}");
        self.detail(&label, &self.style.dim(&format!("{shown} ({} bytes)", document.len())))
    }

    fn detail(&self, name: &str, text: &str) -> Result<(), Failure> {
        Ok(line(&format!("    {name:<18} {text}"))?)
    }

    /// Ends the current step and reports it as passed.
    pub(crate) fn end(&mut self) -> Result<(), Failure> {
        let Some(step) = self.step.take() else { return Ok(()) };
        if self.json { self.object(step, true) } else { Ok(line(&format!("    {}", self.style.good("ok")))?) }
    }

    /// Ends the output with the result of the demo. After a failure, the current step is reported as failed.
    pub(crate) fn done(mut self, outcome: Result<(), Failure>) -> Result<(), Failure> {
        let Err(failure) = outcome else {
            if self.json {
                self.facts.clear();
                self.facts.insert("steps".into(), self.steps.into());
                return self.object("done", true);
            }
            let summary = format!("All {} steps passed.", self.steps);
            return Ok(line(&format!("\n{}", self.style.good(&summary)))?);
        };
        if self.json {
            for step in self.step.take().into_iter().chain(["done"]) {
                self.facts.insert("error".into(), failure.message().into());
                self.facts.insert("exitCode".into(), (failure.category() as u8).into());
                self.object(step, false)?;
                self.facts.clear();
            }
        } else {
            line(&format!("    {}", self.style.bad("failed")))?;
        }
        Err(failure)
    }

    /// Writes one line of JSON. `step` and `ok` come first, which makes the lines easier to read.
    fn object(&mut self, step: &str, ok: bool) -> Result<(), Failure> {
        let facts = Value::from(std::mem::take(&mut self.facts)).to_string();
        let rest = if facts == "{}" { "}" } else { &format!(",{}", &facts[1..]) };
        Ok(line(&format!(r#"{{"step":{},"ok":{ok}{rest}"#, Value::from(step)))?)
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
