//! The same client for programs without a runtime (feature `blocking`). It holds a runtime of its own with one thread, in which the one
//! implementation runs, and in which connections are looked after between calls.
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

use crate::{Answer, Error, Paged, Resolvable, Resolved};

/// A client whose calls block. Cloning is cheap; clones share the runtime.
#[derive(Clone)]
pub struct Client {
    client: crate::Client,
    runtime: Arc<Own>,
}

/// A runtime that may be dropped anywhere: inside of another runtime, dropping one by itself panics.
struct Own(Option<Runtime>);

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Own {
    fn run<T>(&self, future: impl Future<Output = T>) -> Result<T, Error> {
        outside()?;
        match &self.0 {
            Some(runtime) => Ok(runtime.block_on(future)),
            None => Err(Error::configuration("the client is being dropped")),
        }
    }
}

impl Client {
    /// Makes a client block.
    ///
    /// # Errors
    /// Of kind [`Configuration`](crate::ErrorKind::Configuration) inside of an asynchronous runtime, whose thread would stand still, and when no
    /// runtime can be started.
    pub fn new(client: crate::Client) -> Result<Self, Error> {
        outside()?;
        let runtime =
            Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(Error::configuration)?;
        Ok(Self { client, runtime: Arc::new(Own(Some(runtime))) })
    }

    /// As [`Client::send`](crate::Client::send).
    ///
    /// # Errors
    /// Those, and of kind [`Configuration`](crate::ErrorKind::Configuration) inside of an asynchronous runtime.
    pub fn send<O: Operation>(&self, operation: &O) -> Result<O::Response, Error> {
        self.wait(self.client.send(operation))
    }

    /// As [`Client::call`](crate::Client::call).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn call(&self, name_or_path: &str, data: &impl Serialize) -> Result<Answer<Option<Json>>, Error> {
        self.wait(self.client.call(name_or_path, data))
    }

    /// As [`Client::resolve`](crate::Client::resolve).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn resolve<O: Resolvable>(&self, order: &O) -> Result<Resolved<O>, Error> {
        self.wait(self.client.resolve(order))
    }

    /// As [`Client::send_and_wait`](crate::Client::send_and_wait).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_and_wait<O: Resolvable>(&self, order: &O) -> Result<Resolved<O>, Error> {
        self.wait(self.client.send_and_wait(order))
    }

    /// As [`Client::upload`](crate::Client::upload).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn upload<O: Operation>(
        &self,
        operation: O,
        progress: impl Fn(usize, usize) + Send + Sync + 'static,
    ) -> Result<O::Response, Error> {
        self.wait(self.client.upload(operation, progress))
    }

    /// As [`Client::pages`](crate::Client::pages), as an iterator.
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

    /// Whatever else the asynchronous client does.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # fn example(client: paytend_client::blocking::Client, topup: paytend_model::issuing::Topup) -> Result<(), paytend_client::Error> {
    /// let answer = client.wait(client.inner().request(&topup).deadline(Duration::from_secs(5)).send())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The future's, and of kind [`Configuration`](crate::ErrorKind::Configuration) inside of an asynchronous runtime.
    pub fn wait<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.runtime.run(call)?
    }

    /// The asynchronous client.
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
            "a blocking client cannot be used inside of an asynchronous runtime, which it would bring to a stand, nor on the blocking threads \
             of one; use paytend_client::Client there, with the runtime's Handle::block_on on its blocking threads",
        )),
    }
}
