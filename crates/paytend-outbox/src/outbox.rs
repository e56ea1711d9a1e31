//! The outbox, which prepares and stores orders.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use paytend_client::Client;
use paytend_inbox::{Facts, HandlerError, StoreError, StoreKeys};
use paytend_model::{Operation, OperationKind};
use serde_json::value::RawValue;

use crate::error::SubmitError;
use crate::notice::OrderNotice;
use crate::record::{NewOrder, OrderEntry, OrderFacts, REQUEST, RESULT, Submitted, open};
use crate::store::OutboxStore;
use crate::stored_result::StoredResult;
use crate::upload::{self, StoredUpload};

/// The maximum length of an order number, in characters.
const MAX_NUMBER: usize = 128;

/// A durable outbox, which records orders before they are sent. Cloning is cheap.
///
/// [`submit`](Self::submit) stores an order in a separate transaction. To store an order in your own transaction, call
/// [`prepare`](Self::prepare) and pass the result to the store crate's `submit_in`. A [`Dispatcher`](crate::Dispatcher)
/// sends the orders.
///
/// ```
/// use paytend_inbox::StoreKeys;
/// use paytend_model::issuing::Topup;
/// use paytend_outbox::{MemoryOutbox, Outbox, SubmitOptions};
///
/// # async fn example(client: paytend_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let keys = StoreKeys::load_or_create("outbox.keys")?;
/// let outbox = Outbox::open(MemoryOutbox::new(), keys, client).await?; // in production, a durable store
/// let topup = Topup::builder().card_id("1755902").order_no("T-1").amount("25.00".parse()?).currency("EUR").build();
/// outbox.submit(&topup, SubmitOptions::new()).await?;
/// # Ok(())
/// # }
/// ```
pub struct Outbox<S> {
    store: S,
    keys: Arc<StoreKeys>,
    client: Client,
}

/// Options for submitting an order.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct SubmitOptions {
    number: Option<String>,
    order_by: Option<String>,
    not_before: Option<SystemTime>,
    trace_parent: Option<String>,
    fields: Vec<(String, String)>,
    file: Option<PathBuf>,
}

impl SubmitOptions {
    /// Creates the default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the order number, which identifies the order in the outbox. The default is the `orderNo` of the request.
    /// Operations without an `orderNo` require this option.
    pub fn number(mut self, number: impl Into<String>) -> Self {
        self.number = Some(number.into());
        self
    }

    /// Sets the order name. Orders with the same order name are sent one after the other, in the order in which they
    /// were submitted. An order is sent after the handler of the previous order has succeeded. A stuck order holds up
    /// the later orders. The store contains an HMAC of the name, never the name itself.
    pub fn order_by(mut self, name: impl Into<String>) -> Self {
        self.order_by = Some(name.into());
        self
    }

    /// Sets the time before which the order is not sent, by the store's clock.
    pub fn not_before(mut self, time: SystemTime) -> Self {
        self.not_before = Some(time);
        self
    }

    /// Sets the W3C trace context of the order. It is stored with the order and sent in the `traceparent` header.
    pub fn trace_parent(mut self, value: impl Into<String>) -> Self {
        self.trace_parent = Some(value.into());
        self
    }

    /// Stores the file of an upload by reference. The store then contains the file's path, length and SHA-256 instead
    /// of its content. The file must match the order's content and must not exceed 2 MiB.
    ///
    /// The file is read again when the order is sent. If it is missing or has changed, the order is stuck before
    /// anything is sent. Restore the file, or submit the same order with the new path, and retry the order. The handler
    /// receives the order with an empty file.
    ///
    /// ```no_run
    /// # use paytend_client::file_from_path;
    /// # use paytend_model::issuing::UploadDocument;
    /// # use paytend_outbox::{MemoryOutbox, Outbox, SubmitOptions};
    /// # async fn example(outbox: Outbox<MemoryOutbox>) -> Result<(), Box<dyn std::error::Error>> {
    /// let passport = file_from_path("passport.jpeg")?;
    /// let upload = UploadDocument::builder().holder_id("H1").file_type("3").file_content(passport).suffix(".jpeg");
    /// let options = SubmitOptions::new().number("passport of H1").file_by_reference("passport.jpeg");
    /// outbox.submit(&upload.build(), options).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn file_by_reference(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Adds a field to the envelope of the request, like [`Request::field`](paytend_client::Request::field).
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }
}

impl<S: OutboxStore> Outbox<S> {
    /// Opens an outbox on a store. The deduplication key must be the key with which the store was first opened. Payload
    /// keys can be added later. An inbox in the same store uses the same keys.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the store was created with a different deduplication key, or if the store fails.
    pub async fn open(store: S, keys: StoreKeys, client: Client) -> Result<Self, StoreError> {
        store.bind_outbox_keys(keys.check_value()).await?;
        Ok(Self { store, keys: Arc::new(keys), client })
    }

    /// Returns the store.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Returns the client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Validates, seals, signs and encrypts an order without storing it. Pass the result to [`submit_prepared`] or to
    /// the store crate's `submit_in`.
    ///
    /// [`submit_prepared`]: Self::submit_prepared
    ///
    /// # Errors
    /// Returns [`SubmitError`] if the order is invalid or has no number, or if the operation is a query.
    pub fn prepare<O: Operation>(&self, order: &O, options: SubmitOptions) -> Result<NewOrder, SubmitError> {
        if O::INFO.kind != OperationKind::Mutation {
            return Err(SubmitError::NotAMutation(O::INFO.name));
        }
        let mut request = self.client.request(order);
        for (name, value) in &options.fields {
            request = request.field(name, value);
        }
        if let Some(trace_parent) = &options.trace_parent {
            request = request.trace_parent(trace_parent);
        }
        let prepared = request.prepare().map_err(SubmitError::Request)?;
        let number = match options.number {
            Some(number) => Some(number),
            None => order_no(prepared.payload()),
        };
        let number = number.filter(|number| (1..=MAX_NUMBER).contains(&number.chars().count()));
        let fields: Vec<[&[u8]; 2]> =
            options.fields.iter().map(|(name, value)| [name.as_bytes(), value.as_bytes()]).collect();
        let partner = self.client.partner_id();
        let trace_parent = options.trace_parent.as_deref();
        let upload = options.file.as_deref();
        let upload = upload.map(|path| StoredUpload::new(&prepared, partner, &options.fields, trace_parent, path));
        let upload = upload.transpose().map_err(SubmitError::File)?;
        let mut content = vec![O::INFO.path.as_bytes()];
        // The tag is computed from the file's SHA-256, so it is the same whether the content or a reference is stored.
        let parts = upload::content_parts::<O>(prepared.payload());
        content.extend(parts.iter().map(|part| part.as_bytes()));
        content.extend(fields.iter().flatten());
        let mut facts = OrderFacts::new(
            number.ok_or(SubmitError::NoNumber)?,
            prepared.request_id().to_string(),
            O::INFO.path.to_owned(),
            self.keys.tag("outbox content", &content),
        );
        facts.order_key = options.order_by.map(|name| self.keys.tag("outbox order", &[name.as_bytes()]));
        facts.not_before = options.not_before;
        facts.traceparent = options.trace_parent;
        let bytes = upload.as_ref().map_or_else(|| prepared.to_bytes(), StoredUpload::to_bytes);
        let sealed = facts.with_binding(REQUEST, |parts| self.keys.seal_bound(parts, &bytes))?;
        let payload = zeroize::Zeroizing::new(upload::comparable(prepared.payload()));
        let compare = move |stored: &[u8]| match payload_of(stored) {
            Ok(stored) => differing(&upload::comparable(&stored), &payload),
            Err(_) => Vec::new(),
        };
        let keys = Arc::clone(&self.keys);
        Ok(NewOrder { facts, request: sealed, keys, compare: Arc::new(compare), upload: upload.map(Arc::new) })
    }

    /// Stores a prepared order in a separate transaction. A dispatcher sends the order soon after this method returns
    /// `Ok`.
    ///
    /// # Errors
    /// Returns [`SubmitError::Conflict`] if the number belongs to an order with different content, or
    /// [`SubmitError::Store`] if the store fails. After a store failure, submit the same order again to make sure that
    /// it is stored.
    pub async fn submit_prepared(&self, order: NewOrder) -> Result<Submitted, SubmitError> {
        let submitted = self.store.submit_order(order).await;
        let result = match &submitted {
            Ok(Submitted::New) => "new",
            Ok(Submitted::Known { .. }) => "known",
            Err(SubmitError::Conflict { .. }) => "conflict",
            Err(_) => "failed",
        };
        metrics::counter!("paytend_outbox_submitted_total", "result" => result).increment(1);
        submitted
    }

    /// Prepares an order and stores it in a separate transaction.
    ///
    /// # Errors
    /// Returns the errors of [`prepare`](Self::prepare) and [`submit_prepared`](Self::submit_prepared).
    pub async fn submit<O: Operation>(&self, order: &O, options: SubmitOptions) -> Result<Submitted, SubmitError> {
        self.submit_prepared(self.prepare(order, options)?).await
    }

    /// Returns a function for [`WorkerBuilder::before_handlers`](paytend_inbox::WorkerBuilder::before_handlers). The
    /// function records an inbox's notifications about orders, as selected by [`OrderNotice::of`].
    ///
    /// ```
    /// # use paytend_inbox::{HandlerError, Inbox, MemoryStore, Worker};
    /// # use paytend_outbox::{MemoryOutbox, Outbox};
    /// # fn example(inbox: Inbox<MemoryStore>, outbox: Outbox<MemoryOutbox>) {
    /// let worker = Worker::builder(inbox, async |delivery| {
    ///     Err(HandlerError::dead_letter(format!("no handler for {}", delivery.facts().kind)))
    /// })
    /// .before_handlers(outbox.notices());
    /// # }
    /// ```
    pub fn notices(&self) -> impl Fn(&Facts) -> BoxFuture<'static, Result<(), HandlerError>> + Send + Sync + 'static {
        let store = self.store.clone();
        move |facts| {
            let Some(notice) = OrderNotice::of(facts) else { return Box::pin(std::future::ready(Ok(()))) };
            let store = store.clone();
            Box::pin(async move {
                store.notice_order(notice).await?;
                Ok(())
            })
        }
    }

    /// Returns the keys.
    pub fn keys(&self) -> &StoreKeys {
        &self.keys
    }

    pub(crate) fn seal_result(
        &self,
        facts: &OrderFacts,
        result: &StoredResult,
    ) -> Result<paytend_inbox::SealedPayload, StoreError> {
        let bytes = result.to_bytes();
        facts.with_binding(RESULT, |parts| self.keys.seal_bound(parts, &bytes))
    }
}

/// Decrypts the stored request of an order and returns its payload, which contains the business data. Returns `None` if
/// the request is not stored. If an upload's file is stored by reference, the payload contains the reference.
///
/// # Errors
/// Returns [`StoreError`] if the key is missing, or if the request was altered or belongs to another order.
pub fn open_request(keys: &StoreKeys, entry: &OrderEntry) -> Result<Option<zeroize::Zeroizing<String>>, StoreError> {
    let Some(sealed) = &entry.request else { return Ok(None) };
    let bytes = open(keys, &entry.facts, REQUEST, sealed)?;
    let payload = payload_of(&bytes).map(|payload| Some(zeroize::Zeroizing::new(payload)));
    payload.map_err(|error| StoreError::new(paytend_inbox::StoreErrorKind::Corrupt, error))
}

/// Returns the payload of a decrypted request.
fn payload_of(bytes: &[u8]) -> Result<String, String> {
    match StoredUpload::from_bytes(bytes)? {
        Some(upload) => Ok(upload.shown_payload()),
        None => paytend_client::stored_payload(bytes).map(str::to_owned).map_err(|error| error.to_string()),
    }
}

/// Decrypts the result of an order, which is a JSON object. Returns `None` if no result is stored.
///
/// # Errors
/// Returns [`StoreError`] if the key is missing, or if the result was altered or belongs to another order.
pub fn open_result(keys: &StoreKeys, entry: &OrderEntry) -> Result<Option<zeroize::Zeroizing<String>>, StoreError> {
    let Some(sealed) = &entry.result else { return Ok(None) };
    let bytes = open(keys, &entry.facts, RESULT, sealed)?;
    Ok(Some(zeroize::Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())))
}

fn members(payload: &str) -> BTreeMap<String, Box<RawValue>> {
    serde_json::from_str(payload).unwrap_or_default()
}

fn order_no(payload: &str) -> Option<String> {
    serde_json::from_str(members(payload).get("orderNo")?.get()).ok()
}

/// Returns the names of the JSON members that differ between two payloads.
pub(crate) fn differing(one: &str, other: &str) -> Vec<String> {
    let (one, other) = (members(one), members(other));
    let differs = |name: &&String| one.get(*name).map(|value| value.get()) != other.get(*name).map(|value| value.get());
    let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).filter(differs).collect();
    names.into_iter().map(|name| format!("`{name}`")).collect()
}

impl<S: Clone> Clone for Outbox<S> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), keys: Arc::clone(&self.keys), client: self.client.clone() }
    }
}

impl<S> fmt::Debug for Outbox<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("keys", &self.keys).field("client", &self.client).finish_non_exhaustive()
    }
}
