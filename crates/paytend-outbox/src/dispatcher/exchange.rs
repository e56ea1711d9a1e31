//! Looks up the outcome of an order, for operations with and without a query.

use std::time::Duration;

use futures_util::future::BoxFuture;
use paytend_client::{Client, Error, OrderState, PreparedRequest, Resolvable};
use paytend_model::Operation;
use serde::de::DeserializeOwned;

use crate::dispatcher::ended::NotQueried;

/// The response data of a query that found the order, as JSON text.
pub(super) type FoundData = String;

/// Looks up the outcomes of an operation's orders.
pub(super) trait Lookup<O: Operation>: Send + Sync + 'static {
    /// The type of the data in the query's response.
    type Found: DeserializeOwned + Send + 'static;
    /// Whether the operation has a query.
    const HAS_QUERY: bool;

    /// Queries an order. Returns `None` if the provider reports that the order does not exist.
    fn find<'a>(
        client: &'a Client,
        prepared: &'a PreparedRequest<O>,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Option<FoundData>, Error>>;

    /// Returns the state of an order that has been found.
    fn found_state(client: &Client, found: &Self::Found) -> OrderState;

    /// Returns the state of an order whose response arrived.
    fn response_state(client: &Client, response: &O::Response) -> OrderState;
}

/// Looks up an order with the operation's query.
pub(super) struct ByQuery;

impl<O: Resolvable> Lookup<O> for ByQuery {
    type Found = <O::Query as Operation>::Response;
    const HAS_QUERY: bool = true;

    fn find<'a>(
        client: &'a Client,
        prepared: &'a PreparedRequest<O>,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Option<FoundData>, Error>> {
        Box::pin(async move {
            let found = client.find_order(prepared, limit).await?;
            Ok(found.map(|found| data_text(found.response.opened().payload_text())))
        })
    }

    fn found_state(client: &Client, found: &Self::Found) -> OrderState {
        client.state_of_query::<O>(found)
    }

    fn response_state(client: &Client, response: &O::Response) -> OrderState {
        client.state_of_response::<O>(response)
    }
}

/// The lookup for operations without a query. It finds no orders, so an order without a response becomes stuck.
pub(super) struct ByPerson;

impl<O: Operation> Lookup<O> for ByPerson {
    type Found = NotQueried;
    const HAS_QUERY: bool = false;

    fn find<'a>(
        _: &'a Client,
        _: &'a PreparedRequest<O>,
        _: Duration,
    ) -> BoxFuture<'a, Result<Option<FoundData>, Error>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn found_state(_: &Client, found: &NotQueried) -> OrderState {
        match *found {}
    }

    fn response_state(_: &Client, _: &O::Response) -> OrderState {
        OrderState::Unknown(None)
    }
}

impl<'de> serde::Deserialize<'de> for NotQueried {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("the operation has no query"))
    }
}

/// Returns a response's data as JSON. A response without data is an empty object.
pub(super) fn data_text(payload: Option<&str>) -> String {
    payload.filter(|text| !text.is_empty()).unwrap_or("{}").to_owned()
}
