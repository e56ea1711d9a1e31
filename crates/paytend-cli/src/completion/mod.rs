//! Completes values that depend on the command line or on files: operations, fields, events, faults, scenarios and
//! profiles.
//!
//! The scripts from `paytend completions` call `paytend complete-values -- WORDS`, which prints one value per line. It
//! prints nothing if the script itself knows the values. `clap_complete` has an engine for this purpose, but it is
//! still unstable.

mod position;
mod values;

use clap::{Arg, Command};

use self::position::Position;
use crate::output;

/// The first argument when a script calls the command. Users do not run this command themselves.
pub(crate) const CALL: &str = "complete-values";

/// The source of an argument's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The names of operations.
    Operations,
    /// The fields of the operation on the command line, each with `=`.
    Fields,
    /// The names of events.
    Events,
    /// The fields of the event on the command line, each with `=`.
    EventFields,
    /// The kinds of notifications.
    Kinds,
    /// Faults such as `topup:resetAfter:next`.
    Faults,
    /// The included scenarios.
    Scenarios,
    /// The profiles in the user's file.
    Profiles,
}

/// Returns the source of the values for a command's argument, if it has one. `path` is the command without `paytend`.
pub(crate) fn source(path: &[&str], argument: &Arg) -> Option<Source> {
    Some(match (path.first().copied()?, argument.get_id().as_str()) {
        (_, "profile") => Source::Profiles,
        ("call" | "pages", "field" | "file") => Source::Fields,
        ("call" | "pages" | "seal" | "outbox", "operation") | ("endpoints", "name") => Source::Operations,
        ("trigger", "event") => Source::Events,
        ("trigger", "set") => Source::EventFields,
        ("listen", "only") | ("events" | "inbox", "kind" | "kinds") => Source::Kinds,
        ("sandbox" | "control", "fault") => Source::Faults,
        ("sandbox" | "scenario", "scenarios") => Source::Scenarios,
        _ => return None,
    })
}

/// Prints the values for the last word of a command line. Errors are not reported, because they would disturb the
/// command line that the user is editing.
pub(crate) fn print(mut command: Command, words: &[String]) {
    command.build();
    let Some(position) = Position::of(&command, words) else { return };
    for value in values::of(&position) {
        if value.starts_with(position.current) && output::line(&format!("{}{value}", position.prefix)).is_err() {
            return;
        }
    }
}
