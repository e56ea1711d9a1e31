//! The data that operations need, and the notifications that they create.

use paytend_model::{Notification, Product};

use super::outbox::{Outbox, Source};
use super::partner::Partner;
use super::settings::{Settings, Timing};
use super::time::Millis;

/// The data that an operation needs besides the `Partner` itself.
pub(crate) struct Context<'a> {
    pub(crate) partner: &'a str,
    pub(crate) now: Millis,
    pub(crate) settings: &'a Settings,
    pub(crate) outbox: &'a mut Outbox,
    /// Whether a fault accepts an `orderNo` that was used before.
    pub(crate) accepts_duplicates: bool,
}

impl Context<'_> {
    pub(crate) fn timing(&self) -> &Timing {
        &self.settings.timing
    }

    /// Creates a Paytend notification.
    pub(crate) fn notify(&mut self, partner: &Partner, notification: Notification) -> u64 {
        let content = notification.content().unwrap_or_default();
        self.notify_text(partner, notification.product(), notification.notify_type(), content)
    }

    pub(crate) fn notify_text(
        &mut self,
        partner: &Partner,
        product: Product,
        notify_type: &str,
        content: String,
    ) -> u64 {
        // Each product has a separate URL. The products use the same `notifyType` numbers, so a receiver could not
        // distinguish their notifications at a single URL.
        let source = Source::Paytend { product: product.as_str().to_owned(), notify_type: notify_type.to_owned() };
        self.post(partner, source, content, None)
    }

    /// Creates a notification from any sender. `url` defaults to the sender's callback URL.
    pub(crate) fn post(&mut self, partner: &Partner, source: Source, content: String, url: Option<String>) -> u64 {
        let url = url.or_else(|| partner.callback(source.sender()).cloned());
        self.outbox.post(self.now, self.partner, source, content, url)
    }
}
