//! The handlers of a worker, by notification type.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::error::HandlerError;
use crate::kind::{AnyNotification, NotificationType};
use crate::record::Facts;
use crate::worker::delivery::{Completion, Delivery};

/// The result of a handler.
pub(super) type Handled<E> = Result<Completion<E>, HandlerError>;
type Handler<E> = Arc<dyn Fn(Delivery<AnyNotification>) -> BoxFuture<'static, Handled<E>> + Send + Sync>;

type Before = Box<dyn Fn(&Facts) -> BoxFuture<'static, Result<(), HandlerError>> + Send + Sync>;

pub(super) struct Handlers<E> {
    by_kind: HashMap<String, Handler<E>>,
    sightings: Option<Handler<E>>,
    otherwise: Handler<E>,
    before: Option<Before>,
}

impl<E: 'static> Handlers<E> {
    pub(super) fn new<F, T>(otherwise: F) -> Self
    where
        F: Fn(Delivery<AnyNotification>) -> T + Send + Sync + 'static,
        T: Future<Output = Handled<E>> + Send + 'static,
    {
        Self { by_kind: HashMap::new(), sightings: None, otherwise: erase(otherwise), before: None }
    }

    pub(super) fn on<N, F, T>(&mut self, handler: F)
    where
        N: NotificationType,
        F: Fn(Delivery<N::Content>) -> T + Send + Sync + 'static,
        T: Future<Output = Handled<E>> + Send + 'static,
    {
        let otherwise = Arc::clone(&self.otherwise);
        let typed = move |delivery: Delivery<AnyNotification>| -> BoxFuture<'static, Handled<E>> {
            match delivery.map(N::extract) {
                Ok(typed) => Box::pin(handler(typed)),
                Err(other) => otherwise(other),
            }
        };
        self.by_kind.insert(N::KIND.as_str().to_owned(), Arc::new(typed));
    }

    pub(super) fn on_sighting<F, T>(&mut self, handler: F)
    where
        F: Fn(Delivery<AnyNotification>) -> T + Send + Sync + 'static,
        T: Future<Output = Handled<E>> + Send + 'static,
    {
        self.sightings = Some(erase(handler));
    }

    pub(super) fn before<F, T>(&mut self, function: F)
    where
        F: Fn(&Facts) -> T + Send + Sync + 'static,
        T: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        self.before = Some(Box::new(move |facts| Box::pin(function(facts))));
    }

    pub(super) fn has_sighting_handler(&self) -> bool {
        self.sightings.is_some()
    }

    /// Runs the function set with `before_handlers`, and then the handler for a notification.
    pub(super) async fn run(&self, delivery: Delivery<AnyNotification>) -> Handled<E> {
        if let Some(before) = &self.before {
            before(delivery.facts()).await?;
        }
        self.start(delivery).await
    }

    fn start(&self, delivery: Delivery<AnyNotification>) -> BoxFuture<'static, Handled<E>> {
        let sighting = self.sightings.as_ref().filter(|_| delivery.is_sighting());
        // The handler is selected by the kind of the notification that was read, and not by the stored kind. An older
        // program that did not know the type may have stored `unknown` as the kind.
        let kind = delivery.notification().kind(delivery.facts().route);
        let handler = sighting.or_else(|| self.by_kind.get(kind.as_str()));
        handler.unwrap_or(&self.otherwise)(delivery)
    }
}

fn erase<E, F, T>(handler: F) -> Handler<E>
where
    F: Fn(Delivery<AnyNotification>) -> T + Send + Sync + 'static,
    T: Future<Output = Handled<E>> + Send + 'static,
{
    Arc::new(move |delivery| Box::pin(handler(delivery)))
}
