//! Finds the argument that is being completed.

use clap::{Arg, Command};

use super::{Source, source};

/// The last word of a command line, and the argument that it belongs to.
pub(super) struct Position<'w> {
    pub(super) source: Source,
    /// The part of the word that contains the value.
    pub(super) current: &'w str,
    /// The part of the word before the value, such as `--profile=`.
    pub(super) prefix: &'w str,
    /// The words that do not belong to an option.
    pub(super) positionals: Vec<&'w str>,
}

impl<'w> Position<'w> {
    /// Finds the argument that the last word belongs to. Returns `None` if there is no such argument or its values are
    /// not known.
    pub(super) fn of(root: &Command, words: &'w [String]) -> Option<Self> {
        let (last, before) = words.split_last()?;
        let (mut command, mut path, mut positionals) = (root, Vec::new(), Vec::new());
        let mut pending: Option<&Arg> = None;
        for word in before.iter().skip(1).map(String::as_str) {
            if pending.take().is_some() {
                continue;
            }
            if word.len() > 1 && word.starts_with('-') {
                pending = option(command, word).filter(|option| takes_value(option) && !word.contains('='));
            } else if let Some(child) = command.find_subcommand(word).filter(|_| positionals.is_empty()) {
                command = child;
                path.push(child.get_name());
            } else {
                positionals.push(word);
            }
        }
        let (argument, current, prefix) = match (pending, last.split_once('=')) {
            (Some(argument), _) => (argument, last.as_str(), ""),
            (None, Some((name, value))) if name.starts_with("--") => {
                (option(command, name)?, value, last.get(..=name.len())?)
            }
            (None, _) if last.starts_with('-') => return None,
            (None, _) => {
                let all: Vec<&Arg> = command.get_positionals().collect();
                // If the last positional argument can be repeated, all further words belong to it.
                (
                    *all.get(positionals.len()).or_else(|| all.last().filter(|last| is_repeated(last)))?,
                    last.as_str(),
                    "",
                )
            }
        };
        Some(Self { source: source(&path, argument)?, current, prefix, positionals })
    }
}

/// Returns the option that a word such as `--profile`, `--profile=x` or `-f` names.
fn option<'c>(command: &'c Command, word: &str) -> Option<&'c Arg> {
    let long = word.strip_prefix("--").map(|name| name.split('=').next().unwrap_or_default());
    command.get_arguments().find(|argument| match long {
        Some(long) => argument.get_long() == Some(long),
        None => argument.get_short() == word.chars().nth(1) && word.chars().count() == 2,
    })
}

fn takes_value(option: &Arg) -> bool {
    option.get_num_args().is_some_and(|range| range.takes_values())
}

fn is_repeated(argument: &Arg) -> bool {
    argument.get_num_args().is_some_and(|range| range.max_values() > 1)
}
