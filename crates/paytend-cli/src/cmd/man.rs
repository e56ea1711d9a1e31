//! `paytend man`: writes the manual pages.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Command};

use crate::exit::{Category, Failure};
use crate::output;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Write a page for each command to this directory. By default, the page of `paytend` is printed
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, mut command: Command) -> Result<(), Failure> {
    command.build();
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        return Ok(io::stdout().lock().write_all(&page)?);
    };
    let unwritten = |error: io::Error| {
        Failure::new(Category::Configuration, format!("cannot write to {}: {error}", folder.display()))
    };
    fs::create_dir_all(folder).map_err(unwritten)?;
    let count = write(command, "", folder).map_err(unwritten)?;
    output::note(format!("{count} manual pages were written to {}", folder.display()));
    Ok(())
}

/// Writes the pages for a command and its subcommands, and returns the number of pages.
fn write(command: Command, parent: &str, folder: &Path) -> io::Result<usize> {
    let name = format!("{parent}{}", command.get_name());
    let children: Vec<Command> = command.get_subcommands().filter(|child| !child.is_hide_set()).cloned().collect();
    let mut page = Vec::new();
    let full = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    clap_mangen::Man::new(command.name(name.clone()).bin_name(full)).render(&mut page)?;
    fs::write(folder.join(format!("{name}.1")), page)?;
    let mut count = 1;
    for child in children {
        count += write(child, &format!("{name}-"), folder)?;
    }
    Ok(count)
}
