//! The format of the stored messages.

use async_nats::jetstream::message::PublishMessage;
use paytend_inbox::StoreError;

use crate::error::configuration;
use crate::streams::{Log, Streams, Written};

/// The format that this program writes. It is increased if older programs must not use a store with the new format.
const FORMAT: u64 = 1;
/// The maximum number of times that the format is read, if different programs change it at the same time.
const ROUNDS: usize = 5;

/// Refuses a store in a newer format, and records the format of a new store.
///
/// # Errors
/// Returns [`StoreError`] if the format is newer or cannot be read, or if the servers do not respond.
pub(crate) async fn check(streams: &Streams) -> Result<(), StoreError> {
    let subject = streams.names.meta("format");
    for _ in 0..ROUNDS {
        if let Some(stored) = streams.last(Log::Work, &subject).await? {
            return match problem(&stored.payload) {
                Some(problem) => Err(configuration(problem)),
                None => Ok(()),
            };
        }
        let message = PublishMessage::build().payload(FORMAT.to_string().into());
        if let Written::At(_) = streams.put(Log::Work, &subject, message, 0).await? {
            return Ok(());
        }
    }
    Err(StoreError::unavailable("cannot read the format of the store"))
}

fn problem(stored: &[u8]) -> Option<String> {
    match serde_json::from_slice::<u64>(stored) {
        Ok(format) if format <= FORMAT => None,
        Ok(format) => {
            Some(format!("the store has format {format}, and this program knows {FORMAT}: use a newer version"))
        }
        Err(_) => Some("the format of the store cannot be read: use a newer version".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_formats_are_refused() {
        assert_eq!(problem(b"1"), None);
        assert_eq!(problem(b"2").unwrap(), "the store has format 2, and this program knows 1: use a newer version");
        assert!(problem(b"nonsense").is_some() && problem(b"").is_some() && problem(b"-1").is_some());
    }
}
