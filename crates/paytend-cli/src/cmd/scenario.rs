//! `paytend scenario`: runs scenarios against new sandboxes.

use clap::Args as ClapArgs;
use paytend_sandbox::scenario::{SHIPPED, Scenario};

use crate::exit::{Category, Failure};
use crate::output::{self, Style};

#[derive(ClapArgs, Default)]
pub(crate) struct Args {
    /// Scenario files, or names of included scenarios; if none are given, the included scenarios are listed
    scenarios: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if args.scenarios.is_empty() {
        for (name, text) in SHIPPED {
            output::line(&format!("{name:<20} {}", read(name, text)?.name))?;
        }
        return Ok(());
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
        output::line(&style.bold(&scenario.name))?;
        let mut lines = Vec::new();
        let outcome = runtime.block_on(scenario.run(|step| lines.push(step.to_owned())));
        for step in lines {
            output::line(&format!("  {} {step}", style.good("ok")))?;
        }
        outcome.map_err(|error| Failure::new(Category::Unexpected, format!("{name}: {error}")))?;
    }
    Ok(())
}

fn read(name: &str, text: &str) -> Result<Scenario, Failure> {
    Scenario::read(text).map_err(|error| Failure::new(Category::Configuration, format!("{name}: {error}")))
}
