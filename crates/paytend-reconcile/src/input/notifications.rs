//! The notifications that the partner has received.

use paytend_model::iban::{IbanTransaction, PaymentFailure};
use paytend_model::issuing::TransactionNotification;
use paytend_model::{BaasNotification, Content, IssuingNotification, Notification};

use super::provider::value;
use super::{note_unreadable, set};
use crate::entry::{Entry, EntryTime, Kind, Status};
use crate::list::List;

/// The notifications that the partner has received.
///
/// ```
/// use paytend_model::{Notification, Product};
/// use paytend_reconcile::Notifications;
/// let mut notifications = Notifications::new();
/// let content = br#"{"transactionId":"C1","amount":"5.00","currency":"EUR"}"#;
/// let content = Notification::read(Product::Issuing, "1", content);
/// notifications.push("17", 1_700_000_000_000, &content);
/// assert_eq!((notifications.len(), notifications.ignored()), (1, 0));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Notifications {
    pub(crate) entries: Vec<Entry>,
    pub(crate) given: bool,
    pub(crate) ignored: u64,
}

impl Notifications {
    /// Creates an empty list of notifications. Unlike [`not_given`](Self::not_given), an empty list is compared.
    pub fn new() -> Self {
        Self { given: true, ..Self::default() }
    }

    /// Creates the input for a comparison without notifications.
    pub fn not_given() -> Self {
        Self::default()
    }

    /// Adds a notification. `reference` is its ID in the inbox, and `received_at` is the time at which it was received,
    /// in milliseconds since the Unix epoch.
    ///
    /// Card transactions, deposits and failed payments are compared. All other kinds are counted as
    /// [`ignored`](Self::ignored).
    pub fn push(&mut self, reference: impl Into<String>, received_at: i64, content: &Content<Notification>) {
        let mut entry = Entry::new(List::Notifications, reference);
        entry.time = Some(EntryTime::Millis(received_at));
        match content {
            Content::Typed(Notification::Issuing(IssuingNotification::CardTransaction(typed))) => {
                card_transaction(&mut entry, typed);
            }
            Content::Typed(Notification::Baas(BaasNotification::FundDeposit(typed))) => deposit(&mut entry, typed),
            Content::Typed(Notification::Baas(BaasNotification::PaymentFailure(typed))) => {
                payment_failure(&mut entry, typed);
            }
            _ => {
                self.ignored += 1;
                return;
            }
        }
        self.push_entry(entry);
    }

    /// Adds a notification that is about a transaction, but whose content is not available or cannot be read.
    pub fn push_unreadable(&mut self, reference: impl Into<String>, received_at: i64) {
        let mut entry = Entry::new(List::Notifications, reference);
        entry.time = Some(EntryTime::Millis(received_at));
        entry.unreadable.push("content".to_owned());
        self.push_entry(entry);
    }

    /// Adds a row. Its list is set to [`List::Notifications`].
    pub fn push_entry(&mut self, mut entry: Entry) {
        entry.list = List::Notifications;
        self.given = true;
        self.entries.push(entry);
    }

    /// Counts a notification that is not compared, because it is not about a transaction.
    pub fn ignore(&mut self) {
        self.ignored += 1;
    }

    /// Returns the rows of the notifications to compare.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the number of notifications to compare.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are no notifications to compare.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the number of notifications that are not about a transaction.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }
}

fn card_transaction(entry: &mut Entry, typed: &TransactionNotification) {
    entry.trade_no = set(typed.transaction_id.as_deref());
    entry.order_no = set(typed.order_no.as_deref());
    entry.card = set(typed.card_id.as_deref());
    entry.type_code = set(typed.transaction_type.as_deref());
    entry.status_code = set(typed.transaction_status.as_deref());
    entry.amount = value(typed.amount.as_ref());
    entry.currency = set(typed.currency.as_deref());
    note_unreadable(entry, &typed.extra, &["transactionId", "orderNo", "cardId", "amount", "currency"]);
}

fn deposit(entry: &mut Entry, typed: &IbanTransaction) {
    entry.kind = Some(Kind::Deposit);
    entry.trade_no = set(typed.transaction_id.as_deref());
    entry.order_no = set(typed.order_no.as_deref());
    entry.status_code = set(typed.trade_status.as_deref());
    entry.amount = value(typed.amount.as_ref());
    entry.currency = set(typed.currency.as_deref());
    entry.fee = value(typed.fee.as_ref());
    note_unreadable(entry, &typed.extra, &["transactionId", "orderNo", "amount", "currency", "fee"]);
}

fn payment_failure(entry: &mut Entry, typed: &PaymentFailure) {
    entry.kind = Some(Kind::Payout);
    entry.status = Some(Status::Failed);
    entry.trade_no = set(typed.transaction_id.as_deref());
    entry.order_no = set(typed.order_no.as_deref());
    note_unreadable(entry, &typed.extra, &["transactionId", "orderNo"]);
}
