//! `paytend completions`: prints the completion script of a shell.

use std::io;

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
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    Ok(io::Write::write_all(&mut io::stdout().lock(), &script)?)
}
