//! Lists that come in pages, as streams.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use futures_core::Stream;
use futures_util::stream::try_unfold;
use paytend_model::issuing::{
    CardTransaction, City, PartnerTransaction, QueryAuthorizations, QueryCardTransactions, QueryCities,
    QueryPartnerTransactions,
};
use paytend_model::{Count, Operation, iban};
use serde::Serialize;

use crate::Client;
use crate::error::{Error, ErrorKind};
use crate::target::Target;

/// A query whose answer is one page of a list.
pub trait Paged: Operation + Clone {
    /// What the list is of.
    type Item: Serialize + Send + 'static;

    /// Returns the position of the page's first item; `None` if it is not a number, or if the page has a size that is not a
    /// number above zero. A query without a position starts at zero, and one without a size leaves it to the provider.
    fn start(&self) -> Option<u64>;

    /// Returns the same query from another position.
    #[must_use]
    fn starting_at(self, start: u64) -> Self;

    /// Returns the page's items, and how many there are in all if the response says so. Returns `None` if the response has no
    /// list where it is expected: the fields of these responses are inferred.
    fn items(response: Self::Response) -> Option<(Vec<Self::Item>, Option<u64>)>;
}

macro_rules! paged {
    ($($query:ty, $size:ident => $($list:ident)|+: $item:ty;)+) => { $(
        impl Paged for $query {
            type Item = $item;

            fn start(&self) -> Option<u64> {
                let size = number(&self.$size, 1)?;
                number(&self.start, 0).filter(|_| size > 0)
            }

            fn starting_at(mut self, start: u64) -> Self {
                self.start = Count::from(start).into();
                self
            }

            fn items(response: Self::Response) -> Option<(Vec<$item>, Option<u64>)> {
                let total = response.total.as_ref().and_then(Count::get);
                let list = None$(.or(response.$list))+;
                Some((list?, total))
            }
        }
    )+ };
}

/// Returns a count, or what stands for one that is not given; `None` for what is not a number.
fn number<'c>(count: impl Into<Option<&'c Count>>, default: u64) -> Option<u64> {
    match count.into() {
        Some(count) if !count.is_empty() => count.get(),
        _ => Some(default),
    }
}

paged! {
    QueryPartnerTransactions, max_size => trade_list | transactions: PartnerTransaction;
    QueryCardTransactions, max_size => trade_list | transactions: CardTransaction;
    QueryAuthorizations, max_size => trade_list | transactions: CardTransaction;
    QueryCities, max_result => cities: City;
    iban::QueryCities, max_result => cities: City;
}

struct State<Q: Paged> {
    query: Q,
    page: std::vec::IntoIter<Q::Item>,
    /// Hashes of the pages there have been: one that comes again means that the position is ignored, or counts something else.
    seen: HashSet<u64>,
    last: bool,
}

impl Client {
    /// The items of a list from the query's `start` on, page by page: a page is asked for when the one before it has been taken, and no more
    /// than one is held.
    ///
    /// It ends with the number of items that the answer says there are in all, or else with an empty page: one that is merely not full may be
    /// all that the provider puts on one. What a `start` counts is inferred: items, from zero. A page that comes again, or an empty one
    /// before the end, is an error rather than a list that is too long or too short: so is the end of one whose provider repeats its last
    /// page for ever, and tells no total.
    ///
    /// ```no_run
    /// use futures_util::{StreamExt, pin_mut};
    /// # async fn example(client: &paytend_client::Client) -> Result<(), paytend_client::Error> {
    /// let cities = client.pages(paytend_model::issuing::QueryCities::new("LT".into(), 0.into(), 100.into()));
    /// pin_mut!(cities);
    /// while let Some(city) = cities.next().await {
    ///     println!("{:?}", city?.city_name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn pages<Q: Paged>(&self, query: Q) -> impl Stream<Item = Result<Q::Item, Error>> + Send + '_ {
        let state = State { query, page: Vec::new().into_iter(), seen: HashSet::new(), last: false };
        try_unfold(state, move |mut state| async move {
            loop {
                if let Some(item) = state.page.next() {
                    return Ok(Some((item, state)));
                }
                if state.last {
                    return Ok(None);
                }
                self.turn(&mut state).await?;
            }
        })
    }

    /// Fetches the next page.
    async fn turn<Q: Paged>(&self, state: &mut State<Q>) -> Result<(), Error> {
        let target = Target::from(&Q::INFO);
        let Some(start) = state.query.start() else {
            let text = "the position and the size of a page must be numbers, and the size above zero";
            return Err(Error::request(text).about(&target));
        };
        let answer = self.request(&state.query).send().await?;
        let id = answer.request_id().to_owned();
        let wrong = |text: &'static str| Error::new(ErrorKind::Data).caused_by(text).during(&target, &id).after(1);
        let items = Q::items(answer.into_data());
        let (items, total) =
            items.ok_or_else(|| wrong("the answer has no list where one is expected; see its extra fields"))?;
        let next = start.saturating_add(items.len() as u64);
        // A total that is less than there has been is none.
        let total = total.filter(|total| *total >= next);
        if items.is_empty() {
            if total.is_some_and(|total| total > next) {
                return Err(wrong("an empty page before the end: the position counts something else than items"));
            }
            state.last = true;
            return Ok(());
        }
        let text = serde_json::to_string(&items).map_err(|e| Error::new(ErrorKind::Data).caused_by(e))?;
        if !state.seen.insert(hash(&text)) {
            return Err(wrong("the same page came again: the position counts something else than items"));
        }
        state.last = total == Some(next);
        state.query = state.query.clone().starting_at(next);
        state.page = items.into_iter();
        Ok(())
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
