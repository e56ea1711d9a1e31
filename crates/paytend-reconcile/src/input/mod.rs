//! The inputs of a comparison, which can be created from the typed payloads in `paytend-model`.

mod notifications;
mod orders;
mod provider;

pub use notifications::Notifications;
pub use orders::{OrderError, OrderRecord, OrderStatus, Orders};
pub use provider::Provider;

use paytend_model::Extra;

use crate::entry::Entry;

/// Returns the text, or `None` if it is empty. The provider sends an empty string for an absent value.
fn set(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Adds to `entry.unreadable` the names of the fields that the payload contains but that could not be read.
fn note_unreadable(entry: &mut Entry, extra: &Extra, fields: &[&str]) {
    let unread = extra.iter().filter(|(name, json)| fields.contains(name) && !matches!(*json, "null" | "\"\""));
    entry.unreadable.extend(unread.map(|(name, _)| name.to_owned()));
}
