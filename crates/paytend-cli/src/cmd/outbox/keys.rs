//! Finds the keys that are needed for stored orders but missing from the key file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use paytend_inbox::StoreKeys;
use paytend_outbox::OrderStats;

use crate::cmd::inbox::store::StoreArgs;
use crate::exit::Failure;
use crate::output;

/// The option that contains the path of the key file.
#[derive(Args)]
pub(crate) struct KeyArgs {
    /// The store's key file, which is used to find orders whose key is missing. For an SQLite store, the default is the
    /// file next to it
    #[arg(long, value_name = "FILE")]
    store_key: Option<PathBuf>,
}

impl KeyArgs {
    /// Returns the IDs of the payload keys that are missing from the key file, each with the number of open orders that
    /// need the key. Returns `None` if there is no readable key file next to the store. If `--store-key` names the
    /// file, an unreadable file is an error.
    pub(crate) fn missing(&self, store: &StoreArgs, stats: &OrderStats) -> Result<Option<BTreeMap<u32, u64>>, Failure> {
        let keys = match (&self.store_key, store.key_file().filter(|file| file.exists())) {
            (Some(file), _) => StoreKeys::load(file)?,
            (None, None) => return Ok(None),
            (None, Some(file)) => match StoreKeys::load(file) {
                Ok(keys) => keys,
                Err(error) => {
                    output::note(format!("the payload keys are not checked: {error}"));
                    return Ok(None);
                }
            },
        };
        let is_missing = |key: &u32| !keys.payload_key_ids().any(|known| known == *key);
        Ok(Some(stats.open_by_key.clone().into_iter().filter(|(key, _)| is_missing(key)).collect()))
    }
}
