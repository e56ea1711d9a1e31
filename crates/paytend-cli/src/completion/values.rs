//! Returns the possible values from each source.

use paytend_model::operations;
use paytend_sandbox::scenario::SHIPPED;

use super::Source;
use super::position::Position;
use crate::cmd::sandbox_control::faults::KINDS;
use crate::event_kinds::{ALL, EventKind, add_paths};
use crate::operations::{Target, full_name};
use crate::profiles::{ProfilesFile, names};

/// Returns the values for a position, including values that do not match the current word.
pub(super) fn of(position: &Position<'_>) -> Vec<String> {
    let first = position.positionals.first().copied().unwrap_or_default();
    match position.source {
        Source::Operations => operations().iter().map(full_name).collect(),
        Source::Fields => match Target::find(first) {
            Ok(Target::Known(entry)) => fields(entry.request.fields),
            _ => Vec::new(),
        },
        Source::Events => ALL.iter().map(|kind| kind.name.to_owned()).collect(),
        Source::EventFields => EventKind::find(first).map(|kind| fields(kind.description.fields)).unwrap_or_default(),
        Source::Kinds => {
            ALL.iter().filter_map(|kind| kind.name.split_once('.')).map(|(_, kind)| kind.to_owned()).collect()
        }
        Source::Faults => faults(position.current),
        Source::Scenarios => SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect(),
        Source::Profiles => {
            let file = ProfilesFile::locate().and_then(|file| file.read());
            file.map(|document| names(&document)).unwrap_or_default()
        }
    }
}

/// Returns the paths of fields, each with `=`.
fn fields(fields: &[paytend_model::Field]) -> Vec<String> {
    let mut paths = Vec::new();
    add_paths(fields, "", &mut paths);
    paths.iter().map(|path| format!("{path}=")).collect()
}

/// Returns the completions of the fault that is being typed. Its parts are an operation, a kind and limits, separated
/// by colons.
fn faults(current: &str) -> Vec<String> {
    let mut parts = current.split(':');
    let on = parts.next().unwrap_or_default();
    match (parts.next(), parts.next()) {
        (None, _) => operations().iter().map(|entry| format!("{}:", entry.info.name)).collect(),
        (Some(_), None) => {
            // The user types the duration of kinds such as `late:DURATION`.
            KINDS.iter().map(|kind| format!("{on}:{}", kind.kind.trim_end_matches("DURATION"))).collect()
        }
        _ => {
            let before = current.rsplit_once(':').map_or("", |(before, _)| before);
            ["next", "times=", "percent="].iter().map(|limit| format!("{before}:{limit}")).collect()
        }
    }
}
