//! `paytend scenario`: runs scenarios against new sandboxes.

use std::path::Path;

use clap::Args as ClapArgs;
use paytend_sandbox::scenario::{SHIPPED, Scenario};
use serde::Serialize;

use crate::exit::{Category, Failure};
use crate::inputs::Inputs;
use crate::output::{self, Style};

/// The maximum size of a scenario file, in bytes.
const MAX_SCENARIO: usize = 4 << 20;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Scenario files, `-` for standard input, or names of included scenarios. Without arguments, the included
    /// scenarios are listed
    scenarios: Vec<String>,
    /// Print JSON, one line for each scenario
    #[arg(long)]
    json: bool,
}

/// An included scenario. `schemas/scenario-list.json` describes the members.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    title: &'a str,
}

/// The result of a scenario. `schemas/scenario-run.json` describes the members.
#[derive(Serialize)]
struct Ran<'a> {
    name: &'a str,
    title: &'a str,
    passed: bool,
    /// The names of the steps that have passed.
    steps: &'a [String],
    error: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if args.scenarios.is_empty() {
        return list(args.json);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // If the output cannot be written, the scenarios still run. The first failure to write is returned only if no
    // scenario fails.
    let mut printed: Result<(), Failure> = Ok(());
    let mut inputs = Inputs::default();
    for name in &args.scenarios {
        let shipped = SHIPPED.iter().find(|(known, _)| known == name).map(|(_, text)| (*text).to_owned());
        let text = match shipped {
            Some(text) => text,
            None => text_of(name, &mut inputs)?,
        };
        let scenario = read(name, &text)?;
        if !args.json {
            printed = printed.and_then(|()| Ok(output::line(&Style::stdout().bold(&scenario.name))?));
        }
        let mut steps = Vec::new();
        let outcome = runtime.block_on(scenario.run(|step| steps.push(step.to_owned())));
        let error = outcome.err().map(|error| error.to_string());
        let ran = Ran { name, title: &scenario.name, passed: error.is_none(), steps: &steps, error: error.clone() };
        printed = printed.and_then(|()| ran.print(args.json));
        if let Some(error) = error {
            return Err(Failure::new(Category::Unexpected, format!("{name}: {error}")));
        }
    }
    printed
}

/// Returns the text of a scenario file, or of standard input for `-`.
fn text_of(name: &str, inputs: &mut Inputs) -> Result<String, Failure> {
    let text = inputs.read(Path::new(name), "SCENARIOS", MAX_SCENARIO)?;
    String::from_utf8(text.to_vec())
        .map_err(|_| Failure::new(Category::Configuration, format!("{name} is not valid UTF-8")))
}

impl Ran<'_> {
    fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            return output::json(self);
        }
        let ok = Style::stdout().good("ok");
        Ok(self.steps.iter().try_for_each(|step| output::line(&format!("  {ok} {step}")))?)
    }
}

pub(crate) fn list(json: bool) -> Result<(), Failure> {
    for (name, text) in SHIPPED {
        let scenario = read(name, text)?;
        match json {
            true => output::json(&Listed { name, title: &scenario.name })?,
            false => output::line(&format!("{name:<20} {}", scenario.name))?,
        }
    }
    Ok(())
}

fn read(name: &str, text: &str) -> Result<Scenario, Failure> {
    Scenario::read(text).map_err(|error| Failure::new(Category::Configuration, format!("{name}: {error}")))
}
