//! What the server and the deliveries share: the partners, their keys and their state.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use paytend_crypto::Keyring;

use crate::state::State;

/// The partners, by identifier.
pub(crate) struct Core {
    partners: BTreeMap<String, Partner>,
}

pub(crate) struct Partner {
    pub(crate) keyring: Keyring,
    state: Mutex<State>,
}

impl Core {
    pub(crate) fn new(partners: BTreeMap<String, Partner>) -> Self {
        Self { partners }
    }

    pub(crate) fn partner(&self, id: &str) -> Option<&Partner> {
        self.partners.get(id)
    }
}

impl Partner {
    pub(crate) fn new(keyring: Keyring, state: State) -> Self {
        Self { keyring, state: Mutex::new(state) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Every change is made at its operation's end, so a panic elsewhere leaves the state whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
