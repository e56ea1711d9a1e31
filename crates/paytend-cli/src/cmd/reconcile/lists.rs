//! The provider's lists, which are either fetched or read from a directory.

use std::path::Path;

use jiff::Timestamp;
use paytend_model::Amount;
use paytend_model::issuing::{CardTransaction, PartnerTransaction, TopupResultResponse};
use paytend_reconcile::{Account, Balance, List, ListSet, Provider};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::cmd::reconcile::coverage::Compared;
use crate::cmd::reconcile::directory::{Manifest, lists_in, read_lines};
use crate::cmd::reconcile::units::{AUTHORIZATIONS, CARD_TRANSACTIONS, PARTNER_TRANSACTIONS, TOPUPS};
use crate::exit::{Category, Failure};

/// The name of the file that contains the balances.
pub(super) const BALANCES: &str = "balances.json";

/// The provider's lists. Each row of a card's list contains the card ID.
#[derive(Default)]
pub(super) struct Lists {
    pub(super) given: ListSet,
    pub(super) partner: Vec<PartnerTransaction>,
    pub(super) topups: Vec<TopupResultResponse>,
    pub(super) card: Vec<CardTransaction>,
    pub(super) authorizations: Vec<CardTransaction>,
    pub(super) balances: Option<BalanceFile>,
    /// Messages about the queries that the provider rejected.
    pub(super) problems: Vec<String>,
}

/// The balances that a fetch found, and the time of the fetch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BalanceFile {
    pub(super) taken_at: Timestamp,
    pub(super) balances: Vec<StoredBalance>,
}

/// The balance of an account in one currency.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredBalance {
    /// The card ID; absent for the partner's funds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    card: Option<String>,
    currency: String,
    amount: Amount,
}

impl StoredBalance {
    pub(super) fn new(balance: &Balance) -> Result<Self, Failure> {
        let card = match &balance.account {
            Account::Card(card) => Some(card.clone()),
            _ => None,
        };
        let amount = Amount::try_from(balance.amount).map_err(|error| Failure::new(Category::Unexpected, error))?;
        Ok(Self { card, currency: balance.currency.clone(), amount })
    }
}

impl BalanceFile {
    /// Reads the balances file of an earlier fetch.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let invalid =
            |why: &dyn std::fmt::Display| Failure::new(Category::Configuration, format!("{}: {why}", path.display()));
        let text = std::fs::read(path).map_err(|error| invalid(&error))?;
        serde_json::from_slice(&text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            invalid(&format!("not a file with balances ({place}); pass the balances.json of an earlier fetch"))
        })
    }

    pub(super) fn balances(&self) -> Vec<Balance> {
        let balance = |stored: &StoredBalance| Balance {
            account: stored.card.clone().map_or(Account::Funds, Account::Card),
            currency: stored.currency.clone(),
            amount: stored.amount.value(),
        };
        self.balances.iter().map(balance).collect()
    }
}

impl Lists {
    /// Reads the lists in the directory of a fetch, or in a directory of exported lists. Returns an error if a fetch
    /// does not contain everything that is compared.
    pub(super) fn read(directory: &Path, compared: &Compared<'_>) -> Result<Self, Failure> {
        let folder = lists_in(directory);
        let mut lists = Self::default();
        if let Some(manifest) = Manifest::read(&folder)? {
            compared.check(&folder, &manifest)?;
            lists.problems.extend(compared.problem(&manifest));
            lists.problems.extend(manifest.problems);
        }
        let files = std::fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let files = files.map_err(|error| {
            Failure::new(Category::Configuration, format!("cannot read {}: {error}", folder.display()))
        })?;
        let mut files: Vec<_> = files.into_iter().map(|file| file.path()).collect();
        files.sort();
        for file in files {
            let Some(name) = file.file_name().and_then(std::ffi::OsStr::to_str) else { continue };
            let Some(list) = name.strip_suffix(".jsonl") else { continue };
            match list.split('.').next() {
                Some(PARTNER_TRANSACTIONS) => lists.add(List::PartnerTransactions, &file, |lists| &mut lists.partner),
                Some(TOPUPS) => lists.add(List::Topups, &file, |lists| &mut lists.topups),
                Some(CARD_TRANSACTIONS) => lists.add(List::CardTransactions, &file, |lists| &mut lists.card),
                Some(AUTHORIZATIONS) => lists.add(List::Authorizations, &file, |lists| &mut lists.authorizations),
                _ => Ok(()),
            }?;
        }
        if lists.given.is_empty() {
            return Err(Failure::new(
                Category::Configuration,
                format!(
                    "{} contains no lists: fetch them with --out DIR, or export files such as \
                     {PARTNER_TRANSACTIONS}.jsonl",
                    folder.display()
                ),
            ));
        }
        let balances = folder.join(BALANCES);
        if balances.exists() {
            lists.balances = Some(BalanceFile::read(&balances)?);
        }
        Ok(lists)
    }

    fn add<T: DeserializeOwned>(
        &mut self,
        list: List,
        file: &Path,
        rows: impl FnOnce(&mut Self) -> &mut Vec<T>,
    ) -> Result<(), Failure> {
        self.given = self.given.with(list);
        rows(self).extend(read_lines(file)?);
        Ok(())
    }

    /// Returns the lists and balances as the input of the comparison.
    pub(super) fn provider(&self, opening: Vec<Balance>) -> Provider {
        let mut provider = Provider::new()
            .opening(opening)
            .closing(self.balances.as_ref().map(BalanceFile::balances).unwrap_or_default());
        provider = provider.partner_transactions(&self.partner).topups(&self.topups);
        provider = provider.card_transactions("", &self.card).authorizations("", &self.authorizations);
        provider.only(self.given)
    }
}
