//! The limits on open connections.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use paytend_webhook::{Source, Sources};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The maximum number of open connections.
pub(crate) const MAX: usize = 1024;
/// The maximum number of open connections from unlisted addresses, if there is a list.
pub(crate) const MAX_UNLISTED: usize = MAX / 2;

/// Limits the open connections of a server. If there is a list of addresses, connections from other addresses can use
/// only half of the slots.
pub(crate) struct Connections {
    listed: Option<Sources>,
    slots: Arc<Semaphore>,
    unlisted: Arc<Semaphore>,
}

/// Holds a slot for one open connection. Dropping it frees the slot.
pub(crate) struct Slot {
    _slot: OwnedSemaphorePermit,
    _unlisted: Option<OwnedSemaphorePermit>,
}

impl Connections {
    pub(crate) fn new(listed: Option<Sources>) -> Self {
        let [slots, unlisted] = [MAX, MAX_UNLISTED].map(|count| Arc::new(Semaphore::new(count)));
        Self { listed, slots, unlisted }
    }

    /// Waits for a free slot. Returns `None` if the address is unlisted and all slots for unlisted addresses are in
    /// use.
    pub(crate) async fn slot(&self, peer: IpAddr) -> Option<Slot> {
        let is_listed = |listed: &Sources| listed.source(Some(peer), &HeaderMap::new()) == Source::Listed;
        let unlisted = match self.listed.as_ref().is_none_or(is_listed) {
            true => None,
            false => Some(Arc::clone(&self.unlisted).try_acquire_owned().ok()?),
        };
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        Some(Slot { _slot: slot, _unlisted: unlisted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn unlisted_addresses_cannot_use_all_slots() {
        let listed = IpAddr::from([203, 0, 113, 7]);
        let connections = Connections::new(Some(Sources::new().allow(["203.0.113.0/24"]).unwrap()));
        let mut open = Vec::new();
        for number in 0..=MAX_UNLISTED {
            let slot = connections.slot(IpAddr::from([198, 51, 100, u8::try_from(number % 250).unwrap()])).await;
            assert_eq!(slot.is_some(), number < MAX_UNLISTED);
            open.extend(slot);
        }
        for _ in MAX_UNLISTED..MAX {
            open.push(connections.slot(listed).await.unwrap());
        }
        // All slots are in use, so even a listed address has to wait.
        tokio::select! {
            biased;
            _ = connections.slot(listed) => panic!("there are more than {MAX} slots"),
            () = std::future::ready(()) => {}
        }
        open.truncate(MAX_UNLISTED - 1);
        assert!(connections.slot(IpAddr::from([198, 51, 100, 7])).await.is_some());
    }

    #[tokio::test]
    async fn every_address_can_use_all_slots_if_there_is_no_list() {
        let connections = Connections::new(None);
        let mut open = Vec::new();
        for _ in 0..MAX {
            open.push(connections.slot(IpAddr::from([198, 51, 100, 7])).await.unwrap());
        }
    }
}
