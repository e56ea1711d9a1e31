//! A blocking client for programs without an async runtime (feature `blocking`).
//!
//! The blocking client wraps the asynchronous client and owns a runtime with one thread. The thread keeps running
//! between calls, so idle connections stay usable.
//!
//! ```no_run
//! # fn example(client: paytend_client::Client) -> Result<(), Box<dyn std::error::Error>> {
//! let client = paytend_client::blocking::Client::new(client)?;
//! let balance = client.send(&paytend_model::issuing::QueryPartnerBalance::new())?;
//! println!("{:?}", balance.balance);
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use paytend_model::{Json, Operation};
use serde::Serialize;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::call::response::Response;
use crate::error::Error;
use crate::paging::Paged;
use crate::resolve::{Resolvable, Resolved};

/// A client whose calls block the current thread. Cloning is cheap; clones share the runtime.
#[derive(Clone)]
pub struct Client {
    client: crate::Client,
    runtime: Arc<OwnedRuntime>,
}

/// A runtime that can be dropped inside another runtime. Dropping a plain [`Runtime`] there would panic.
struct OwnedRuntime(Option<Runtime>);

impl Drop for OwnedRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl OwnedRuntime {
    fn run<T>(&self, future: impl Future<Output = T>) -> Result<T, Error> {
        outside()?;
        match &self.0 {
            Some(runtime) => Ok(runtime.block_on(future)),
            None => Err(Error::configuration("the client is being dropped")),
        }
    }
}

impl Client {
    /// Creates a blocking client from an asynchronous client.
    ///
    /// # Errors
    /// Returns an error of kind [`Configuration`](crate::ErrorKind::Configuration) if
    /// - this function is called inside an asynchronous runtime, whose thread the client would block;
    /// - the client's runtime cannot be started.
    pub fn new(client: crate::Client) -> Result<Self, Error> {
        outside()?;
        let runtime =
            Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(Error::configuration)?;
        Ok(Self { client, runtime: Arc::new(OwnedRuntime(Some(runtime))) })
    }

    /// Executes an operation, like [`Client::send`](crate::Client::send).
    ///
    /// # Errors
    /// Returns the same errors as [`Client::send`](crate::Client::send), or an error of kind
    /// [`Configuration`](crate::ErrorKind::Configuration) if called inside an asynchronous runtime.
    pub fn send<O: Operation>(&self, operation: &O) -> Result<O::Response, Error> {
        self.wait(self.client.send(operation))
    }

    /// Executes an operation by name or path, like [`Client::call`](crate::Client::call).
    ///
    /// # Errors
    /// Returns the same errors as [`Client::call`](crate::Client::call), or an error of kind
    /// [`Configuration`](crate::ErrorKind::Configuration) if called inside an asynchronous runtime.
    pub fn call(&self, name_or_path: &str, data: &impl Serialize) -> Result<Response<Option<Json>>, Error> {
        self.wait(self.client.call(name_or_path, data))
    }

    /// Sends and resolves an order, like [`Client::resolve`](crate::Client::resolve).
    ///
    /// # Errors
    /// Returns the same errors as [`Client::resolve`](crate::Client::resolve), or an error of kind
    /// [`Configuration`](crate::ErrorKind::Configuration) if called inside an asynchronous runtime.
    pub fn resolve<O: Resolvable>(&self, order: &O) -> Result<Resolved<O>, Error> {
        self.wait(self.client.resolve(order))
    }

    /// Sends an order and waits for its final state, like [`Client::send_and_wait`](crate::Client::send_and_wait).
    ///
    /// # Errors
    /// Returns the same errors as [`Client::send_and_wait`](crate::Client::send_and_wait), or an error of kind
    /// [`Configuration`](crate::ErrorKind::Configuration) if called inside an asynchronous runtime.
    pub fn send_and_wait<O: Resolvable>(&self, order: &O) -> Result<Resolved<O>, Error> {
        self.wait(self.client.send_and_wait(order))
    }

    /// Executes an upload, like [`Client::upload`](crate::Client::upload).
    ///
    /// # Errors
    /// Returns the same errors as [`Client::upload`](crate::Client::upload), or an error of kind
    /// [`Configuration`](crate::ErrorKind::Configuration) if called inside an asynchronous runtime.
    pub fn upload<O: Operation>(
        &self,
        operation: O,
        progress: impl Fn(usize, usize) + Send + Sync + 'static,
    ) -> Result<O::Response, Error> {
        self.wait(self.client.upload(operation, progress))
    }

    /// Returns an iterator over the items of a list, like the stream returned by
    /// [`Client::pages`](crate::Client::pages).
    pub fn pages<Q: Paged>(&self, query: Q) -> impl Iterator<Item = Result<Q::Item, Error>> + '_ {
        use futures_util::StreamExt;
        let mut pages = Box::pin(self.client.pages(query));
        let mut over = false;
        std::iter::from_fn(move || {
            if over {
                return None;
            }
            let item = self.runtime.run(pages.next()).unwrap_or_else(|error| Some(Err(error)));
            over = !matches!(item, Some(Ok(_)));
            item
        })
    }

    /// Runs a future of the asynchronous client to completion, for calls that this type does not have.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use paytend_client::{Error, blocking::Client};
    /// # fn example(client: Client, topup: paytend_model::issuing::Topup) -> Result<(), Error> {
    /// let response = client.wait(client.inner().request(&topup).deadline(Duration::from_secs(5)).send())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the future's error. Returns an error of kind [`Configuration`](crate::ErrorKind::Configuration) if
    /// called inside an asynchronous runtime.
    pub fn wait<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.runtime.run(call)?
    }

    /// Returns the asynchronous client.
    pub fn inner(&self) -> &crate::Client {
        &self.client
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::Client").field(&self.client).finish()
    }
}

fn outside() -> Result<(), Error> {
    match Handle::try_current() {
        Err(_) => Ok(()),
        Ok(_) => Err(Error::configuration(
            "a blocking client cannot be used inside an asynchronous runtime, whose threads it would block; use \
             paytend_client::Client instead; on the runtime's blocking threads, call it with Handle::block_on",
        )),
    }
}
