//! Fetches the results of topups.

use std::collections::{BTreeSet, HashSet};

use futures_util::stream::TryChunksError;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use paytend_client::ErrorKind;
use paytend_model::issuing::{QueryTopupResult, TopupResultResponse};
use paytend_reconcile::{Entry, Kind};

use crate::cmd::reconcile::fetch::{CONCURRENT, Running, failed};
use crate::cmd::reconcile::lists::Lists;
use crate::cmd::reconcile::units::TOPUPS;
use crate::exit::Failure;

/// The maximum number of topup results in one file.
const PART: usize = 100;

impl Running<'_> {
    /// Queries the results of topups that are missing from the partner transactions or have no final status. Final
    /// results that an interrupted run has stored are read from the directory.
    pub(super) async fn topups(&self, lists: &mut Lists) -> Result<(), Failure> {
        let mut parts = 0;
        while let Some(directory) = &self.directory
            && let Some(mut results) = directory.read(&part_name(parts))?
        {
            let count = results.len();
            results.retain(|result| !self.is_processing(result));
            if results.len() < count {
                self.store(&part_name(parts), &results)?;
            }
            lists.topups.extend(results);
            parts += 1;
        }
        let wanted = self.wanted(lists);
        self.progress.add_lists(wanted.len());
        let results = stream::iter(wanted.into_iter().map(|number| self.topup(number))).buffered(CONCURRENT);
        let mut results = results.try_chunks(PART);
        while let Some(chunk) = results.next().await {
            // After an error, the results that arrived before it are stored, so that the next run does not query them
            // again.
            let (results, error) = match chunk {
                Ok(results) => (results, None),
                Err(TryChunksError(results, error)) => (results, Some(error)),
            };
            let results: Vec<TopupResultResponse> = results.into_iter().flatten().collect();
            if !results.is_empty() {
                self.store(&part_name(parts), &results)?;
                lists.topups.extend(results);
                parts += 1;
            }
            if let Some(error) = error {
                return Err(error);
            }
        }
        // If there are no results, an empty file is written. Without a file, the topups would not be compared.
        if parts == 0 { self.store::<TopupResultResponse>(&part_name(0), &[]) } else { Ok(()) }
    }

    /// Returns whether a result says that the topup is still being processed.
    fn is_processing(&self, result: &TopupResultResponse) -> bool {
        let statuses = &self.fetch.rules.codes.statuses.topups;
        let status = result.status.as_ref().and_then(|code| statuses.get(code.as_str()));
        status.is_some_and(|status| !status.is_final())
    }

    /// Returns the order numbers of the topups to query.
    fn wanted(&self, lists: &Lists) -> BTreeSet<&str> {
        let listed: HashSet<&str> = lists.partner.iter().filter_map(|row| row.order_no.as_deref()).collect();
        let known: HashSet<&str> = lists.topups.iter().filter_map(|result| result.order_no.as_deref()).collect();
        let is_open = |order: &Entry| order.status.is_some_and(|status| !status.is_final());
        let orders = self.fetch.orders.entries().iter().filter(|order| order.kind == Some(Kind::Topup));
        let numbered = orders.filter_map(|order| Some((order.order_no.as_deref()?, order)));
        let wanted = numbered.filter(|(number, _)| !known.contains(number)).filter(|(number, order)| {
            if listed.contains(number) { is_open(order) } else { self.is_in_the_fetched_days(order) }
        });
        wanted.map(|(number, _)| number).collect()
    }

    /// Returns whether an order that is missing from the lists could have been executed on one of the fetched days.
    /// Other orders are not queried: a topup result has no date, so it could not be compared.
    fn is_in_the_fetched_days(&self, order: &Entry) -> bool {
        let date = order.time.as_ref().and_then(|time| time.date(&self.fetch.rules.time_zone));
        date.is_none_or(|date| (self.fetch.days.first()..=self.fetch.days.last()).contains(&date))
    }

    /// Returns the result of a topup, or `None` if the provider rejects the query because no such order exists.
    async fn topup(&self, number: &str) -> Result<Option<TopupResultResponse>, Failure> {
        let result = match self.fetch.client.send(&QueryTopupResult::new(number)).await {
            Ok(result) => Some(result),
            Err(error) if error.kind() == ErrorKind::Rejected => None,
            Err(error) => return Err(failed(error)),
        };
        self.progress.done();
        Ok(result)
    }
}

fn part_name(index: usize) -> String {
    format!("{TOPUPS}.{index}.jsonl")
}
