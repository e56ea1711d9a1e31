//! The provider's lists and balances.

use paytend_model::Decimal;
use paytend_model::issuing::{
    CardBalanceResponse, CardTransaction, PartnerBalanceResponse, PartnerTransaction, TopupResultResponse,
};

use super::{note_unreadable, set};
use crate::balance::{Account, Balance};
use crate::entry::{Entry, EntryTime, Kind};
use crate::list::{List, ListSet};

/// The provider's lists and balances. An empty list is compared, but a list that is not given is not compared.
///
/// ```
/// use paytend_model::issuing::PartnerTransaction;
/// use paytend_reconcile::{List, Provider};
/// let row: PartnerTransaction =
///     serde_json::from_str(r#"{"tradeId":"1","orderNo":"T1","amount":"25.00","currency":"EUR"}"#)?;
/// let provider = Provider::new().partner_transactions([&row]);
/// assert!(provider.given().contains(List::PartnerTransactions));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Provider {
    pub(crate) entries: Vec<Entry>,
    pub(crate) given: ListSet,
    pub(crate) opening: Vec<Balance>,
    pub(crate) closing: Vec<Balance>,
}

impl Provider {
    /// Creates an empty input, in which none of the provider's lists is given.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the lists that are given. Only these lists are compared.
    pub fn given(&self) -> ListSet {
        self.given
    }

    /// Marks one of the provider's lists as given, even if it is empty. Does nothing for one of the partner's lists.
    #[must_use]
    pub fn with_list(mut self, list: List) -> Self {
        if list.is_provider() {
            self.given = self.given.with(list);
        }
        self
    }

    /// Marks all lists outside this set as not given. Rows that have already been added are still compared.
    #[must_use]
    pub fn only(mut self, lists: ListSet) -> Self {
        self.given = self.given.intersection(lists);
        self
    }

    /// Adds a row, and marks its list as given.
    ///
    /// # Errors
    /// Returns the row if it does not belong to one of the provider's lists.
    pub fn push(&mut self, entry: Entry) -> Result<(), Box<Entry>> {
        if !entry.list.is_provider() {
            return Err(Box::new(entry));
        }
        self.given = self.given.with(entry.list);
        self.entries.push(entry);
        Ok(())
    }

    /// Adds partner transactions.
    #[must_use]
    pub fn partner_transactions<'r>(mut self, rows: impl IntoIterator<Item = &'r PartnerTransaction>) -> Self {
        self = self.with_list(List::PartnerTransactions);
        self.entries.extend(rows.into_iter().map(partner_transaction));
        self
    }

    /// Adds topup results.
    #[must_use]
    pub fn topups<'r>(mut self, rows: impl IntoIterator<Item = &'r TopupResultResponse>) -> Self {
        self = self.with_list(List::Topups);
        self.entries.extend(rows.into_iter().map(topup));
        self
    }

    /// Adds a card's transactions. `card` is the ID of the queried card, which is used for rows that contain no card
    /// ID.
    #[must_use]
    pub fn card_transactions<'r>(self, card: &str, rows: impl IntoIterator<Item = &'r CardTransaction>) -> Self {
        self.of_card(List::CardTransactions, card, rows)
    }

    /// Adds authorizations on a card. `card` is the ID of the queried card, which is used for rows that contain no card
    /// ID.
    #[must_use]
    pub fn authorizations<'r>(self, card: &str, rows: impl IntoIterator<Item = &'r CardTransaction>) -> Self {
        self.of_card(List::Authorizations, card, rows)
    }

    fn of_card<'r>(mut self, list: List, card: &str, rows: impl IntoIterator<Item = &'r CardTransaction>) -> Self {
        self = self.with_list(list);
        self.entries.extend(rows.into_iter().map(|row| card_transaction(list, card, row)));
        self
    }

    /// Adds opening balances: the balances at the beginning of the period.
    #[must_use]
    pub fn opening(mut self, balances: impl IntoIterator<Item = Balance>) -> Self {
        self.opening.extend(balances);
        self
    }

    /// Adds closing balances: the balances at the end of the period.
    #[must_use]
    pub fn closing(mut self, balances: impl IntoIterator<Item = Balance>) -> Self {
        self.closing.extend(balances);
        self
    }
}

impl Balance {
    /// Returns the balances in the response to a partner balance query.
    pub fn of_partner(response: &PartnerBalanceResponse) -> Vec<Self> {
        let all = response.balance.iter().flatten();
        let balance = |one: &paytend_model::issuing::Balance| Self {
            account: Account::Funds,
            currency: one.currency.as_str().to_owned(),
            amount: one.available.value(),
        };
        all.map(balance).collect()
    }

    /// Returns the balance in the response to a card balance query, or `None` if the response has no amount or
    /// currency.
    pub fn of_card(card: &str, response: &CardBalanceResponse) -> Option<Self> {
        Some(Self {
            account: Account::Card(card.to_owned()),
            currency: set(response.currency.as_deref())?,
            amount: response.balance.as_ref()?.value(),
        })
    }
}

fn partner_transaction(row: &PartnerTransaction) -> Entry {
    let trade_no = set(row.trade_id.as_deref()).or_else(|| set(row.transaction_id.as_deref()));
    let order_no = set(row.order_no.as_deref());
    let reference = trade_no.clone().or_else(|| order_no.clone()).unwrap_or_else(|| "without number".to_owned());
    let mut entry = Entry::new(List::PartnerTransactions, reference);
    (entry.trade_no, entry.order_no) = (trade_no, order_no);
    entry.type_code = set(row.trade_type.as_ref().map(|code| code.as_str()));
    entry.trade_status = set(row.trade_status.as_ref().map(|code| code.as_str()));
    entry.status_code = set(row.transaction_status.as_deref());
    entry.amount = value(row.amount.as_ref());
    entry.currency = set(row.currency.as_deref());
    entry.time = set(row.business_date.as_deref()).map(EntryTime::Text);
    note_unreadable(&mut entry, &row.extra, &["tradeId", "orderNo", "amount", "currency", "businessDate"]);
    entry
}

fn topup(row: &TopupResultResponse) -> Entry {
    let order_no = set(row.order_no.as_deref());
    let mut entry = Entry::new(List::Topups, order_no.clone().unwrap_or_else(|| "without number".to_owned()));
    entry.order_no = order_no;
    entry.card = set(row.card_id.as_deref());
    entry.kind = Some(Kind::Topup);
    entry.status_code = set(row.status.as_deref());
    entry.amount = value(row.amount.as_ref());
    entry.currency = set(row.currency.as_deref());
    note_unreadable(&mut entry, &row.extra, &["orderNo", "cardId", "amount", "currency"]);
    entry
}

fn card_transaction(list: List, card: &str, row: &CardTransaction) -> Entry {
    let trade_no = set(row.trade_id.as_deref()).or_else(|| set(row.transaction_id.as_deref()));
    let mut entry = Entry::new(list, trade_no.clone().unwrap_or_else(|| "without number".to_owned()));
    entry.trade_no = trade_no;
    entry.card = set(row.card_id.as_deref()).or_else(|| set(Some(card)));
    entry.type_code = set(row.trade_type.as_ref().map(|code| code.as_str()));
    entry.trade_status = set(row.trade_status.as_ref().map(|code| code.as_str()));
    entry.status_code = set(row.transaction_status.as_deref());
    if list == List::Authorizations && entry.type_code.is_none() {
        entry.kind = Some(Kind::PreAuthorization);
    }
    entry.amount = value(row.amount.as_ref());
    entry.currency = set(row.currency.as_deref());
    entry.time = set(row.business_date.as_deref()).map(EntryTime::Text);
    note_unreadable(&mut entry, &row.extra, &["tradeId", "cardId", "amount", "currency", "businessDate"]);
    entry
}

pub(super) fn value(amount: Option<&paytend_model::Amount>) -> Option<Decimal> {
    amount.map(paytend_model::Amount::value)
}
