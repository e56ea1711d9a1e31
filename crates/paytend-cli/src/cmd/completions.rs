//! `paytend completions`: prints the completion script of a shell.

use std::io::{self, Write as _};

use clap::{Args as ClapArgs, Command};
use clap_complete::Shell;

use crate::exit::Failure;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args, mut command: Command) -> Result<(), Failure> {
    let name = command.get_name().to_owned();
    let values = match args.shell {
        Shell::Fish => fish_values(&command, &[]),
        _ => String::new(),
    };
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    script.extend_from_slice(values.as_bytes());
    Ok(io::stdout().lock().write_all(&script)?)
}

/// Returns the completions of the values of arguments for fish. The generator writes only the values of options.
fn fish_values(command: &Command, path: &[&str]) -> String {
    let mut lines = String::new();
    let values: Vec<String> = command
        .get_positionals()
        .flat_map(|argument| argument.get_possible_values())
        .map(|value| value.get_name().to_owned())
        .filter(|value| value.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)))
        .collect();
    if !values.is_empty() && !path.is_empty() {
        let used: Vec<String> = path.iter().map(|name| format!("__fish_seen_subcommand_from {name}")).collect();
        lines = format!("complete -c paytend -n \"{}\" -f -a \"{}\"\n", used.join("; and "), values.join(" "));
    }
    for child in command.get_subcommands() {
        lines.push_str(&fish_values(child, &[path, &[child.get_name()]].concat()));
    }
    lines
}
