//! Streams over paginated lists.

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

use crate::call_target::CallTarget;
use crate::client::Client;
use crate::error::Error;
use crate::error::kind::ErrorKind;

/// A query whose response is one page of a list.
pub trait Paged: Operation + Clone {
    /// The type of the list's items.
    type Item: Serialize + Send + 'static;

    /// Returns the position of the page's first item.
    ///
    /// Returns `None` if the position is not a number, or if the page size is set but is not a positive number.
    /// Without a position, the query starts at zero. Without a page size, the provider chooses one.
    fn start(&self) -> Option<u64>;

    /// Returns this query with a different start position.
    #[must_use]
    fn starting_at(self, start: u64) -> Self;

    /// Returns the items on the page, and the total number of items if the response contains it.
    ///
    /// Returns `None` if the response does not contain the expected list. The fields of these responses are inferred.
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

/// Returns the number in `count`, or `default` if `count` is not set. Returns `None` if it is not a number.
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
    /// Hashes of the previous pages. A repeated page means that the provider ignores the position, or that the position
    /// is not an item offset.
    seen: HashSet<u64>,
    last: bool,
}

impl Client {
    /// Returns a stream of a list's items, beginning at the query's `start`.
    ///
    /// The stream fetches a page after all items of the previous page have been taken, and holds at most one page.
    ///
    /// The stream ends at the total number of items, if the response contains it, and otherwise at the first empty
    /// page. A partly filled page does not end it, because the provider may limit the page size. It is inferred that
    /// `start` is a zero-based item offset.
    ///
    /// A repeated page is an error, and so is an empty page before the total is reached. If the provider does not send
    /// a total and repeats its last page endlessly, the stream also ends with an error.
    ///
    /// ```no_run
    /// use futures_util::TryStreamExt;
    /// use paytend_model::issuing::QueryCities;
    /// # async fn example(client: &paytend_client::Client) -> Result<(), paytend_client::Error> {
    /// let query = QueryCities::builder().country_code("LT").start(0).max_result(100).build();
    /// let mut cities = client.pages(query);
    /// while let Some(city) = cities.try_next().await? {
    ///     println!("{:?}", city.city_name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn pages<Q: Paged>(&self, query: Q) -> impl Stream<Item = Result<Q::Item, Error>> + Send + Unpin + '_ {
        let state = State { query, page: Vec::new().into_iter(), seen: HashSet::new(), last: false };
        Box::pin(try_unfold(state, move |mut state| async move {
            loop {
                if let Some(item) = state.page.next() {
                    return Ok(Some((item, state)));
                }
                if state.last {
                    return Ok(None);
                }
                self.fetch_page(&mut state).await?;
            }
        }))
    }

    /// Fetches the next page into `state`.
    async fn fetch_page<Q: Paged>(&self, state: &mut State<Q>) -> Result<(), Error> {
        let target = CallTarget::from(&Q::INFO);
        let Some(start) = state.query.start() else {
            let text = "invalid page: the start position must be a number, and the page size a positive number";
            return Err(Error::request(text).about(&target));
        };
        let response = self.request(&state.query).send().await?;
        let id = response.request_id().to_owned();
        let wrong = |text: &'static str| Error::new(ErrorKind::Data).caused_by(text).during(&target, &id).after(1);
        let items = Q::items(response.into_data());
        let (items, total) =
            items.ok_or_else(|| wrong("the response does not contain the expected list; see its extra fields"))?;
        let next = start.saturating_add(items.len() as u64);
        // A total smaller than the number of items received so far is ignored.
        let total = total.filter(|total| *total >= next);
        if items.is_empty() {
            if total.is_some_and(|total| total > next) {
                let text = "an empty page before the end of the list: `start` does not appear to be an item offset";
                return Err(wrong(text));
            }
            state.last = true;
            return Ok(());
        }
        let text = serde_json::to_string(&items).map_err(|e| Error::new(ErrorKind::Data).caused_by(e))?;
        if !state.seen.insert(hash(&text)) {
            return Err(wrong("repeated page: `start` is ignored or is not an item offset"));
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
