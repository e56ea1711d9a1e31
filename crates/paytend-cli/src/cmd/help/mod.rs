//! `paytend help`: prints the help for a command, or explains errors.

mod errors;

use clap::{Args as ClapArgs, Command};

use crate::exit::Failure;
use crate::output;
use crate::suggest;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// A command, or `errors` for the exit codes and the kinds of errors
    #[arg(value_name = "COMMAND")]
    topic: Vec<String>,
    /// Print the exit codes and the kinds of errors as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, mut command: Command) -> Result<(), Failure> {
    match args.topic.as_slice() {
        [topic] if topic == "errors" => return errors::print(args.json),
        _ if args.json => return Err(Failure::usage("--json applies to `paytend help errors`")),
        _ => {}
    }
    check(&args.topic, &command)?;
    let words = ["paytend"].into_iter().chain(args.topic.iter().map(String::as_str)).chain(["--help"]);
    let Err(help) = command.try_get_matches_from_mut(words) else { return Ok(()) };
    let help = help.render();
    let text = if output::Style::stdout().is_coloured() { help.ansi().to_string() } else { help.to_string() };
    Ok(output::line(text.trim_end())?)
}

/// Checks that the command exists.
fn check(topic: &[String], mut command: &Command) -> Result<(), Failure> {
    for name in topic {
        let names = command.get_subcommands().map(Command::get_name).chain(["errors"]);
        command = command.find_subcommand(name).ok_or_else(|| {
            let hint = suggest::did_you_mean(name, names);
            let hint = hint.unwrap_or_else(|| "run `paytend help` for a list".to_owned());
            Failure::usage(format!("there is no command `{name}`: {hint}"))
        })?;
    }
    Ok(())
}
