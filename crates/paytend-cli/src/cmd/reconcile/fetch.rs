//! Fetches the provider's lists.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use paytend_client::{Client, Error, ErrorKind, Paged};
use paytend_model::CardId;
use paytend_model::issuing::{
    CardTransaction, QueryAuthorizations, QueryCardBalance, QueryCardTransactions, QueryPartnerBalance,
    QueryPartnerTransactions,
};
use paytend_reconcile::{Balance, List, ListSet, Orders, Rules};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cmd::reconcile::directory::{Directory, Manifest, VERSION};
use crate::cmd::reconcile::lists::{BALANCES, BalanceFile, Lists, StoredBalance};
use crate::cmd::reconcile::progress::Progress;
use crate::cmd::reconcile::units::{Days, Unit, UnitList};
use crate::exit::{Category, Failure};

/// The maximum number of lists that are fetched at the same time.
pub(super) const CONCURRENT: usize = 4;

/// The maximum number of attempts to fetch a list that changes during the fetch.
const ATTEMPTS: usize = 3;

/// The parameters of a fetch.
pub(super) struct Fetch<'a> {
    pub(super) client: &'a Client,
    pub(super) days: &'a Days,
    pub(super) cards: &'a BTreeSet<String>,
    pub(super) orders: &'a Orders,
    pub(super) rules: &'a Rules,
    pub(super) page_size: Option<u32>,
}

/// A fetch that is in progress.
pub(super) struct Running<'a> {
    pub(super) fetch: &'a Fetch<'a>,
    pub(super) directory: Option<Directory>,
    pub(super) progress: Progress,
}

/// The rows of a unit: a part of a list that is fetched and stored as a whole.
enum Rows {
    Partner(Vec<paytend_model::issuing::PartnerTransaction>),
    Card(Vec<CardTransaction>),
    Authorizations(Vec<CardTransaction>),
    Refused(String),
}

impl Fetch<'_> {
    /// Fetches the lists. Parts that an earlier run has fetched are read from the `out` directory.
    pub(super) async fn run(&self, out: Option<&Path>, source: &str) -> Result<Lists, Failure> {
        let mut manifest = Manifest {
            version: VERSION,
            source: source.to_owned(),
            first_day: self.days.first().to_string(),
            last_day: self.days.last().to_string(),
            started_at: Timestamp::now(),
            cards: self.cards.clone(),
            problems: Vec::new(),
        };
        let directory = out.map(|path| Directory::open(path, &manifest)).transpose()?;
        let units = Unit::all(self.days, self.cards);
        let running = Running { fetch: self, directory, progress: Progress::new(units.len()) };
        let lists = running.lists(units).await.map_err(|failure| match out {
            Some(path) => failure.with_hint(&format!(
                "the lists fetched so far are in {}: run the command again to continue",
                path.display()
            )),
            None => failure,
        })?;
        manifest.problems.clone_from(&lists.problems);
        if let Some(directory) = &running.directory {
            directory.complete(&manifest)?;
        }
        Ok(lists)
    }
}

impl Running<'_> {
    async fn lists(&self, units: Vec<Unit>) -> Result<Lists, Failure> {
        let mut lists = Lists {
            given: ListSet::of([List::PartnerTransactions, List::Topups, List::CardTransactions, List::Authorizations]),
            ..Lists::default()
        };
        let mut fetched = stream::iter(units.iter().map(|unit| self.unit(unit))).buffered(CONCURRENT);
        while let Some(rows) = fetched.try_next().await? {
            match rows {
                Rows::Partner(rows) => lists.partner.extend(rows),
                Rows::Card(rows) => lists.card.extend(rows),
                Rows::Authorizations(rows) => lists.authorizations.extend(rows),
                Rows::Refused(problem) => lists.problems.push(problem),
            }
        }
        drop(fetched);
        self.topups(&mut lists).await?;
        self.balances(&mut lists).await?;
        Ok(lists)
    }

    async fn unit(&self, unit: &Unit) -> Result<Rows, Failure> {
        let (begin, end) = (unit.begin.to_string(), unit.end.to_string());
        let size = self.fetch.page_size.map(u64::from);
        let rows = match &unit.list {
            UnitList::PartnerTransactions => {
                let mut query = QueryPartnerTransactions::builder().begin_date(begin).end_date(end).build();
                query.max_size = size.map(Into::into);
                // A rejection is an error here, because every comparison needs the partner transactions.
                Rows::Partner(self.kept(unit, query).await?.map_err(failed)?)
            }
            UnitList::CardTransactions(card) => {
                let mut query =
                    QueryCardTransactions::builder().card_id(card.as_str()).begin_date(begin).end_date(end).build();
                query.max_size = size.map(Into::into);
                match refused(self.kept(unit, query).await?, "transactions", card)? {
                    Ok(rows) => Rows::Card(of_card(card, rows)),
                    Err(problem) => Rows::Refused(problem),
                }
            }
            UnitList::Authorizations(card) => {
                let mut query =
                    QueryAuthorizations::builder().card_id(card.as_str()).begin_date(begin).end_date(end).build();
                query.max_size = size.map(Into::into);
                match refused(self.kept(unit, query).await?, "authorizations", card)? {
                    Ok(rows) => Rows::Authorizations(of_card(card, rows)),
                    Err(problem) => Rows::Refused(problem),
                }
            }
        };
        self.progress.done();
        Ok(rows)
    }

    /// Reads the rows of a unit from the directory. If they are not stored, fetches and stores them.
    async fn kept<Q: Paged>(&self, unit: &Unit, query: Q) -> Result<Result<Vec<Q::Item>, Error>, Failure>
    where
        Q::Item: DeserializeOwned,
    {
        let name = unit.file_name();
        if let Some(directory) = &self.directory
            && let Some(rows) = directory.read(&name)?
        {
            return Ok(Ok(rows));
        }
        let rows = match self.stable(query).await {
            Ok(rows) => rows,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(directory) = &self.directory {
            directory.write(&name, &rows)?;
        }
        Ok(Ok(rows))
    }

    /// Fetches all pages of a list. If the list changes during the fetch, a row can move to the next page and be
    /// fetched twice. A list with equal rows is therefore fetched again. After the last attempt, the rows are returned
    /// even if some are equal.
    async fn stable<Q: Paged>(&self, query: Q) -> Result<Vec<Q::Item>, Error> {
        for _ in 1..ATTEMPTS {
            match self.pages(query.clone()).await {
                Ok(rows) if has_repeated(&rows) => {}
                // The client returns a data error if it fetched the same page twice.
                Err(error) if error.kind() == ErrorKind::Data => {}
                fetched => return fetched,
            }
        }
        self.pages(query).await
    }

    async fn pages<Q: Paged>(&self, query: Q) -> Result<Vec<Q::Item>, Error> {
        self.fetch.client.pages(query).inspect_ok(|_| self.progress.row()).try_collect().await
    }

    async fn balances(&self, lists: &mut Lists) -> Result<(), Failure> {
        self.progress.add_lists(1 + self.fetch.cards.len());
        let client = self.fetch.client;
        let mut balances = Balance::of_partner(&client.send(&QueryPartnerBalance::new()).await.map_err(failed)?);
        self.progress.done();
        let of_card = |card: &String| {
            let query = QueryCardBalance::new(card.as_str());
            let card = card.clone();
            async move {
                let response = client.send(&query).await;
                self.progress.done();
                (card, response)
            }
        };
        let responses: Vec<_> = stream::iter(self.fetch.cards.iter().map(of_card)).buffered(CONCURRENT).collect().await;
        for (card, response) in responses {
            match refused(response, "balance", &card)? {
                Ok(response) => balances.extend(Balance::of_card(&card, &response)),
                Err(problem) => lists.problems.push(problem),
            }
        }
        let balances = balances.iter().map(StoredBalance::new).collect::<Result<_, _>>()?;
        let file = BalanceFile { taken_at: Timestamp::now(), balances };
        self.store(BALANCES, std::slice::from_ref(&file))?;
        lists.balances = Some(file);
        Ok(())
    }

    pub(super) fn store<T: Serialize>(&self, name: &str, rows: &[T]) -> Result<(), Failure> {
        self.directory.as_ref().map_or(Ok(()), |directory| directory.write(name, rows))
    }
}

/// Returns whether any two rows are equal.
fn has_repeated<T: Serialize>(rows: &[T]) -> bool {
    let mut seen = HashSet::new();
    rows.iter().filter_map(|row| serde_json::to_string(row).ok()).any(|row| !seen.insert(row))
}

/// Converts a rejection of a query about one card to a message for the report, because the other cards can still be
/// compared. Other errors end the fetch.
fn refused<T>(result: Result<T, Error>, what: &str, card: &str) -> Result<Result<T, String>, Failure> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) if error.kind() == ErrorKind::Rejected => {
            let code = error.api_code().unwrap_or("unknown").to_owned();
            Ok(Err(format!("the provider rejected the query for the {what} of card {card}, code {code}")))
        }
        Err(error) if error.kind() == ErrorKind::Request => {
            Err(Failure::new(Category::Configuration, format!("card {card}: {error}")))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Converts the error of a query to a failure. A query changes nothing, so an unknown outcome is reported as a network
/// error.
pub(super) fn failed(error: Error) -> Failure {
    let failure = Failure::from(error);
    match failure.category() {
        Category::OutcomeUnknown => Failure::new(Category::Network, failure.message()),
        _ => failure,
    }
}

/// Adds the card to the rows that do not contain it.
fn of_card(card: &str, mut rows: Vec<CardTransaction>) -> Vec<CardTransaction> {
    for row in &mut rows {
        if row.card_id.as_deref().is_none_or(str::is_empty) {
            row.card_id = Some(CardId::from(card));
        }
    }
    rows
}
