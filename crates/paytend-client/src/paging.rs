//! Lists that come in pages, as streams.

use futures_core::Stream;
use futures_util::stream::try_unfold;
use paytend_model::issuing::{
    CardTransaction, City, PartnerTransaction, QueryAuthorizations, QueryCardTransactions, QueryCities,
    QueryPartnerTransactions,
};
use paytend_model::{Count, Operation, iban};

use crate::error::{Error, ErrorKind};
use crate::target::Target;
use crate::{Answer, Client};

/// A query whose answer is one page of a list.
pub trait Paged: Operation + Clone {
    /// What the list is of.
    type Item: Clone + PartialEq + Send + 'static;

    /// The position of the page's first item, and the most items of a page; `None` if either is no number.
    fn page(&self) -> Option<(u64, u64)>;

    /// The same query from another position.
    #[must_use]
    fn from(self, start: u64) -> Self;

    /// The page's items, and how many there are in all if the answer says so; `None` if the answer has no list where it is expected. (The
    /// fields of these answers are inferred.)
    fn items(answer: Self::Response) -> Option<(Vec<Self::Item>, Option<u64>)>;
}

macro_rules! paged {
    ($($query:ty, $size:ident => $list:ident: $item:ty;)+) => { $(
        impl Paged for $query {
            type Item = $item;

            fn page(&self) -> Option<(u64, u64)> {
                Some((self.start.get()?, self.$size.get()?))
            }

            fn from(mut self, start: u64) -> Self {
                self.start = start.into();
                self
            }

            fn items(answer: Self::Response) -> Option<(Vec<$item>, Option<u64>)> {
                Some((answer.$list?, answer.total.as_ref().and_then(Count::get)))
            }
        }
    )+ };
}

paged! {
    QueryPartnerTransactions, max_size => transactions: PartnerTransaction;
    QueryCardTransactions, max_size => transactions: CardTransaction;
    QueryAuthorizations, max_size => transactions: CardTransaction;
    QueryCities, max_result => cities: City;
    iban::QueryCities, max_result => cities: City;
}

struct State<Q: Paged> {
    query: Q,
    page: std::vec::IntoIter<Q::Item>,
    /// The first item of the last page: one that comes again means that the position is ignored.
    first: Option<Q::Item>,
    last: bool,
}

impl Client {
    /// The items of a list from the query's `start` on, page by page: a page is asked for when the one before it has been taken, and no more
    /// than one is held.
    ///
    /// It ends after a page that is not full, an empty one, or the number that the answer says there are in all. What a `start` counts is
    /// inferred: items, from zero. If the provider sends the same page again, that is an error rather than a list without end.
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
        let state = State { query, page: Vec::new().into_iter(), first: None, last: false };
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
        let wrong = |kind, text: &'static str| {
            Error::new(kind).caused_by(text).during(&Target::from(&Q::INFO), "").with_outcome(crate::Outcome::NotSent)
        };
        let number = || {
            wrong(ErrorKind::Request, "the position and the size of a page must be numbers, and the size above zero")
        };
        let (start, size) = state.query.page().filter(|(_, size)| *size > 0).ok_or_else(number)?;
        let answer = self.request(&state.query).send().await.map(Answer::into_data)?;
        let (items, total) = Q::items(answer).ok_or_else(|| {
            wrong(ErrorKind::Data, "the answer has no list where one is expected; see its extra fields")
        })?;
        if state.first.is_some() && items.first() == state.first.as_ref() {
            return Err(wrong(
                ErrorKind::Data,
                "the same page came again: the position counts something else than items",
            ));
        }
        let count = items.len() as u64;
        let next = start.saturating_add(count);
        state.last = count < size || total.is_some_and(|total| next >= total);
        state.first = items.first().cloned();
        state.query = Paged::from(state.query.clone(), next);
        state.page = items.into_iter();
        Ok(())
    }
}
