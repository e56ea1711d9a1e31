//! `paytend scenario`: runs scenarios against new sandboxes.

use clap::Args as ClapArgs;
use paytend_sandbox::scenario::{SHIPPED, Scenario};
use serde::Serialize;

use crate::exit::{Category, Failure};
use crate::output::{self, Style};

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Scenario files, or names of included scenarios. Without arguments, the included scenarios are listed
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
    let style = Style::stdout();
    for name in &args.scenarios {
        let shipped = SHIPPED.iter().find(|(known, _)| known == name).map(|(_, text)| (*text).to_owned());
        let text = match shipped {
            Some(text) => text,
            None => std::fs::read_to_string(name)
                .map_err(|error| Failure::new(Category::Configuration, format!("cannot read {name}: {error}")))?,
        };
        let scenario = read(name, &text)?;
        if !args.json {
            output::line(&style.bold(&scenario.name))?;
        }
        let mut steps = Vec::new();
        let outcome = runtime.block_on(scenario.run(|step| steps.push(step.to_owned())));
        let error = outcome.err().map(|error| error.to_string());
        if args.json {
            output::json(&Ran {
                name,
                title: &scenario.name,
                passed: error.is_none(),
                steps: &steps,
                error: error.clone(),
            })?;
        } else {
            steps.iter().try_for_each(|step| output::line(&format!("  {} {step}", style.good("ok"))))?;
        }
        if let Some(error) = error {
            return Err(Failure::new(Category::Unexpected, format!("{name}: {error}")));
        }
    }
    Ok(())
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
