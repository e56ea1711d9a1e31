//! The orders whose payload key is missing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use paytend_inbox::StoreKeys;
use paytend_outbox::OrderStats;

use crate::cmd::inbox::store::StoreArgs;
use crate::exit::Failure;

/// The option that names the key file.
#[derive(Args)]
pub(crate) struct KeyArgs {
    /// The key file of the store, to find orders whose key is missing; the default is the file beside an SQLite store
    #[arg(long, value_name = "FILE")]
    store_key: Option<PathBuf>,
}

impl KeyArgs {
    /// Returns the missing payload keys, each with the number of open orders that wait for it, or `None` if there is no
    /// key file to compare with.
    pub(crate) fn missing(&self, store: &StoreArgs, stats: &OrderStats) -> Result<Option<BTreeMap<u32, u64>>, Failure> {
        let file = self.store_key.clone().or_else(|| store.key_file().filter(|file| file.exists()));
        let Some(file) = file else { return Ok(None) };
        let keys = StoreKeys::load(file)?;
        let is_missing = |key: &u32| !keys.payload_key_ids().any(|known| known == *key);
        Ok(Some(stats.open_by_key.clone().into_iter().filter(|(key, _)| is_missing(key)).collect()))
    }
}
